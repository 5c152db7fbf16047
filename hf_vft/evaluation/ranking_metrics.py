"""AUROC and average precision, one class against the rest, for many resamples at once.

Sorting does not depend on the weights, so it is done once. Between two images of the class
only the sum of the weights matters, so each class keeps one sparse matrix that adds up the
stretches between its images; a resample is then a column of a matrix product. The cost is
N × C × B additions.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hf_vft.evaluation.intervals import Floats, Ints


class ClassRanking:
    """The images in order of their score for one class.

    Args:
        scores: Higher means more likely of the class ``[N]``.
        is_class: Whether each image is of the class ``[N]``, bool.
    """

    def __init__(self, scores: Floats, is_class: np.ndarray) -> None:
        n = len(scores)
        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        ends = np.append(np.flatnonzero(np.diff(ordered)), n - 1) + 1  # of each tied stretch
        tied = np.searchsorted(ends, np.arange(n), side="right")
        positions = np.flatnonzero(is_class[order])
        # Only tied stretches that hold an image of the class move the curves.
        held, member = np.unique(tied[positions], return_inverse=True)
        starts = np.concatenate([[0], ends])[held]
        bounds = np.concatenate([[0], np.column_stack([starts, ends[held]]).ravel(), [n]])
        self._stretches = sparse.csr_matrix(
            (np.ones(n), order, bounds), shape=(2 * len(held) + 1, n)
        )
        self._members = sparse.csr_matrix(
            (np.ones(len(positions)), (member, order[positions])), shape=(len(held), n)
        )

    def scores(self, weights: Floats) -> tuple[Floats, Floats]:
        """AUROC and average precision.

        Args:
            weights: ``[N, B]``; a column per resample.

        Returns:
            Two ``[B]``; NaN where undefined: AUROC when the class or the rest is missing,
            average precision when the class is missing. Equal to scikit-learn's
            ``roc_auc_score`` and ``average_precision_score`` with ``sample_weight``.
        """
        stretches = self._stretches @ weights
        upto = np.cumsum(stretches, axis=0)  # weight at or above the end of each stretch
        tied = stretches[1::2]
        reached = upto[1::2]
        own = self._members @ weights
        cumulated = np.cumsum(own, axis=0)
        n_own = own.sum(0)
        n_rest = upto[-1] - n_own

        rest_above = reached - tied - (cumulated - own)
        beaten = n_rest - rest_above - 0.5 * (tied - own)
        precision = np.divide(cumulated, reached, out=np.zeros_like(cumulated), where=reached > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            auroc = (own * beaten).sum(0) / (n_own * n_rest)
            average_precision = (own * precision).sum(0) / n_own
        return auroc, average_precision


def rankings(scores: Floats, labels: Ints) -> list[ClassRanking]:
    """Sort each column of ``scores [N, C]`` into a `ClassRanking`."""
    return [ClassRanking(scores[:, c], labels == c) for c in range(scores.shape[1])]


def ranking_scores(ranked: list[ClassRanking], weights: Floats) -> dict[str, Floats]:
    """``auroc`` and ``average_precision`` of each class, ``[C, B]``."""
    both = [ranking.scores(weights) for ranking in ranked]
    return {
        "auroc": np.stack([auroc for auroc, _ in both]),
        "average_precision": np.stack([precision for _, precision in both]),
    }
