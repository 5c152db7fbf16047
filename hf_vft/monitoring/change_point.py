"""Since when: where a series changed for good, with an interval, or that it did not.

One change of level is looked for, by a scan of the cumulative sum of the ranks: a likelihood-ratio
scan that outliers do not lead (Pettitt 1979). Whether there is one at all is judged by permutation
of whole blocks, since neighbours in time resemble each other. Its interval holds every place whose
likelihood is not much lower (Siegmund 1988), wider by as much as neighbours resemble each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from hf_vft.evaluation.intervals import Floats

ALPHA = 0.01
PERMUTATIONS = 299
LEAST_ROWS = 60
"""Of a series; fewer show no change that lasts."""

_LEAST_SIDE = 15
"""Rows before and behind a change."""

_LONGEST = 4000
"""Longer series are looked at in means of neighbours."""

_BLOCKS = 60

_DROP = -2.0 * float(np.log(1.0 - np.sqrt(0.95)))
"""Twice the log-likelihood that a place may lack to be in the 95 % interval."""

_MOST_ALIKE = 10.0
"""Neighbours widen an interval by this much of likelihood at most."""


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
    strength, place = (scanned[0] for scanned in _scan(ranks[None]))
    chance, _ = _scan(_shuffled(ranks, rng))
    p_value = float((1 + (chance >= strength).sum()) / (1 + len(chance)))
    if p_value > alpha:
        return None
    low, high = _interval(ranks, int(place))
    first = int(place) * step
    return ChangePoint(
        place=first,
        low=low * step,
        high=min(high * step, n - 1),
        p_value=p_value,
        before=float(np.mean(values[:first])),
        after=float(np.mean(values[first:])),
        strength=float(strength),
    )


def _thinned(values: Floats, step: int) -> Floats:
    whole = len(values) // step * step
    means: Floats = values[:whole].reshape(-1, step).mean(1)
    return means


def _interval(series: Floats, place: int) -> tuple[int, int]:
    """The first and the last place that are about as likely as the likeliest."""
    n = len(series)
    share = np.minimum(_differences(series[None])[0] ** 2 / n, 1.0 - 1e-9)
    lacks = n * (np.log1p(-share) - np.log1p(-share[place - 1]))
    rest = series - np.repeat([series[:place].mean(), series[place:].mean()], [place, n - place])
    size = max(2, n // _BLOCKS)
    means = rest[: n // size * size].reshape(-1, size).mean(1)
    alike = float(np.clip(means.var() * size / max(rest.var(), 1e-12), 1.0, _MOST_ALIKE))
    likely = np.flatnonzero(lacks <= _DROP * alike) + 1
    return int(likely.min()), int(likely.max())


def _scan(series: Floats) -> tuple[Floats, np.ndarray]:
    """The largest standardised difference of the sides of a row ``[B, N]``, and its place."""
    differences = _differences(series)
    best = differences.argmax(1)
    return differences[np.arange(len(series)), best], best + 1


def _differences(series: Floats) -> Floats:
    """The standardised difference of the two sides of each place ``[B, N - 1]``."""
    n = series.shape[1]
    centred = series - series.mean(1, keepdims=True)
    sums = np.cumsum(centred, axis=1)[:, :-1]
    k = np.arange(1, n)
    scale = np.sqrt(k * (n - k) / n)
    spread = np.maximum(centred.std(1, keepdims=True), 1e-12)
    differences: Floats = np.abs(sums) / (scale * spread)
    differences[:, : _LEAST_SIDE - 1] = 0.0
    differences[:, n - _LEAST_SIDE :] = 0.0
    return differences


def _shuffled(series: Floats, rng: np.random.Generator) -> Floats:
    """The series with its blocks in another order, many times ``[PERMUTATIONS, N]``."""
    size = max(1, len(series) // _BLOCKS)
    blocks = series[: len(series) // size * size].reshape(-1, size)
    order = rng.permuted(np.tile(np.arange(len(blocks)), (PERMUTATIONS, 1)), axis=1)
    shuffled: Floats = blocks[order].reshape(PERMUTATIONS, -1)
    return shuffled
