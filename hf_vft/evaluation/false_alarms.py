"""A threshold from good images alone, at a stated rate of false alarms.

The largest score of a few good images is no threshold: it grows with their number. Where there are
enough of them the quantile is taken, counted so that the next good image exceeds it at most as
often as asked (as in split conformal prediction). With fewer, the tail is followed beyond what was
seen: the score of an image is the largest of many distances, whose limit law is Gumbel's, fitted
here by L-moments (Hosking 1990), which one odd image moves little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hf_vft.errors import DataError
from hf_vft.evaluation.intervals import Floats, percentile_interval

FEWEST = 5
"""Scores without which nothing can be said of their tail."""

ENOUGH = 10
"""Scores beyond the quantile from which on it is taken as it is."""

RESAMPLES = 1000


@dataclass(frozen=True)
class Threshold:
    """A threshold, and what it rests on.

    Attributes:
        value: Good images exceed it at the asked rate.
        low: Lower end of its 95 % bootstrap interval.
        high: Upper end.
        method: How it was found, in words.
    """

    value: float
    low: float
    high: float
    method: str


def threshold_at(scores: Floats, rate: float, *, seed: int) -> Threshold:
    """The score that a share ``rate`` of good images exceeds.

    Args:
        scores: Of good images that the model has not learned from ``[N]``.
        rate: In (0, 1).
        seed: Of the resamples.

    Raises:
        DataError: If there are too few scores, or one of them is no number.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if len(scores) < FEWEST or not np.isfinite(scores).all():
        raise DataError(
            f"{len(scores)} scores of good images are too few for a threshold: give {FEWEST} or "
            "more that are numbers."
        )
    enough = rate * len(scores) >= ENOUGH
    tail = _quantile if enough else _gumbel
    rng = np.random.default_rng(seed)
    drawn = scores[rng.integers(len(scores), size=(RESAMPLES, len(scores)))]
    draws = np.array([tail(draw, rate) for draw in drawn])
    low, high = percentile_interval(draws[None])
    how = (
        f"the quantile of {len(scores)} held-out good images"
        if enough
        else f"a Gumbel distribution fitted to {len(scores)} held-out good images"
    )
    return Threshold(tail(scores, rate), float(low[0]), float(high[0]), how)


def _quantile(scores: Floats, rate: float) -> float:
    """The order statistic that the next of exchangeable scores exceeds at most so often."""
    rank = min(math.ceil((len(scores) + 1) * (1.0 - rate)), len(scores))
    return float(np.partition(scores, rank - 1)[rank - 1])


def _gumbel(scores: Floats, rate: float) -> float:
    ordered = np.sort(scores)
    n = len(ordered)
    weighted = float(np.arange(n) @ ordered) / (n * (n - 1))
    spread = 2.0 * weighted - float(ordered.mean())  # the second L-moment
    scale = spread / math.log(2.0)
    location = float(ordered.mean()) - np.euler_gamma * scale
    return location - scale * math.log(-math.log1p(-rate))
