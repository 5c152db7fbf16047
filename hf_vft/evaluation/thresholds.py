"""Thresholds that turn scores into answers, chosen on images that test nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hf_vft.evaluation.intervals import Floats

DEFAULT = 0.5
"""Where nothing can be learned about a class: it is not there, or it is everywhere."""


def best_threshold(
    scores: npt.ArrayLike, right: npt.ArrayLike, missed: float, beta: float
) -> float:
    """The threshold of the highest F-beta.

    Args:
        scores: Of what could be answered ``[N]``.
        right: Whether each would be right ``[N]``.
        missed: How much there is to be found that none of them finds.
        beta: Weight of recall against precision: 1 both alike, 2 recall, 0.5 precision.

    Returns:
        Half way between the lowest score that is answered and the highest that is not; one half
        where nothing is right.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    ranked = np.asarray(scores, dtype=np.float64)[order]
    hits = np.cumsum(np.asarray(right, dtype=np.float64)[order])
    if not len(ranked) or hits[-1] == 0:
        return DEFAULT
    total = hits[-1] + missed
    answered = np.arange(1, len(ranked) + 1)
    f_beta: Floats = (1 + beta**2) * hits / (beta**2 * total + answered)
    f_beta[:-1][ranked[:-1] == ranked[1:]] = -1.0  # equal scores are answered together
    best = int(f_beta.argmax())
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)


def choose_thresholds(
    probs: npt.ArrayLike, marks: npt.ArrayLike, *, per_class: bool, beta: float = 1.0
) -> list[float]:
    """Thresholds on the probabilities of each class.

    Args:
        probs: ``[N, C]``.
        marks: 0 and 1 ``[N, C]``.
        per_class: One for each class, or one that is shared.
        beta: See `best_threshold`.
    """
    p, truth = np.asarray(probs, dtype=np.float64), np.asarray(marks)
    if not per_class:
        return [best_threshold(p.ravel(), truth.ravel(), 0.0, beta)] * p.shape[1]
    return [best_threshold(p[:, c], truth[:, c], 0.0, beta) for c in range(p.shape[1])]
