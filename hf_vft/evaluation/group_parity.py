"""How far apart the groups of one column are: demographic parity and equalized odds.

The definitions are those of fairlearn (Agarwal et al. 2018; Hardt et al. 2016) for one class
against the rest; of several classes the worst counts.
"""

from __future__ import annotations

import numpy as np

from hf_vft.evaluation.intervals import Floats, percentile_interval
from hf_vft.evaluation.results import Estimate

RESAMPLES = 200
_CELLS = 2**22  # of the resampled confusions held at a time (32 MiB)


def column_parity(
    counts: Floats, labelled: bool, min_events: int, seed: int = 0
) -> dict[str, Estimate]:
    """Largest differences and smallest ratios between groups, with bootstrap intervals.

    A largest difference is above zero by chance alone; read it by its interval and beside the
    tests of single gaps, not by itself.

    Args:
        counts: A confusion per group ``[G, C, C]``, true by predicted, G at least 2.
        labelled: Whether the true class is known; else only what is answered counts.
        min_events: A class counts for equalized odds if every group has so many images of it
            and so many of others, for demographic parity if it was answered so often.
        seed: Of the resamples; images are redrawn within their group.
    """
    values = _parity(counts[None], counts, labelled, min_events)
    rng = np.random.default_rng(seed)
    n, cells = counts.sum((1, 2)), counts.reshape(len(counts), -1)
    width = max(1, _CELLS // cells.size)
    draws: dict[str, list[Floats]] = {name: [] for name in values}
    for start in range(0, RESAMPLES, width):
        size = min(width, RESAMPLES - start)
        drawn = [
            rng.multinomial(int(total), row / total, size=size).reshape(size, *counts.shape[1:])
            for total, row in zip(n, cells, strict=True)
        ]
        parity = _parity(np.stack(drawn, 1).astype(np.float64), counts, labelled, min_events)
        for name, piece in parity.items():
            draws[name].append(piece)
    return {
        name: _estimate(value[0], np.concatenate(draws[name])) for name, value in values.items()
    }


def _parity(
    confusions: Floats, observed: Floats, labelled: bool, min_events: int
) -> dict[str, Floats]:
    """Parity measures of ``confusions [B, G, C, C]``; ``observed`` says which classes count."""
    n = confusions.sum((2, 3))[..., None]
    answered = confusions.sum(2)
    seen = observed.sum((0, 1)) >= min_events
    selected = [(answered / n)[..., seen]]
    gaps = _apart("demographic_parity", selected)
    if not labelled:
        return gaps
    true = confusions.sum(3)
    right = np.diagonal(confusions, axis1=2, axis2=3)
    positive = observed.sum(2)
    enough = (positive >= min_events) & (positive.sum(1, keepdims=True) - positive >= min_events)
    counted = enough.all(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = (right / true)[..., counted]
        false_positive = ((answered - right) / (n - true))[..., counted]
    gaps |= _apart("equalized_odds", [recall, false_positive])
    accuracy = right.sum(2) / n[..., 0]
    gaps["accuracy_difference"] = accuracy.max(1) - accuracy.min(1)
    return gaps


def _apart(name: str, rates: list[Floats]) -> dict[str, Floats]:
    """The worst class of ``rates``, each ``[B, G, C]``: difference and ratio ``[B]``."""
    rate = np.concatenate(rates, axis=2)
    if not rate.shape[2]:
        return {}
    high, low = rate.max(1), rate.min(1)
    ratio = np.ones_like(high)
    np.divide(low, high, out=ratio, where=high > 0)
    return {f"{name}_difference": (high - low).max(1), f"{name}_ratio": ratio.min(1)}


def _estimate(value: float, draws: Floats) -> Estimate:
    low, high = percentile_interval(draws)
    return Estimate(value=value, low=float(low), high=float(high))
