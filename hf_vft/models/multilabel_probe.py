"""The converged linear probe for several labels a picture: a logistic regression a class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import log_expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold
from threadpoolctl import threadpool_limits

from hf_vft.models.probe import CV_LIMIT, PENALTIES, UNTESTED_PENALTY, LinearProbe, standardisation

ABSENT = -10.0
"""Logit of a class that no picture shows; its opposite for one that all of them show."""

Fold = tuple[np.ndarray, np.ndarray]


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
        folds: At most; fewer where there are fewer pictures or groups.
        groups: One per picture; a group is never on both sides of a fold.
        balanced: Weigh the pictures that show a class and those that do not alike.
        seed: Of the folds.

    Returns:
        The probe, with the standardisation folded into its weights.
    """
    mean, scale = standardisation(features)
    standard = ((features - mean) / scale).astype(np.float64)
    splits = _folds(len(labels), groups, folds, seed)
    with threadpool_limits(1):
        losses = {p: _cv_loss(standard, labels, splits, p, balanced) for p in PENALTIES}
        best = min(losses, key=lambda p: losses[p]) if splits else UNTESTED_PENALTY
        weight, bias = _fit(standard, labels, best, balanced)
    weight = weight / scale
    return LinearProbe(
        weight=weight.astype(np.float32),
        bias=(bias - weight @ mean).astype(np.float32),
        penalty=best,
        cv_log_loss=losses[best] if splits else None,
    )


def _fit(
    x: np.ndarray, labels: np.ndarray, penalty: float, balanced: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Weights ``[C, D]`` and biases ``[C]``."""
    weight, bias = np.zeros((labels.shape[1], x.shape[1])), np.zeros(labels.shape[1])
    for c, marks in enumerate(labels.T):
        if marks.min() == marks.max():
            bias[c] = -ABSENT if marks.max() else ABSENT
            continue
        model = LogisticRegression(
            C=penalty, class_weight="balanced" if balanced else None, max_iter=2000, tol=1e-5
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, marks)
        weight[c], bias[c] = model.coef_[0], model.intercept_[0]
    return weight, bias


def _cv_loss(
    x: np.ndarray, labels: np.ndarray, splits: list[Fold], penalty: float, balanced: bool
) -> float:
    """Mean over the classes; present and absent weigh the same if ``balanced``."""
    if not splits:
        return float("inf")
    logits, truth = [], []
    for train, test in splits:
        weight, bias = _fit(x[train], labels[train], penalty, balanced)
        logits.append(x[test] @ weight.T + bias)
        truth.append(labels[test])
    scores, marks = np.concatenate(logits), np.concatenate(truth)
    losses = -np.where(marks > 0, log_expit(scores), log_expit(-scores))
    if not balanced:
        return float(losses.mean())
    halves = [
        np.mean([losses[marks[:, c] == v, c].mean() for v in (0, 1) if (marks[:, c] == v).any()])
        for c in range(marks.shape[1])
    ]
    return float(np.mean(halves))


def _folds(n: int, groups: Sequence[Any] | None, folds: int, seed: int) -> list[Fold]:
    """Index pairs, of no more pictures than needed; none where there is nothing to divide."""
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[:CV_LIMIT])
    g = np.asarray(groups)[chosen] if groups is not None else None
    folds = min(folds, len(chosen) if g is None else len(np.unique(g)))
    if folds < 2:
        return []
    kind = KFold if g is None else GroupKFold
    splitter = kind(folds, shuffle=True, random_state=seed)
    return [(chosen[a], chosen[b]) for a, b in splitter.split(chosen, groups=g)]
