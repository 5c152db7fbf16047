"""Images of shapes on surfaces, made in whole batches on whatever device trains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from hf_vft.pretraining.shapes import shape_bank
from hf_vft.pretraining.textures import spectrum_bank

CLOUD = 8192
"""Points kept of a class; each image shows some of them."""
SMALLEST, LARGEST = 0.2, 0.95
"""Sides of shapes, as shares of the image's."""
NO_TEXTURE = -100
"""The surface of an image with a plain ground: cross-entropy skips it."""


@dataclass(frozen=True)
class ImageClasses:
    """Number of classes of the generated images.

    Attributes:
        shapes: Formulas of shapes; one more class holds the images that show none.
        textures: Power spectra of surfaces.
    """

    shapes: int = 64
    textures: int = 32

    @property
    def outputs(self) -> int:
        """Logits that a model gives: shapes, no shape, textures."""
        return self.shapes + 1 + self.textures


class Rendered(NamedTuple):
    """A batch of images and what is known of them.

    Attributes:
        images: ``[B, 3, S, S]`` with values in [-1, 1].
        labels: ``[B, 2]``: the shape (the last class is none) and the texture (``NO_TEXTURE`` on a
            plain ground).
        mask: How much of the shape covers each pixel, in [0, 1], ``[B, S, S]``.
    """

    images: torch.Tensor
    labels: torch.Tensor
    mask: torch.Tensor


class ImageRenderer:
    """Makes batches of labelled images from nothing but formulas and a seed.

    A batch depends on the seed, its number and the kind of device, on nothing else: training
    that is stopped and resumed sees the same images.

    Args:
        classes: How many there are of each.
        seed: Decides everything.
        device: Where images are made.
        points: Of a shape in an image.
        empty: Share of the images without a shape.
    """

    def __init__(
        self,
        classes: ImageClasses,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        points: int = 1536,
        empty: float = 0.06,
    ) -> None:
        self.classes = classes
        self.seed = seed
        self.device = torch.device(device)
        self.points = points
        self.empty = empty
        self._clouds = torch.from_numpy(shape_bank(classes.shapes, CLOUD, seed)).to(self.device)
        self._spectra: dict[int, torch.Tensor] = {}

    @torch.no_grad()
    def batch(self, number: int, count: int, size: int, smallest: float = SMALLEST) -> Rendered:
        """Make a batch.

        Args:
            number: Of the batch; never the same images twice.
            count: B.
            size: S, side in pixels.
            smallest: Side of the smallest shape, as a share of the image's.
        """
        draw = _Draw(self.seed, number, count, self.device)
        shape = draw.integers(self.classes.shapes)
        texture = draw.integers(self.classes.textures)
        plain = draw.chance(0.2)
        shown = ~draw.chance(self.empty)
        ground = self._ground(draw, texture, plain, size)
        mask = self._mask(draw, shape, size, smallest) * shown[:, None, None]
        images = _photographed(draw, _painted(draw, ground, mask, plain), size)
        labels = torch.stack(
            [
                torch.where(shown, shape, self.classes.shapes),
                torch.where(plain, NO_TEXTURE, texture),
            ],
            dim=1,
        )
        images = images.mul_(2).sub_(1).contiguous(memory_format=torch.channels_last)
        return Rendered(images, labels, mask)

    def _ground(
        self, draw: _Draw, texture: torch.Tensor, plain: torch.Tensor, size: int
    ) -> torch.Tensor:
        """Grey level around zero, ``[B, size, size]``."""
        if size not in self._spectra:
            bank = spectrum_bank(self.classes.textures, size, self.seed)
            self._spectra[size] = bank.to(self.device)
        noise = torch.fft.rfft2(draw.normal(size, size))
        surface = torch.fft.irfft2(noise * self._spectra[size][texture], s=(size, size))
        strength = torch.exp(draw.uniform(math.log(0.015), math.log(0.15))) * ~plain
        ground: torch.Tensor = surface.mul_(strength[:, None, None])
        return ground

    def _mask(self, draw: _Draw, shape: torch.Tensor, size: int, smallest: float) -> torch.Tensor:
        """How much of the shape covers each pixel, in [0, 1], ``[B, size, size]``."""
        start = draw.integers(CLOUD)[:, None]
        picked = (start + torch.arange(self.points, device=self.device) * 5) % CLOUD
        cloud = self._clouds[shape[:, None], picked]
        x, y = _moved(draw, cloud[..., 0], cloud[..., 1], smallest)
        width = (draw.uniform(0.0, 1.0).square() * 0.035)[:, None]
        x = x + width * draw.normal(self.points)
        y = y + width * draw.normal(self.points)
        column = ((x + 1) * (size / 2)).long().clamp_(0, size - 1)
        row = ((y + 1) * (size / 2)).long().clamp_(0, size - 1)
        density = torch.zeros(len(shape), size * size, device=self.device)
        density.scatter_add_(1, row * size + column, torch.ones_like(x))
        density = density.view(-1, size, size)
        soft = F.avg_pool2d(density[:, None], 3, 1, 1)[:, 0]
        density = torch.where(draw.chance(0.5)[:, None, None], density, soft)
        gain = draw.uniform(0.5, 2.0)[:, None, None]
        return 1 - torch.exp(-gain * density)


class _Draw:
    """Random numbers of a batch, one or more an image."""

    def __init__(self, seed: int, number: int, count: int, device: torch.device) -> None:
        state = int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0] >> 1)
        self.generator = torch.Generator(device).manual_seed(state)
        self.count = count
        self.device = device

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        """``[B, *shape]``."""
        size = (self.count, *shape)
        values = torch.rand(size, generator=self.generator, device=self.device)
        return values.mul_(high - low).add_(low)

    def normal(self, *shape: int) -> torch.Tensor:
        """``[B, *shape]``."""
        return torch.randn((self.count, *shape), generator=self.generator, device=self.device)

    def integers(self, high: int) -> torch.Tensor:
        """``[B]``, in [0, high)."""
        return torch.randint(high, (self.count,), generator=self.generator, device=self.device)

    def chance(self, share: float) -> torch.Tensor:
        """``[B]``, true for about this share."""
        return self.uniform(0.0, 1.0) < share


def _moved(
    draw: _Draw, x: torch.Tensor, y: torch.Tensor, smallest: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The shape bent a little, turned, stretched, and put somewhere into the image."""
    for _ in range(2):
        swing, phase = draw.uniform(0.0, 0.1), draw.uniform(0.0, 2 * math.pi)
        waves = draw.uniform(1.0, 4.0)
        x, y = y + swing[:, None] * torch.sin(waves[:, None] * x + phase[:, None]), x
    angle, stretch = draw.uniform(-0.3, 0.3), torch.exp(draw.uniform(-0.2, 0.2))
    half = torch.exp(draw.uniform(math.log(smallest), math.log(LARGEST)))
    cosine, sine = torch.cos(angle) * half, torch.sin(angle) * half
    room = (1 - half).clamp_min_(0.0)
    to_x, to_y = draw.uniform(-1.0, 1.0) * room, draw.uniform(-1.0, 1.0) * room
    wide, high = x * stretch[:, None], y / stretch[:, None]
    return (
        wide * cosine[:, None] - high * sine[:, None] + to_x[:, None],
        wide * sine[:, None] + high * cosine[:, None] + to_y[:, None],
    )


def _painted(
    draw: _Draw, ground: torch.Tensor, mask: torch.Tensor, plain: torch.Tensor
) -> torch.Tensor:
    """Colours for ground and shape, ``[B, 3, size, size]``."""
    grey = draw.chance(0.5)
    base = draw.uniform(0.1, 0.9)
    extreme = plain & draw.chance(0.5)
    base = torch.where(extreme, (base > 0.5).float(), base)
    away = torch.where(draw.uniform(0.0, 1.0) < base, -1.0, 1.0)
    step = away * torch.exp(draw.uniform(math.log(0.15), math.log(0.9)))
    tints = draw.uniform(-0.2, 0.2, 2, 3) * ~grey[:, None, None]
    under = base[:, None] + tints[:, 0]
    over = step[:, None] + tints[:, 1]
    ridges = draw.uniform(0.5, 1.0, 3) * ~grey[:, None] + 1.0 * grey[:, None]
    return (
        under[..., None, None]
        + ridges[..., None, None] * ground[:, None]
        + over[..., None, None] * mask[:, None]
    )


def _photographed(draw: _Draw, images: torch.Tensor, size: int) -> torch.Tensor:
    """Uneven light, noise of a sensor, and the limits of its range."""
    across = torch.linspace(-1, 1, size, device=images.device)
    slope = draw.uniform(-0.15, 0.15, 2)
    light = slope[:, :1, None] * across[None, :, None] + slope[:, 1:, None] * across[None, None]
    grain = (draw.uniform(0.0, 1.0).square() * 0.06)[:, None, None] * draw.normal(size, size)
    return images.add_((light + grain)[:, None]).clamp_(0.0, 1.0)
