"""95 % intervals by the percentile bootstrap (Efron & Tibshirani 1993, chapter 13).

A resample is a column of weights: how often each image was drawn. Metrics take weights, so
a thousand resamples are a few matrix products instead of a thousand evaluations.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from hf_vft.utils.grouping import number_groups

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LEVEL = 0.95
_TAIL = (1.0 - LEVEL) / 2.0
# Weights held at a time, so that memory does not grow with images × resamples (8 MiB).
_CHUNK = 2**20


def units_of(n: int, clusters: Sequence[Hashable | None] | None = None) -> Ints:
    """The independent unit that each of ``n`` images belongs to, numbered from 0.

    Args:
        n: Images.
        clusters: One value per image; images that share one (shots of one part, slides of
            one patient) are drawn together. Without it, or where it is None, an image is a
            unit of its own.
    """
    return np.arange(n) if clusters is None else number_groups(clusters)


def design_effect(values: Floats, units: Ints) -> float:
    """The factor by which grouping inflates the variance of a mean (Kish 1965); at least 1.

    Args:
        values: Of each row ``[N]``.
        units: The unit that each belongs to ``[N]``, numbered from 0.
    """
    residual = np.bincount(units, values - values.mean())
    independent = values.var() * len(values)
    return max(1.0, float((residual**2).sum() / independent)) if independent > 0 else 1.0


def resamples(units: Ints, n_resamples: int, seed: int) -> Iterator[Floats]:
    """Yield weights ``[N, b]`` in pieces that make up ``n_resamples`` columns.

    Args:
        units: Unit of each image ``[N]``, from `units_of`.
        n_resamples: Columns in all.
        seed: Of the draws; the same seed gives the same weights.
    """
    rng = np.random.default_rng(seed)
    n_units = int(units.max()) + 1
    width = max(1, _CHUNK // len(units))
    for start in range(0, n_resamples, width):
        b = min(width, n_resamples - start)
        drawn = rng.integers(n_units, size=(n_units, b)) * b + np.arange(b)
        counts = np.bincount(drawn.ravel(), minlength=n_units * b).reshape(n_units, b)
        yield counts[units].astype(np.float64)


def percentile_interval(draws: Floats) -> tuple[Floats, Floats]:
    """Lower and upper end of the 95 % interval along the last axis of ``draws [..., B]``.

    Resamples in which the value is undefined (NaN: a rare class was not drawn) are left
    out. The ends are NaN where no resample is defined, and where all agree: a bootstrap
    whose resamples never differ knows nothing about the spread, and a zero-width interval
    would claim the opposite.
    """
    low = np.full(draws.shape[:-1], np.nan)
    high = np.full(draws.shape[:-1], np.nan)
    for index in np.ndindex(low.shape):
        values = draws[index][~np.isnan(draws[index])]
        if values.size and values.max() - values.min() > 1e-12:
            low[index], high[index] = np.quantile(values, [_TAIL, 1.0 - _TAIL])
    return low, high


def flawless_low(n: float) -> float:
    """Lower end for ``n`` right out of ``n`` (Clopper & Pearson 1934; near 1 - 3.7 / n).

    A flawless sample resamples only to itself; the exact bound says what it does show.
    """
    return float(_TAIL ** (1.0 / n))
