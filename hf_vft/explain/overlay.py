"""Lays a heat map, which is made in the model's frame, over the image as it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from PIL import Image

Transform = Callable[[Image.Image], torch.Tensor]
Frame = tuple[float, float, float, float]
"""Left, top, right, bottom of what the model sees, in pixels of the image; may lie outside."""

STRENGTH = 0.75
SIDE = 900
_MAP = "inferno"


def seen_frame(transform: Transform, processor: Any, size: tuple[int, int]) -> Frame:
    """The part of an image that the model sees, whatever its processor does.

    An image whose colours are coordinates is sent through the same transform, and the
    coordinates are read off: crops, squashing and padding need no rules of their own.

    Args:
        transform: From an image to ``[3, h, w]``.
        processor: Whose normalisation is undone.
        size: Width and height of the image.
    """
    width, height = size
    # What begins by resizing sees the same share of a large image as of a small one.
    small = getattr(processor, "do_resize", False) and max(size) > SIDE
    columns, rows = shown_size(size) if small else size
    ramp = np.zeros((rows, columns, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, columns).round()[None, :]
    ramp[..., 1] = np.linspace(0, 255, rows).round()[:, None]
    ramp[..., 2] = 255
    seen = np.asarray(transform(Image.fromarray(ramp)).float())
    if getattr(processor, "do_normalize", False):
        mean, std = (
            np.array(v)[:, None, None] for v in (processor.image_mean, processor.image_std)
        )
        seen = seen * std + mean
    inside = seen[2] > 0.98 * seen[2].max()
    left, right = _ends(seen[0], inside, axis=0)
    top, bottom = _ends(seen[1], inside, axis=1)
    return left * width, top * height, right * width, bottom * height


def _ends(values: np.ndarray, inside: np.ndarray, axis: int) -> tuple[float, float]:
    """Coordinates, as shares of the image, at the two edges of the model's frame."""
    kept = np.asarray(inside.any(axis))
    means = np.array(
        [line[mask].mean() for line, mask in zip(*_lines(values, inside, axis), strict=True)]
    )
    slope, start = np.polyfit(np.flatnonzero(kept) + 0.5, means, 1)
    return float(start), float(start + slope * len(kept))


def _lines(values: np.ndarray, inside: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    lines, masks = (values.T, inside.T) if axis == 0 else (values, inside)
    some = masks.any(1)
    return lines[some], masks[some]


def on_image(heat: np.ndarray, frame: Frame, size: tuple[int, int]) -> np.ndarray:
    """A map of the model's frame as a map of the image; zero where the model does not look.

    Args:
        heat: ``[h, w]`` from 0 to 1.
        frame: From ``seen_frame``.
        size: Width and height of the image.

    Returns:
        ``float32 [height, width]`` from 0 to 1.
    """
    left, top, right, bottom = (round(edge) for edge in frame)
    stretched = Image.fromarray(heat.astype(np.float32)).resize(
        (max(right - left, 1), max(bottom - top, 1)), Image.Resampling.BILINEAR
    )
    canvas = Image.new("F", size)
    canvas.paste(stretched, (left, top))
    return np.asarray(canvas)


def reduced(image: Image.Image, *, side: int = SIDE) -> Image.Image:
    """An RGB image no larger than what is shown of it, so that the whole need not be kept.

    Args:
        image: Left as it is.
        side: Longest side of the result.
    """
    shown = shown_size(image.size, side)
    return image.resize(shown, Image.Resampling.BICUBIC) if shown < image.size else image.copy()


def shown_scale(size: tuple[int, int], side: int = SIDE) -> float:
    """Factor by which an image is enlarged for display: small ones up to four times."""
    return min(side / max(size), 4.0)


def shown_size(size: tuple[int, int], side: int = SIDE) -> tuple[int, int]:
    """Width and height at which an image of a size is shown."""
    scale = shown_scale(size, side)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def overlay(image: Image.Image, heat: np.ndarray, *, side: int = SIDE) -> Image.Image:
    """The image with the map over it; what is cold stays as it was.

    Args:
        image: RGB.
        heat: ``[height, width]`` of the image, from 0 to 1.
        side: Longest side of the result; small images are enlarged up to four times.
    """
    size = shown_size(image.size, side)
    shown = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.float32)
    warm = Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    level = np.clip(np.asarray(warm), 0.0, 1.0)[..., None]
    colours = colormaps[_MAP](0.25 + 0.75 * level[..., 0], bytes=True)[..., :3]
    alpha = STRENGTH * level
    return Image.fromarray((shown * (1 - alpha) + colours * alpha).round().astype(np.uint8))
