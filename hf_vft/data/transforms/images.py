"""From a decoded image to what the model sees.

Validation and serving run the checkpoint's own processor and nothing else. Training knows from it
where pixels go and what becomes of their levels (`hf_vft.data.transforms.preparation`), and does
the same together with its random changes: the file is decoded no larger than needed, resampled once
into the model's input, and recoloured there as 8-bit levels, which are normalised batch by batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torchvision.transforms import v2

from hf_vft.data.decoding.reduced import ImageFile
from hf_vft.data.images import Decoder
from hf_vft.data.transforms.colour import blurred, recoloured, to_levels
from hf_vft.data.transforms.draws import Drawn, draw, smallest_crop
from hf_vft.data.transforms.preparation import Framing, Normalisation, preparation_of
from hf_vft.data.transforms.resample import Plan, from_resized, planned, straight, warped
from hf_vft.recipe.schema import AugmentConfig

if TYPE_CHECKING:
    from transformers import BaseImageProcessor

ImageTransform = Callable[[Image.Image], torch.Tensor]

ONE_PASS = 1
"""Of the random changes below; another number where the same seeds give other pixels."""

HEADROOM = 2
"""Where a processor has to be called, it gets images whose short side is at most so many times
the input's: it cannot tell them apart from larger ones."""

STRENGTHS: dict[str, dict[str, float | bool]] = {
    "none": {
        "horizontal_flip": 0.0,
        "vertical_flip": 0.0,
        "rotation": 0.0,
        "crop_scale": 1.0,
        "color_jitter": 0.0,
        "blur": 0.0,
        "trivial_augment": False,
        "erasing": 0.0,
        "mixup_alpha": 0.0,
        "cutmix_alpha": 0.0,
    },
    "light": {
        "horizontal_flip": 0.5,
        "vertical_flip": 0.0,
        "rotation": 5.0,
        "crop_scale": 1.0,
        "color_jitter": 0.2,
        "blur": 0.0,
        "trivial_augment": False,
        "erasing": 0.0,
        "mixup_alpha": 0.0,
        "cutmix_alpha": 0.0,
    },
    "medium": {
        "horizontal_flip": 0.5,
        "vertical_flip": 0.0,
        "rotation": 10.0,
        "crop_scale": 0.8,
        "color_jitter": 0.3,
        "blur": 0.1,
        "trivial_augment": False,
        "erasing": 0.0,
        "mixup_alpha": 0.1,
        "cutmix_alpha": 0.0,
    },
    "strong": {
        "horizontal_flip": 0.5,
        "vertical_flip": 0.0,
        "rotation": 15.0,
        "crop_scale": 0.35,
        "color_jitter": 0.4,
        "blur": 0.1,
        "trivial_augment": True,
        "erasing": 0.25,
        "mixup_alpha": 0.2,
        "cutmix_alpha": 1.0,
    },
}


def eval_transform(processor: BaseImageProcessor) -> ImageTransform:
    """The processor as a function from an RGB image to ``[C, H, W]``."""

    def transform(image: Image.Image) -> torch.Tensor:
        pixels: torch.Tensor = processor(images=image, return_tensors="pt")["pixel_values"][0]
        return pixels

    return transform


def input_size(processor: BaseImageProcessor) -> tuple[int, int]:
    """Height and width in pixels of what ``processor`` makes of a square image."""
    blank = Image.new("RGB", (64, 64))
    height, width = processor(images=blank, return_tensors="pt")["pixel_values"].shape[-2:]
    return int(height), int(width)


@dataclass(frozen=True)
class Levels:
    """The input of a model before it is normalised, which is done once a batch.

    Attributes:
        values: ``uint8 [C, H, W]``.
        normalise: To what the model sees.
    """

    values: torch.Tensor
    normalise: Normalisation

    def finished(self) -> torch.Tensor:
        """``float32 [C, H, W]``."""
        return self.normalise(self.values)


def stack_pixels(rows: Sequence[Mapping[str, Any]]) -> torch.Tensor:
    """``pixel_values`` of the rows of a dataset as ``[B, C, H, W]``, normalised.

    Images may be nested lists too: that is how ``datasets`` stores what ``map`` computed.
    """
    pixels = [row["pixel_values"] for row in rows]
    if all(isinstance(image, Levels) for image in pixels):
        normalise: Normalisation = pixels[0].normalise
        return normalise(torch.stack([image.values for image in pixels]))
    whole = [
        image.finished() if isinstance(image, Levels) else torch.as_tensor(image)
        for image in pixels
    ]
    return torch.stack(whole)


def train_transform(processor: BaseImageProcessor, augment: AugmentConfig) -> TrainTransform:
    """Random changes, framed and normalised as the processor does it.

    Args:
        processor: The checkpoint's image processor.
        augment: Resolved: no field is "auto" any more.
    """
    return TrainTransform(processor, augment)


class TrainTransform:
    """Training transform from an image, or its file, to the model's input.

    Called with an RGB image it gives ``[C, H, W]`` and draws from torch's global generator only.

    Args:
        processor: The checkpoint's image processor.
        augment: Resolved.
        whole: Whether boxes are told in shares of the image, all of which the model has to see;
            a processor that frames it in another way is then called itself.
    """

    def __init__(
        self, processor: BaseImageProcessor, augment: AugmentConfig, *, whole: bool = False
    ) -> None:
        self.augment = augment
        preparation = preparation_of(processor)
        shows_all = preparation is not None and preparation.framing.shows_all
        self.preparation = preparation if shows_all or not whole else None
        self.process = eval_transform(processor)
        self.shape = input_size(processor)

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """``float32 [C, H, W]`` of an upright RGB image."""
        rng = Random(int(torch.randint(0, 2**62, (1,))))  # noqa: S311 - no secret
        pixels, _ = self.changed(ImageFile.of(image, Decoder()), rng)
        return pixels.finished() if isinstance(pixels, Levels) else pixels

    def read(
        self, source: bytes | str | Path | Image.Image | ImageFile, decoder: Decoder, rng: Random
    ) -> Levels | torch.Tensor:
        """The model's input for a file; already normalised if the processor was called.

        Raises:
            DataError: As by the decoder.
        """
        return self.changed(ImageFile.open(source, decoder), rng)[0]

    def changed(self, file: ImageFile, rng: Random) -> tuple[Levels | torch.Tensor, Plan]:
        """The same of an image that is open, and where its pixels come from."""
        drawn = draw(self.augment, rng, file.upright_size, self.shape)
        if self.preparation is None:
            return self._processed(file, drawn)
        plan = planned(file, drawn, self.preparation.framing)
        pixels = file.pixels(plan.reduction)
        if plan.source.is_straight:
            whole = straight(pixels, plan, self.preparation.resample)
            seen = self.preparation.framed(_recoloured(whole, drawn), plan.placed)
        else:
            framing = self.preparation.framing
            levels, top, left = warped(pixels, plan, framing, self.preparation.resample)
            seen = _recoloured(levels, drawn)
            if seen.shape[1:] != self.shape:
                seen = self.preparation.on_margin(seen, top, left)
        if drawn.erased is not None:
            # A value of 0 after normalising: the mean colour.
            seen = _erased(seen, drawn.erased, self.preparation.normalise.levels(0.0))
        return Levels(seen.contiguous(), self.preparation.normalise), plan

    @property
    def needs(self) -> str:
        """What says how many pixels of an image it needs."""
        framing = None if self.preparation is None else self.preparation.framing
        return f"{self.shape} {framing} {float(self.augment.crop_scale)}"

    def most_reduction(self, file: ImageFile) -> float:
        """By how much an image can be reduced so that its smallest crop still fills the input."""
        width, height = file.upright_size
        wide, high = smallest_crop(float(self.augment.crop_scale), (width, height))
        if self.preparation is None:
            return max(1.0, min(wide, high) / (HEADROOM * max(self.shape)))
        drawn = Drawn((width, height), crop=(0, 0, wide, high))
        placed = self.preparation.framing.place(wide, high)
        return max(1.0, min(from_resized(drawn, placed).steps))

    def _processed(self, file: ImageFile, drawn: Drawn) -> tuple[torch.Tensor, Plan]:
        """Changed at the size of the file, or less, and then given to the processor."""
        _, _, width, height = drawn.kept
        less = min(1.0, HEADROOM * max(self.shape) / min(width, height))
        framing = Framing(max(1, round(less * height)), max(1, round(less * width)))
        plan = planned(file, drawn, framing)
        pixels = file.pixels(plan.reduction)
        if plan.source.is_straight:
            seen = straight(pixels, plan, "bilinear")
        else:
            seen = warped(pixels, plan, framing, "bilinear")[0]
        image: Image.Image = v2.functional.to_pil_image(_recoloured(seen, drawn))
        processed = self.process(image)
        if drawn.erased is not None:
            processed = _erased(processed, drawn.erased, (0,) * len(processed))
        return processed, plan


def _recoloured(levels: torch.Tensor, drawn: Drawn) -> torch.Tensor:
    """Colour and blur of ``[3, H, W]`` in levels; ``uint8``."""
    changes = [drawn.colour] if drawn.colour else []
    if drawn.trivial is not None:
        if drawn.trivial.is_filter:
            levels = levels if levels.dtype == torch.uint8 else to_levels(levels)
            levels = drawn.trivial.filtered(levels)
        elif drawn.trivial.colour is not None:
            changes = [drawn.trivial.colour, *changes]
    if changes:
        levels = levels.to(torch.float32, memory_format=torch.contiguous_format)
        levels = recoloured(levels, changes)
    if drawn.sigma is not None:
        levels = blurred(levels.to(torch.float32), drawn.sigma)
    return levels if levels.dtype == torch.uint8 else to_levels(levels)


def _erased(
    pixels: torch.Tensor, box: tuple[int, int, int, int], value: Sequence[int]
) -> torch.Tensor:
    left, top, width, height = box
    pixels = pixels.clone()
    fill = torch.tensor(value, dtype=pixels.dtype).view(-1, 1, 1)
    pixels[:, top : top + height, left : left + width] = fill
    return pixels
