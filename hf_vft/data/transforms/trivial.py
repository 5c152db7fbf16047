"""TrivialAugment (Müller and Hutter 2021): one change of 14, of any strength.

The changes and strengths are those of torchvision's ``TrivialAugmentWide``. Those that move pixels
are maps of the plane, those of light and colour are matrices; both are joined with the others that
an image goes through, so that it is resampled once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import torch
from torchvision.transforms import v2

from hf_vft.data.transforms.affine import Affine, turned
from hf_vft.data.transforms.colour import ColourChange

STEPS = 30
"""Of strength, from none to the most."""

MOST_MOVED = 32 / 224
"""Of the side of the image."""

NAMES = (
    "identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness",
    "saturation", "contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize",
)  # fmt: skip


@dataclass(frozen=True)
class TrivialChange:
    """One change.

    Attributes:
        name: Of `NAMES`.
        strength: In [-1, 1]; changes that have no sign take its size.
    """

    name: str
    strength: float

    @classmethod
    def draw(cls, rng: Random) -> TrivialChange:
        """Any of them, of any strength."""
        name = NAMES[rng.randrange(len(NAMES))]
        return cls(name, rng.randint(0, STEPS) / STEPS * rng.choice((-1, 1)))

    def movement(self, width: float, height: float) -> Affine | None:
        """The map from a place in the result to one before, around the middle of the image."""
        by = self.strength
        if self.name == "shear_x":
            return Affine(b=0.99 * by)
        if self.name == "shear_y":
            return Affine(d=0.99 * by)
        if self.name == "translate_x":
            return Affine(c=MOST_MOVED * by * width)
        if self.name == "translate_y":
            return Affine(f=MOST_MOVED * by * height)
        return turned(135.0 * by) if self.name == "rotate" else None

    @property
    def colour(self) -> ColourChange | None:
        """Brightness, contrast or saturation."""
        if self.name in ("brightness", "contrast", "saturation"):
            return ColourChange(**{self.name: 1.0 + 0.99 * self.strength})
        return None

    @property
    def is_filter(self) -> bool:
        """Whether it is neither a movement nor a matrix."""
        return self.name in _FILTERS

    def filtered(self, levels: torch.Tensor) -> torch.Tensor:
        """``uint8 [3, H, W]`` after a change that is a filter."""
        filtered: torch.Tensor = _FILTERS[self.name](levels, self.strength)
        return filtered


_FILTERS: dict[str, Callable[[torch.Tensor, float], torch.Tensor]] = {
    "sharpness": lambda levels, by: v2.functional.adjust_sharpness(levels, 1.0 + 0.99 * by),
    "posterize": lambda levels, by: v2.functional.posterize(levels, 8 - round(6 * abs(by))),
    "solarize": lambda levels, by: v2.functional.solarize(levels, 255.0 * (1.0 - abs(by))),
    "autocontrast": lambda levels, _: v2.functional.autocontrast(levels),
    "equalize": lambda levels, _: v2.functional.equalize(levels),
}
