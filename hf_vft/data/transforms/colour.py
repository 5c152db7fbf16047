"""Changes of colour: brightness, contrast, saturation and hue as one matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

LUMA = np.array([0.299, 0.587, 0.114])
"""What red, green and blue add to grey (ITU-R BT.601), as Pillow and torchvision have it."""

_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


@dataclass(frozen=True)
class ColourChange:
    """Factors of 1 and a hue of 0 change nothing.

    Attributes:
        brightness: Factor of all levels.
        contrast: Factor of the distance from the image's mean grey.
        saturation: Factor of the distance from the pixel's own grey.
        hue: Turns of the colour circle, -0.5 to 0.5, around grey in YIQ.
    """

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0

    def matrix(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The change as ``matrix @ rgb + offset``, brightness first and hue last.

        Args:
            mean: Of the image's levels, ``[3]``.

        Returns:
            ``[3, 3]`` and ``[3]``.
        """
        grey = self.brightness * float(LUMA @ mean)
        matrix = np.full((3, 3), (1.0 - self.saturation) * LUMA)
        matrix.flat[::4] += self.saturation
        if self.hue:
            angle = 2.0 * np.pi * self.hue
            cosine, sine = np.cos(angle), np.sin(angle)
            turn = np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
            matrix = _FROM_YIQ @ turn @ _TO_YIQ @ matrix
        # Neither saturation nor hue moves a grey, so the offset of the contrast stays as it is.
        return matrix * (self.brightness * self.contrast), np.full(3, (1 - self.contrast) * grey)


def recoloured(levels: torch.Tensor, changes: list[ColourChange]) -> torch.Tensor:
    """Levels ``float32 [3, H, W]`` after some changes; not cut off at 0 and 255."""
    flat = levels.reshape(3, -1)
    # Of every fourth pixel of every fourth row, which for a mean are enough.
    mean = levels[:, ::4, ::4].mean((1, 2)).double().numpy()
    matrix, offset = np.eye(3), np.zeros(3)
    for change in changes:
        factor, more = change.matrix(mean)
        mean = factor @ mean + more
        matrix, offset = factor @ matrix, factor @ offset + more
    by = torch.from_numpy(matrix.astype(np.float32))
    return torch.addmm(torch.from_numpy(offset.astype(np.float32))[:, None], by, flat).view_as(
        levels
    )


def blurred(levels: torch.Tensor, sigma: float) -> torch.Tensor:
    """Levels ``float32 [3, H, W]`` under a Gaussian of 5 × 5 pixels, mirrored at the edges."""
    places = torch.arange(-2.0, 3.0)
    weights = torch.softmax(-(places**2) / (2 * sigma**2), 0)
    mode = "reflect" if min(levels.shape[1:]) > 2 else "replicate"
    padded = functional.pad(levels[:, None], (2, 2, 2, 2), mode=mode)
    across = functional.conv2d(padded, weights.view(1, 1, 1, 5))
    return functional.conv2d(across, weights.view(1, 1, 5, 1))[:, 0]


def to_levels(levels: torch.Tensor) -> torch.Tensor:
    """Rounded to ``uint8``; the argument is changed."""
    return levels.add_(0.5).clamp_(0.0, 255.0).to(torch.uint8)
