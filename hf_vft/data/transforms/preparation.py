"""What a checkpoint's processor does to an image, in numbers: resizing, framing, normalising.

Training resamples an image once, straight into the model's input, so it has to know where the
processor would have put each pixel. That is not read from the processor's settings, which every
family names in its own way: the usual ways of framing are tried on images of several shapes, and
the one that gives what the processor gives is taken. A processor that none of them describes is
called itself, image by image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

if TYPE_CHECKING:
    from transformers import BaseImageProcessor

PROBES = ((97, 61), (61, 97), (80, 80), (301, 200), (200, 333), (40, 30))
"""Width and height of the images that a framing is tried on."""

TOLERANCE = 0.5
"""Of 255 levels, on average over an image of noise; what rounding alone costs is less."""


class Placed(NamedTuple):
    """The position of an image in the input.

    Attributes:
        width: To which it is resized, in pixels.
        height: The same.
        left: First column of the resized image that the model sees; negative where there is a
            margin before it.
        top: First row.
    """

    width: int
    height: int
    left: int
    top: int


@dataclass(frozen=True)
class Framing:
    """A way of framing images in an input of one size.

    Attributes:
        height: Of the input, in pixels.
        width: The same.
        kind: ``squash`` (both sides to ``edge``, or to the input's), ``cover`` (the short side to
            ``edge``) or ``fit`` (whole in the input, with a margin). Of what is larger than the
            input, the middle is taken.
        edge: Of ``squash`` and ``cover``; 0 is the input's own size.
        rounds: Whether sizes are rounded; otherwise they are cut off.
        centred: Whether the margin of ``fit`` is on both sides.
    """

    height: int
    width: int
    kind: str = "squash"
    edge: int = 0
    rounds: bool = False
    centred: bool = False

    @property
    def shows_all(self) -> bool:
        """Whether the input is the whole image, without a margin."""
        return self.kind == "squash" and not self.edge

    def place(self, width: int, height: int) -> Placed:
        """The position in the input of an image of this size."""
        whole = round if self.rounds else int
        if self.kind == "squash":
            return self._middle(self.edge or self.width, self.edge or self.height)
        if self.kind == "cover":
            wide = self.edge if width <= height else whole(self.edge * width / height)
            high = self.edge if height <= width else whole(self.edge * height / width)
            return self._middle(wide, high)
        scale = min(self.width / width, self.height / height)
        wide, high = max(1, whole(width * scale)), max(1, whole(height * scale))
        if not self.centred:
            return Placed(wide, high, 0, 0)
        return Placed(wide, high, -((self.width - wide) // 2), -((self.height - high) // 2))

    def _middle(self, wide: int, high: int) -> Placed:
        return Placed(wide, high, (wide - self.width) // 2, (high - self.height) // 2)


@dataclass(frozen=True)
class Normalisation:
    """Map from levels 0 to 255 to the model's input: ``levels * scale + offset``, by channel."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def __call__(self, levels: torch.Tensor) -> torch.Tensor:
        """``uint8 [..., C, H, W]`` to ``float32`` of the same shape."""
        scale = torch.tensor(self.scale, device=levels.device).view(-1, 1, 1)
        offset = torch.tensor(self.offset, device=levels.device).view(-1, 1, 1)
        return levels.to(torch.float32).mul_(scale).add_(offset)

    def levels(self, value: float) -> tuple[int, ...]:
        """The levels nearest to a value after normalising, by channel."""
        pairs = zip(self.scale, self.offset, strict=True)
        return tuple(min(255, max(0, round((value - off) / by))) for by, off in pairs)


@dataclass(frozen=True)
class Preparation:
    """A processor in numbers.

    Attributes:
        framing: Where pixels go.
        resample: ``bilinear`` or ``bicubic``, antialiased.
        margin: Levels of the margin, by channel.
        normalise: What becomes of the levels.
    """

    framing: Framing
    resample: str
    margin: tuple[int, ...]
    normalise: Normalisation

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """``uint8 [C, H, W]`` of an RGB image, before it is normalised."""
        placed = self.framing.place(*image.size)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        return self.framed(resized(pixels, placed.height, placed.width, self.resample), placed)

    def framed(self, pixels: torch.Tensor, placed: Placed) -> torch.Tensor:
        """The part of a resized image that the model sees, with margins where there is nothing."""
        high, wide = self.framing.height, self.framing.width
        top, left = max(0, placed.top), max(0, placed.left)
        seen = pixels[:, top : placed.top + high, left : placed.left + wide]
        if seen.shape[1:] == (high, wide):
            return seen
        return self.on_margin(seen, top - placed.top, left - placed.left)

    def on_margin(self, seen: torch.Tensor, top: int, left: int) -> torch.Tensor:
        """``[C, h, w]`` in an input that is margin otherwise."""
        whole = torch.tensor(self.margin, dtype=seen.dtype).view(-1, 1, 1)
        whole = whole.repeat(1, self.framing.height, self.framing.width)
        whole[:, top : top + seen.shape[1], left : left + seen.shape[2]] = seen
        return whole


def resized(pixels: torch.Tensor, height: int, width: int, resample: str) -> torch.Tensor:
    """``uint8 [C, H, W]`` at another size, antialiased."""
    if pixels.shape[1:] == (height, width):
        return pixels
    return functional.interpolate(pixels[None], (height, width), mode=resample, antialias=True)[0]


def preparation_of(processor: BaseImageProcessor) -> Preparation | None:
    """A processor in numbers, or None where no usual framing gives what it gives."""
    try:
        shown = [(image, _output(processor, image)) for image in map(_noise, PROBES)]
        normalise = _normalisation(processor)
    # Families refuse what they cannot do with an image in ways of their own.
    except Exception:  # noqa: BLE001
        return None
    shapes = {tuple(output.shape) for _, output in shown}
    if normalise is None or len(shapes) != 1 or len(shown[0][1]) != 3:
        return None
    height, width = shown[0][1].shape[-2:]
    margins = ((0, 0, 0), normalise.levels(0.0))
    for framing in _candidates(processor, int(height), int(width)):
        for resample in ("bilinear", "bicubic"):
            for margin in margins if framing.kind == "fit" else margins[:1]:
                preparation = Preparation(framing, resample, margin, normalise)
                if all(_agrees(preparation, *pair) for pair in shown):
                    return preparation
    return None


def _candidates(processor: BaseImageProcessor, height: int, width: int) -> Iterator[Framing]:
    yield Framing(height, width)
    flags = (False, True)
    for edge in sorted(_edges(processor, min(height, width))):
        yield Framing(height, width, "squash", edge)
        for rounds in flags:
            yield Framing(height, width, "cover", edge, rounds)
    for rounds in flags:
        for centred in flags:
            yield Framing(height, width, "fit", 0, rounds, centred)


def _edges(processor: BaseImageProcessor, side: int) -> set[int]:
    """Short sides that an image may be resized to before its middle is cut out."""
    settings = processor.to_dict()
    timm = settings.get("data_config") or settings.get("pretrained_cfg") or {}
    shares = [settings.get("crop_pct"), timm.get("crop_pct") if isinstance(timm, dict) else None]
    sizes = settings.get("size")
    values = list(sizes.values()) if isinstance(sizes, dict) else [sizes]
    edges = {side, *(int(value) for value in values if isinstance(value, int | float))}
    edges |= {int(256 / 224 * edge) for edge in tuple(edges)}  # LeViT's own proportion
    edges |= {int(edge / share) for edge in tuple(edges) for share in shares if share}
    return {edge for edge in edges if edge >= side}


def _normalisation(processor: BaseImageProcessor) -> Normalisation | None:
    """From what becomes of black and of white."""
    low, high = (
        _output(processor, Image.new("RGB", (64, 64), (level,) * 3))[:, ::8, ::8]
        for level in (0, 255)
    )
    middle = low.shape[-1] // 2
    offset = low[:, middle, middle].double()
    scale = (high[:, middle, middle].double() - offset) / 255
    if not bool((scale > 0).all()):
        return None
    return Normalisation(tuple(scale.tolist()), tuple(offset.tolist()))


def _agrees(preparation: Preparation, image: Image.Image, output: torch.Tensor) -> bool:
    levels = preparation(image)
    if levels.shape != output.shape:
        return False
    scale = torch.tensor(preparation.normalise.scale).view(-1, 1, 1)
    return bool(((preparation.normalise(levels) - output).abs() / scale).mean() <= TOLERANCE)


def _output(processor: BaseImageProcessor, image: Image.Image) -> torch.Tensor:
    pixels: torch.Tensor = processor(images=image, return_tensors="pt")["pixel_values"][0]
    return pixels.float()


def _noise(size: tuple[int, int]) -> Image.Image:
    width, height = size
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)
