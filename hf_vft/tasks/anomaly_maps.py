"""Maps of anomalies: how they are smoothed, and which region is the hottest."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, label

from hf_vft.data.images import Decoder

SIDE = 224
"""Longest side that maps are enlarged to before they are looked at."""

SMOOTHING = 4.0
"""Standard deviation in pixels of an enlarged map, as in the paper."""

WARM = 0.5
"""Of the way from the median to the peak: where the hottest region ends."""

Box = tuple[float, float, float, float]


def smooth_map(grid: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """A map of patches as one of pixels.

    Args:
        grid: ``[h, w]``.
        size: Width and height; by default the grid's proportions, `SIDE` long.

    Returns:
        ``float32 [height, width]``.
    """
    height, width = grid.shape
    scale = SIDE / max(height, width)
    inner = max(round(width * scale), 1), max(round(height * scale), 1)
    enlarged = Image.fromarray(grid.astype(np.float32)).resize(inner, Image.Resampling.BILINEAR)
    smooth = gaussian_filter(np.asarray(enlarged), SMOOTHING)
    if size is None or size == inner:
        return np.asarray(smooth, np.float32)
    shown = Image.fromarray(smooth).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(shown, np.float32)


def read_mask(path: str | None, shape: tuple[int, ...]) -> np.ndarray:
    """Where an image is marked, ``bool [H, W]`` of this shape; nowhere without a mask.

    Raises:
        DataError: If the file is no image.
    """
    if path is None:
        return np.zeros(shape, dtype=bool)
    mask = Decoder()(path).convert("L").resize((shape[1], shape[0]), Image.Resampling.NEAREST)
    return np.asarray(mask) > 0


def hottest_region(grid: np.ndarray, size: tuple[int, int]) -> Box:
    """The box around the peak of a map, down to half of what it rises above its surroundings.

    Args:
        grid: ``[h, w]``.
        size: Width and height of the image in pixels.

    Returns:
        Left, top, right and bottom in pixels of the image.
    """
    smooth = smooth_map(grid)
    row, column = np.unravel_index(int(smooth.argmax()), smooth.shape)
    middle, peak = float(np.median(smooth)), float(smooth[row, column])
    regions, _ = label(smooth >= middle + WARM * (peak - middle))
    rows, columns = np.nonzero(regions == regions[row, column])
    x, y = size[0] / smooth.shape[1], size[1] / smooth.shape[0]
    return (
        float(columns.min() * x),
        float(rows.min() * y),
        float((columns.max() + 1) * x),
        float((rows.max() + 1) * y),
    )
