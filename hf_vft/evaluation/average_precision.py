"""Average precision of boxes for many resamples of the images at once.

A resample is a column of weights, how often each image was drawn. Matching does not depend on
it, so it is done once; a resample then costs a sum along the found boxes.
"""

from __future__ import annotations

import numpy as np

from hf_vft.evaluation.box_matching import Matches
from hf_vft.evaluation.counts import ratio
from hf_vft.evaluation.intervals import Floats

RECALLS: Floats = np.linspace(0.0, 1.0, 101)
_AT_ONCE = 4_000_000  # numbers held at a time


def class_scores(
    matches: Matches, weights: Floats, threshold: float | None
) -> tuple[Floats, Floats, dict[str, Floats]]:
    """Average precision, recall and counts of one class.

    Args:
        matches: Of the class.
        weights: ``[P, B]``, a column per resample.
        threshold: Score from which on a box is an answer; None leaves out what needs it.

    Returns:
        Average precision ``[10, B]`` and the recall of all found boxes ``[10, B]``, at each IoU,
        NaN where nothing is to be found; and counts at the threshold at IoU 0.5, each ``[B]``:
        ``right``, ``answered``, ``true`` and ``iou`` (the sum over the right ones).
    """
    n, b = weights.shape[1], max(1, _AT_ONCE // max(1, len(matches.score)))
    parts = [_class_scores(matches, weights[:, i : i + b], threshold) for i in range(0, n, b)]
    precision, recall = (np.concatenate([p[k] for p in parts], axis=1) for k in (0, 1))
    counts = {k: np.concatenate([part[2][k] for part in parts]) for k in parts[0][2]}
    return precision, recall, counts


def _class_scores(
    matches: Matches, weights: Floats, threshold: float | None
) -> tuple[Floats, Floats, dict[str, Floats]]:
    own = weights[matches.image]
    total = np.cumsum(own, axis=0)
    true = matches.true @ weights
    levels, n_draws = matches.right.shape[1], weights.shape[1]
    precision, recall = np.full((2, levels, n_draws), np.nan)
    first_hits = None
    for level in range(levels):
        hits = np.cumsum(own * matches.right[:, level, None], axis=0)
        first_hits = hits if level == 0 else first_hits
        precision[level] = _interpolated(hits, total, true)
        recall[level] = ratio(hits[-1] if len(hits) else np.zeros(n_draws), true)
    counts = {"true": true.astype(np.float64)}
    if threshold is not None:
        last = int(np.searchsorted(-matches.score, -threshold, side="right"))
        zero = np.zeros(n_draws)
        counts["answered"] = total[last - 1] if last else zero
        counts["right"] = first_hits[last - 1] if last and first_hits is not None else zero
        counts["iou"] = (matches.iou[:last, None] * own[:last]).sum(0)
    return precision, recall, counts


def _interpolated(hits: Floats, total: Floats, true: Floats) -> Floats:
    """Mean over 101 recalls of the highest precision at this recall or a higher one: ``[B]``."""
    averages = np.where(true > 0, 0.0, np.nan)
    if not len(hits):
        return averages
    precision = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
    best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    for column in np.flatnonzero(true > 0):
        reached = np.searchsorted(hits[:, column] / true[column], RECALLS, side="left")
        inside = reached[reached < len(hits)]
        averages[column] = best[inside, column].sum() / len(RECALLS)
    return averages
