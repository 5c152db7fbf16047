"""What chance decides for one image, before a pixel of it is decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

from hf_vft.data.transforms.affine import Affine, around, moved, turned
from hf_vft.data.transforms.colour import ColourChange
from hf_vft.data.transforms.trivial import TrivialChange
from hf_vft.recipe.schema import AugmentConfig

ERASED = (0.02, 0.15)
"""Share of the input that is erased (Zhong et al. 2020)."""

SIGMA = (0.1, 1.5)
"""Of the blur, in pixels of the input."""

Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""


@dataclass(frozen=True)
class Drawn:
    """The changes of one image; the order is that in which they are made.

    Attributes:
        size: Width and height of the upright image.
        mirror: Left and right change places.
        upside_down: Top and bottom change places.
        degrees: The image is turned around its middle and mirrored at its edges, which leaves no
            empty corners: those are a pattern that no real image has and that a backbone sees at
            once.
        crop: What is kept, in pixels of the image after these.
        trivial: One more change, or None.
        colour: The change of colour, or None.
        sigma: Of the blur in pixels of the input, or None.
        erased: What is erased of the input, or None.
    """

    size: tuple[int, int]
    mirror: bool = False
    upside_down: bool = False
    degrees: float = 0.0
    crop: Box | None = None
    trivial: TrivialChange | None = None
    colour: ColourChange | None = None
    sigma: float | None = None
    erased: Box | None = None

    @property
    def kept(self) -> Box:
        """The crop, or the whole image."""
        return self.crop or (0, 0, *self.size)

    @property
    def movement(self) -> Affine | None:
        """The movement of the trivial change, around the middle of the crop."""
        if self.trivial is None:
            return None
        _, _, width, height = self.kept
        change = self.trivial.movement(width, height)
        return None if change is None else around(change, width / 2, height / 2)

    def source(self) -> Affine:
        """The map from a place in the crop to its place in the upright image."""
        width, height = self.size
        left, top, _, _ = self.kept
        plane = moved(left, top)
        movement = self.movement
        if movement is not None:
            plane = plane.after(movement)
        if self.degrees:
            plane = around(turned(self.degrees), width / 2, height / 2).after(plane)
        if self.mirror:
            plane = Affine(a=-1.0, c=width).after(plane)
        if self.upside_down:
            plane = Affine(e=-1.0, f=height).after(plane)
        return plane

    def snapped(self, step: int) -> Drawn:
        """A copy whose crop covers whole pixels of the image reduced by ``step``."""
        if self.crop is None or step == 1:
            return self
        (left, width), (top, height) = (
            _snapped(self.crop[axis], self.crop[axis + 2], self.size[axis], step) for axis in (0, 1)
        )
        return replace(self, crop=(left, top, width, height))


def _snapped(start: int, length: int, whole: int, step: int) -> tuple[int, int]:
    first = min(round(start / step), (whole - 1) // step) * step
    last = max(first + step, round((start + length) / step) * step)
    return first, min(last, whole) - first


def draw(
    augment: AugmentConfig, rng: Random, size: tuple[int, int], shape: tuple[int, int]
) -> Drawn:
    """Draw the random changes of one image.

    Args:
        augment: Resolved: no field is "auto" any more.
        rng: Where the draws come from; nothing else is random.
        size: Width and height of the upright image in pixels.
        shape: Height and width of the model's input.
    """
    mirror = rng.random() < float(augment.horizontal_flip)
    upside_down = rng.random() < float(augment.vertical_flip)
    most = float(augment.rotation)
    jitter = float(augment.color_jitter)
    return Drawn(
        size,
        mirror,
        upside_down,
        rng.uniform(-most, most) if most else 0.0,
        _crop(float(augment.crop_scale), rng, size),
        TrivialChange.draw(rng) if augment.trivial_augment else None,
        _colour(jitter, rng) if jitter else None,
        rng.uniform(*SIGMA) if rng.random() < float(augment.blur) else None,
        _erased(rng, shape) if rng.random() < float(augment.erasing) else None,
    )


def _crop(scale: float, rng: Random, size: tuple[int, int]) -> Box | None:
    """A random part that keeps at least ``scale`` of the area.

    As in ``RandomResizedCrop`` (Szegedy et al. 2015), with the aspect ratio of the image varied by
    up to a quarter.
    """
    if scale >= 1.0:
        return None
    width, height = size
    area = rng.uniform(scale, 1.0)
    stretch = rng.uniform(-1.0, 1.0) * _most_stretch(area)
    high = max(1, min(height, round(height * area**0.5 * math.exp(stretch))))
    wide = max(1, min(width, round(width * area**0.5 / math.exp(stretch))))
    return rng.randint(0, width - wide), rng.randint(0, height - high), wide, high


def smallest_crop(scale: float, size: tuple[int, int]) -> tuple[int, int]:
    """The least width and the least height of a crop that keeps ``scale`` of the area."""
    side = scale**0.5 * math.exp(-_most_stretch(scale))
    return max(1, int(size[0] * side)), max(1, int(size[1] * side))


def _most_stretch(area: float) -> float:
    """Half the logarithm by which the aspect ratio may change: a quarter, and within the image."""
    return min(0.22, -0.5 * math.log(area))


def _colour(jitter: float, rng: Random) -> ColourChange:
    def factor(most: float) -> float:
        return rng.uniform(max(0.0, 1.0 - most), 1.0 + most)

    hue = min(0.5, jitter / 10)
    return ColourChange(factor(jitter), factor(jitter), factor(jitter / 2), rng.uniform(-hue, hue))


def _erased(rng: Random, shape: tuple[int, int]) -> Box | None:
    """A rectangle of 2 to 15 % of the input, up to 3.3 times as long as wide."""
    height, width = shape
    for _ in range(10):
        area = height * width * rng.uniform(*ERASED)
        aspect = math.exp(rng.uniform(math.log(0.3), math.log(3.3)))
        high, wide = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < high < height and 0 < wide < width:
            return rng.randint(0, width - wide), rng.randint(0, height - high), wide, high
    return None
