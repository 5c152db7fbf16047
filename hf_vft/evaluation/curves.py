"""Precision over recall, thinned for a page."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hf_vft.evaluation.results import Point

MOST_POINTS = 80


def precision_recall(
    scores: npt.ArrayLike, right: npt.ArrayLike, total: int, threshold: float | None = None
) -> list[Point]:
    """The curve from the surest answer to the least sure.

    Args:
        scores: Of everything that could be answered ``[N]``.
        right: Whether each is right ``[N]``.
        total: How much there is to be found.
        threshold: On the scores; the point where it cuts the curve is among those that are kept.

    Returns:
        At most 81 points, evenly spread over the recall; none where there is nothing to find.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not total or not len(values):
        return []
    order = np.argsort(-values, kind="stable")
    ranked, hits = values[order], np.cumsum(np.asarray(right, dtype=np.float64)[order])
    # Equal scores are answered together.
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    recall, precision = hits[ends] / total, hits[ends] / (ends + 1)
    wanted = np.linspace(recall[0], recall[-1], MOST_POINTS)
    spread = np.clip(np.searchsorted(recall, wanted), 0, len(ends) - 1)
    reached = 0 if threshold is None else int((ranked[ends] >= threshold).sum())
    kept = np.union1d(spread, [reached - 1] if reached else [])
    return [
        Point(recall=recall[i], precision=precision[i], score=ranked[ends[i]])
        for i in kept.astype(int)
    ]
