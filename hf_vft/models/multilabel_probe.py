"""The converged linear probe for several labels an image: a logistic regression a class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.special import log_expit
from threadpoolctl import threadpool_limits

from hf_vft.models.logistic import (
    CV_LIMIT,
    Fold,
    LinearProbe,
    best_penalty,
    converged_probe,
    fit_logistic,
    standardisation,
)

ABSENT = -10.0
"""Logit of a class that no image shows; its opposite for one that all of them show."""


def fit_multilabel_probe(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    folds: int = 5,
    groups: Sequence[Any] | None = None,
    balanced: bool = True,
    seed: int = 0,
) -> LinearProbe:
    """Fit to convergence with L-BFGS, one penalty for all classes by cross-validated log loss.

    Args:
        features: ``[N, D]``.
        labels: 0 and 1 ``[N, C]``.
        num_classes: C.
        folds: At most; fewer where there are fewer images or groups.
        groups: One per image; a group is never on both sides of a fold.
        balanced: Weigh the images that show a class and those that do not alike.
        seed: Of the folds.

    Returns:
        The probe, with the standardisation folded into its weights.
    """
    splits = _folds(len(labels), groups, folds, seed)

    def fit(x: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        return _fit(x, labels, penalty, balanced)

    return converged_probe(features, fit, _cv_loss(labels, splits, balanced))


def held_out_multilabel_logits(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    folds: int = 5,
    groups: Sequence[Any] | None = None,
    balanced: bool = True,
    penalty: float | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of probes on the images that they were not fitted to.

    As `hf_vft.models.probe.held_out_logits`, for several labels an image.

    Args:
        features: ``[N, D]``.
        labels: 0 and 1 ``[N, C]``.
        folds: At most.
        groups: One per image; a group is never on both sides of a fold.
        balanced: Weigh the images that show a class and those that do not alike.
        penalty: Of all folds; None chooses that of least log loss.
        seed: Of the folds.

    Returns:
        Rows ``[M]`` of the images that were held out once, and their logits ``[M, C]``; both
        empty where there is nothing to divide.
    """
    splits = _folds(len(labels), groups, folds, seed)
    if not splits:
        return np.empty(0, dtype=int), np.empty((0, labels.shape[1]))
    mean, scale = standardisation(features)
    standard = ((features - mean) / scale).astype(np.float64)
    with threadpool_limits(1):
        if penalty is None:
            penalty, _ = best_penalty(standard, _cv_loss(labels, splits, balanced))
        logits = [_held_out(standard, labels, fold, penalty, balanced) for fold in splits]
    return np.concatenate([test for _, test in splits]), np.concatenate(logits)


def _fit(
    x: np.ndarray, labels: np.ndarray, penalty: float, balanced: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Weights ``[C, D]`` and biases ``[C]``."""
    weight, bias = np.zeros((labels.shape[1], x.shape[1])), np.zeros(labels.shape[1])
    for c, marks in enumerate(labels.T):
        if marks.min() == marks.max():
            bias[c] = -ABSENT if marks.max() else ABSENT
            continue
        model = fit_logistic(x, marks, penalty, balanced)
        weight[c], bias[c] = model.coef_[0], model.intercept_[0]
    return weight, bias


def _held_out(
    x: np.ndarray, labels: np.ndarray, fold: Fold, penalty: float, balanced: bool
) -> np.ndarray:
    """Logits of the images of a fold that are tested on."""
    train, test = fold
    weight, bias = _fit(x[train], labels[train], penalty, balanced)
    logits: np.ndarray = x[test] @ weight.T + bias
    return logits


def _cv_loss(
    labels: np.ndarray, splits: list[Fold], balanced: bool
) -> Callable[[np.ndarray, float], float] | None:
    """A function from features and a penalty to the cross-validated log loss."""
    return partial(_log_loss, labels, splits, balanced) if splits else None


def _log_loss(
    labels: np.ndarray, splits: list[Fold], balanced: bool, x: np.ndarray, penalty: float
) -> float:
    """Mean over the classes; present and absent weigh the same if ``balanced``."""
    scores = np.concatenate([_held_out(x, labels, fold, penalty, balanced) for fold in splits])
    marks = np.concatenate([labels[test] for _, test in splits])
    losses = -np.where(marks > 0, log_expit(scores), log_expit(-scores))
    if not balanced:
        return float(losses.mean())
    halves = [
        np.mean([losses[marks[:, c] == v, c].mean() for v in (0, 1) if (marks[:, c] == v).any()])
        for c in range(marks.shape[1])
    ]
    return float(np.mean(halves))


def _folds(n: int, groups: Sequence[Any] | None, folds: int, seed: int) -> list[Fold]:
    """Index pairs, of no more images than needed; none where there is nothing to divide."""
    from sklearn.model_selection import GroupKFold, KFold

    chosen = np.sort(np.random.default_rng(seed).permutation(n)[:CV_LIMIT])
    g = np.asarray(groups)[chosen] if groups is not None else None
    folds = min(folds, len(chosen) if g is None else len(np.unique(g)))
    if folds < 2:
        return []
    kind = KFold if g is None else GroupKFold
    splitter = kind(folds, shuffle=True, random_state=seed)
    return [(chosen[a], chosen[b]) for a, b in splitter.split(chosen, groups=g)]
