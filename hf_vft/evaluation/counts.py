"""Accuracy, precision, recall and F1 from counts, for many resamples at once."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hf_vft.evaluation.intervals import Floats, Ints


def sum_by(index: Ints, n_rows: int, weights: Floats, values: Floats | None = None) -> Floats:
    """Sum ``weights [N, B]``, times ``values [N]`` if given, per ``index [N]``: ``[n_rows, B]``."""
    n = len(index)
    data = np.ones(n) if values is None else values
    sums: Floats = sparse.csr_matrix((data, (index, np.arange(n))), shape=(n_rows, n)) @ weights
    return sums


def confusion(labels: Ints, predicted: Ints, n_classes: int) -> Ints:
    """Confusion matrix ``[C, C]``; rows are true, columns are predicted."""
    cells = np.bincount(labels * n_classes + predicted, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes)


def count_scores(
    labels: Ints, predicted: Ints, n_classes: int, weights: Floats
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Scores that follow from what was predicted.

    Macro averages run over the classes present (weight above zero) in ``labels``; a class
    that was never predicted counts there with precision 0, as in scikit-learn, though its
    own precision is undefined.

    Args:
        labels: True class ids ``[N]``.
        predicted: Predicted class ids ``[N]``.
        n_classes: C.
        weights: ``[N, B]``; a column per resample.

    Returns:
        Overall scores, each ``[B]``, and scores per class, each ``[C, B]``, NaN where
        undefined: all of a class that is not present, precision of one never predicted.
    """
    right = sum_by(labels, n_classes, weights * (labels == predicted)[:, None])
    support = sum_by(labels, n_classes, weights)
    claimed = sum_by(predicted, n_classes, weights)
    present = support > 0
    recall = ratio(right, support)
    f1 = np.where(present, ratio(2 * right, support + claimed), np.nan)
    precision = np.where(present, ratio(right, claimed), np.nan)

    overall = {
        "accuracy": ratio(right.sum(0), support.sum(0)),
        "balanced_accuracy": macro(recall),
    }
    per_class = {"precision": precision, "recall": recall, "f1": f1}
    for name, values in per_class.items():
        settled = np.where(present, np.nan_to_num(values), np.nan)
        overall[f"{name}_macro"] = macro(settled)
        overall[f"{name}_weighted"] = weighted(settled, support)
    return overall, per_class


def macro(values: Floats) -> Floats:
    """Mean over the classes where ``values [C, B]`` is defined: ``[B]``."""
    defined = ~np.isnan(values)
    return ratio(np.nansum(values, 0), defined.sum(0))


def weighted(values: Floats, support: Floats) -> Floats:
    """Mean by ``support [C, B]`` over the classes where ``values [C, B]`` is defined: ``[B]``."""
    defined = ~np.isnan(values)
    return ratio(np.nansum(values * support, 0), (support * defined).sum(0))


def ratio(above: Floats, below: Floats) -> Floats:
    """Quotient, NaN where there is nothing to divide by."""
    quotient: Floats = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient
