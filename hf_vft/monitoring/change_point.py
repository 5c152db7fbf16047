"""Since when: where a series changed for good, with an interval, or that it did not.

One change of level is looked for, by a scan of the cumulative sum of the ranks: a likelihood-ratio
scan that outliers do not lead (Pettitt 1979). Whether there is one at all is judged by permutation
of whole blocks, since neighbours in time resemble each other; where it lies, by resampling what
stands before and behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from hf_vft.evaluation.intervals import Floats

ALPHA = 0.01
PERMUTATIONS = 299
RESAMPLES = 200
LEAST_ROWS = 60
"""Of a series; fewer show no change that lasts."""

_LEAST_SIDE = 15
"""Rows before and behind a change."""

_LONGEST = 4000
"""Longer series are looked at in means of neighbours."""

_BLOCKS = 60


@dataclass(frozen=True)
class ChangePoint:
    """A lasting change of a series.

    Attributes:
        place: The first row behind it.
        low: The earliest row that it may lie at, at 95 %.
        high: The latest one.
        p_value: Of there being none.
        before: Mean before.
        after: Mean from there on.
        strength: The standardised statistic, to choose among series by.
    """

    place: int
    low: int
    high: int
    p_value: float
    before: float
    after: float
    strength: float


def find_change(values: Floats, *, alpha: float = ALPHA, seed: int = 0) -> ChangePoint | None:
    """The most likely change of level of a series.

    Args:
        values: In the order of time ``[N]``, without NaN.
        alpha: How often a series without a change may be said to have one.
        seed: Of permutations and resamples.

    Returns:
        None where there are too few rows, or what is there may be chance.
    """
    n = len(values)
    if n < LEAST_ROWS or np.ptp(values) == 0:
        return None
    step = -(-n // _LONGEST)
    series = _thinned(np.asarray(values, dtype=np.float64), step)
    ranks = rankdata(series)
    rng = np.random.default_rng(seed)
    strength, place = (found[0] for found in _scan(ranks[None]))
    chance, _ = _scan(_shuffled(ranks, rng))
    p_value = float((1 + (chance >= strength).sum()) / (1 + len(chance)))
    if p_value > alpha:
        return None
    drawn = np.concatenate(
        [
            rng.choice(ranks[:place], (RESAMPLES, place)),
            rng.choice(ranks[place:], (RESAMPLES, len(ranks) - place)),
        ],
        axis=1,
    )
    low, high = np.quantile(_scan(drawn)[1], (0.025, 0.975))
    first = int(place) * step
    return ChangePoint(
        place=first,
        low=min(int(low) * step, first),
        high=min(max(int(np.ceil(high)) * step, first), n - 1),
        p_value=p_value,
        before=float(np.mean(values[:first])),
        after=float(np.mean(values[first:])),
        strength=float(strength),
    )


def _thinned(values: Floats, step: int) -> Floats:
    whole = len(values) // step * step
    means: Floats = values[:whole].reshape(-1, step).mean(1)
    return means


def _scan(series: Floats) -> tuple[Floats, np.ndarray]:
    """The largest standardised difference of the sides of a row ``[B, N]``, and its place."""
    n = series.shape[1]
    centred = series - series.mean(1, keepdims=True)
    sums = np.cumsum(centred, axis=1)[:, :-1]
    k = np.arange(1, n)
    scale = np.sqrt(k * (n - k) / n)
    spread = np.maximum(centred.std(1, keepdims=True), 1e-12)
    differences = np.abs(sums) / (scale * spread)
    differences[:, : _LEAST_SIDE - 1] = 0.0
    differences[:, n - _LEAST_SIDE :] = 0.0
    best = differences.argmax(1)
    return differences[np.arange(len(series)), best], best + 1


def _shuffled(series: Floats, rng: np.random.Generator) -> Floats:
    """The series with its blocks in another order, many times ``[PERMUTATIONS, N]``."""
    size = max(1, len(series) // _BLOCKS)
    blocks = series[: len(series) // size * size].reshape(-1, size)
    order = rng.permuted(np.tile(np.arange(len(blocks)), (PERMUTATIONS, 1)), axis=1)
    shuffled: Floats = blocks[order].reshape(PERMUTATIONS, -1)
    return shuffled
