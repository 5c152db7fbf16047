"""Smoothing and smooth noise for small images, as products with cached matrices.

At the sizes of the generated images a dense product is several times faster than a
filter that walks the array, and the wide filters cost no more than the narrow ones.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def smooth(values: np.ndarray, sigma: float, axis: int | None = None) -> np.ndarray:
    """Gaussian blur.

    Args:
        values: float32 ``[..., H, W]``.
        sigma: In pixels.
        axis: -2 or -1 to blur down or across only.

    Returns:
        float32 of the same shape; brightness near the edges is kept.
    """
    sigma = max(round(sigma, 2), 0.05)
    if axis != -1:
        values = _gaussian(values.shape[-2], sigma) @ values
    if axis != -2:
        values = values @ _gaussian(values.shape[-1], sigma).T
    return values


def clouds(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Smooth noise: float32 ``[side, side]`` of about unit variance, ``cells`` bumps a side."""
    coarse = rng.standard_normal((cells + 3, cells + 3), dtype=np.float32)
    basis = _spline_basis(side, cells)
    noise: np.ndarray = 2 * basis @ coarse @ basis.T
    return noise


@lru_cache(maxsize=128)
def _gaussian(side: int, sigma: float) -> np.ndarray:
    """Blurring a vector of ``side`` values: ``[side, side]``, rows sum to 1."""
    at = np.arange(side, dtype=np.float32)
    weights: np.ndarray = np.exp(-((at[:, None] - at[None]) ** 2) / (2 * sigma**2))
    weights[weights < 1e-4] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


@lru_cache(maxsize=32)
def _spline_basis(side: int, cells: int) -> np.ndarray:
    """Cubic B-splines on ``cells`` equal intervals: ``[side, cells + 3]``, rows sum to 1."""
    at = (np.arange(side) + 0.5) * cells / side
    distance = np.abs(at[:, None] - (np.arange(cells + 3)[None] - 1))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance) ** 3 / 6
    basis = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return basis.astype(np.float32)
