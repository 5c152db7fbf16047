"""Precision over recall, thinned for a page."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hf_vft.evaluation.results import Point

MOST_POINTS = 80


def precision_recall(scores: npt.ArrayLike, right: npt.ArrayLike, total: int) -> list[Point]:
    """The curve from the surest answer to the least sure.

    Args:
        scores: Of everything that could be answered ``[N]``.
        right: Whether each is right ``[N]``.
        total: How much there is to be found.

    Returns:
        At most 80 points, evenly spread over the recall; none where there is nothing to find.
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
    kept = np.unique(np.clip(np.searchsorted(recall, wanted), 0, len(ends) - 1))
    return [Point(recall=recall[i], precision=precision[i], score=ranked[ends[i]]) for i in kept]
