"""Precision over recall, and recall over false alarms (ROC), thinned for a page."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hf_vft.evaluation.results import Point

MOST_POINTS = 80


def precision_recall(
    scores: npt.ArrayLike,
    right: npt.ArrayLike,
    total: int,
    threshold: float | None = None,
    *,
    negatives: int | None = None,
) -> list[Point]:
    """The curve from the surest answer to the least sure.

    Args:
        scores: Of everything that could be answered ``[N]``.
        right: Whether each is right ``[N]``.
        total: How much there is to be found.
        threshold: On the scores; the point where it cuts the curve is among those that are kept.
        negatives: How much there is that must not be found; None where that cannot be counted, as
            with boxes.

    Returns:
        At most 81 points, evenly spread over the recall, and with ``negatives`` as many over the
        false alarms; none where there is nothing to find.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not total or not len(values):
        return []
    order = np.argsort(-values, kind="stable")
    ranked, hits = values[order], np.cumsum(np.asarray(right, dtype=np.float64)[order])
    # Equal scores are answered together.
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    recall, precision = hits[ends] / total, hits[ends] / (ends + 1)
    false = (ends + 1 - hits[ends]) / negatives if negatives else None
    reached = 0 if threshold is None else int((ranked[ends] >= threshold).sum())
    places = np.union1d(_spread(recall), [reached - 1] if reached else [])
    if false is not None:
        places = np.union1d(places, _spread(false))
    return [
        Point(
            recall=recall[i],
            precision=precision[i],
            false_positive_rate=None if false is None else false[i],
            score=ranked[ends[i]],
        )
        for i in places.astype(int)
    ]


def _spread(rising: np.ndarray) -> np.ndarray:
    """Places that are evenly spread over what they reach."""
    wanted = np.linspace(rising[0], rising[-1], MOST_POINTS)
    return np.clip(np.searchsorted(rising, wanted), 0, len(rising) - 1)
