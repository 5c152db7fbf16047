"""The converged linear probe: where training starts, and the baseline it has to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
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
from hf_vft.utils.grouping import number_groups

# Cross-validation looks at no fewer images of a rare class than this, where there are so many.
CV_CLASS_FLOOR = 20


def fit_linear_probe(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    folds: int = 5,
    groups: Sequence[Any] | None = None,
    balanced: bool = True,
    seed: int = 0,
) -> LinearProbe:
    """Fit to convergence with L-BFGS, the penalty chosen by cross-validated log loss.

    Args:
        features: ``[N, D]``.
        labels: Class ids ``[N]``; every class is present.
        num_classes: C.
        folds: At most; fewer where the smallest class has fewer images. Of a class with a
            single image or group every fold learns, and none is tested on it.
        groups: One per image; a group is never on both sides of a fold, and an image whose
            group is None is a group of its own.
        balanced: Weigh classes inversely to their frequency.
        seed: Of the folds.

    Returns:
        The probe, with the standardisation folded into its weights.
    """
    splits = stratified_folds(labels, groups, folds, seed)

    def fit(x: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        return full_rows(fit_logistic(x, labels, penalty, balanced), num_classes)

    return converged_probe(features, fit, _cv_loss(labels, splits, balanced))


def transfer_losses(
    plain: np.ndarray,
    changed: Mapping[str, np.ndarray],
    labels: np.ndarray,
    *,
    folds: int = 5,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Log loss of a probe of unchanged images on held-out images that were changed.

    Args:
        plain: Features ``[N, D]``, the only ones that are learned from.
        changed: Name of the change to the features of the same images, ``[N, D]``.
        labels: Class ids ``[N]``.
        folds: Of the cross-validation, at most.
        groups: One per image; a group is never on both sides of a fold.
        seed: Of the folds.

    Returns:
        Log loss in nats, each class weighing the same, by change; that of the plain images is
        under ``""``. Empty where there are too few images to cross-validate.
    """
    from sklearn.metrics import log_loss

    mean, scale = standardisation(plain)
    splits = stratified_folds(labels, groups, folds, seed)
    if not splits:
        return {}
    features = {name: (x - mean) / scale for name, x in {"": plain, **changed}.items()}
    truth = np.concatenate([labels[test] for _, test in splits])
    weights = 1.0 / np.bincount(truth)[truth]
    answers: dict[str, list[np.ndarray]] = {name: [] for name in ("", *changed)}
    with threadpool_limits(1):
        penalty, _ = best_penalty(features[""], _cv_loss(labels, splits, True))
        for train, test in splits:
            model = fit_logistic(features[""][train], labels[train], penalty, True)
            for name, x in features.items():
                answers[name].append(model.predict_proba(x[test]))
    classes = np.unique(labels)
    return {
        name: float(log_loss(truth, np.concatenate(logits), labels=classes, sample_weight=weights))
        for name, logits in answers.items()
    }


def held_out_logits(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    folds: int = 5,
    groups: Sequence[Any] | None = None,
    balanced: bool = True,
    penalty: float | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of probes on the images that they were not fitted to.

    One penalty is chosen for all folds, so the answers are a little better than nested
    cross-validation would have them: by less than their spread, and for all backbones alike.

    Args:
        features: ``[N, D]``.
        labels: Class ids ``[N]``.
        num_classes: C.
        folds: At most.
        groups: One per image; a group is never on both sides of a fold.
        balanced: Weigh classes inversely to their frequency.
        penalty: Of all folds; None chooses that of least log loss.
        seed: Of the folds.

    Returns:
        Rows ``[M]`` of the images that were held out once, and their logits ``[M, C]``; both
        empty where a class has too few images to be on both sides.
    """
    mean, scale = standardisation(features)
    standard = ((features - mean) / scale).astype(np.float64)
    splits = stratified_folds(labels, groups, folds, seed)
    if not splits:
        return np.empty(0, dtype=int), np.empty((0, num_classes))
    logits = []
    with threadpool_limits(1):
        if penalty is None:
            penalty, _ = best_penalty(standard, _cv_loss(labels, splits, balanced))
        for train, test in splits:
            weight, bias = full_rows(
                fit_logistic(standard[train], labels[train], penalty, balanced), num_classes
            )
            logits.append(standard[test] @ weight.T + bias)
    return np.concatenate([test for _, test in splits]), np.concatenate(logits)


def full_rows(model: Any, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of every class; scikit-learn keeps one row for two classes."""
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weight, bias = np.stack([-weight[0], weight[0]]) / 2, np.stack([-bias[0], bias[0]]) / 2
    full_weight = np.zeros((num_classes, weight.shape[1]))
    full_bias = np.full(num_classes, bias.min() - 10.0)
    full_weight[model.classes_], full_bias[model.classes_] = weight, bias
    return full_weight, full_bias


def stratified_folds(
    labels: np.ndarray, groups: Sequence[Any] | None, folds: int, seed: int
) -> list[Fold]:
    """Pairs of indices to learn from and to test on; none where fewer than two classes divide."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    units = np.arange(len(labels)) if groups is None else number_groups(groups)
    chosen = _stratified_subset(labels, seed)
    y, unit = labels[chosen], units[chosen]
    classes = np.unique(y)
    sizes = np.array([len(np.unique(unit[y == label])) for label in classes])
    divisible = classes[sizes > 1]
    stays = np.isin(unit, unit[~np.isin(y, divisible)])
    kept, free = chosen[stays], chosen[~stays]
    if len(np.unique(labels[free])) < 2:
        return []
    folds = min(folds, int(sizes[sizes > 1].min()), int(np.bincount(labels[free]).max()))
    kind, together = (
        (StratifiedKFold, None) if groups is None else (StratifiedGroupKFold, units[free])
    )
    splitter = kind(folds, shuffle=True, random_state=seed)
    pairs = splitter.split(free, labels[free], together)
    sides = [(np.sort(np.concatenate([free[a], kept])), free[b]) for a, b in pairs]
    # A group that holds most of a class can leave a fold without it.
    return [(a, b) for a, b in sides if len(np.unique(labels[a])) == len(classes)]


def _stratified_subset(labels: np.ndarray, seed: int) -> np.ndarray:
    """Indices of about ``CV_LIMIT`` images with the classes in proportion, none left out."""
    if len(labels) <= CV_LIMIT:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = [order[labels[order] == label] for label in np.unique(labels)]
    share = CV_LIMIT / len(labels)
    return np.sort(
        np.concatenate([part[: max(round(len(part) * share), CV_CLASS_FLOOR)] for part in parts])
    )


def _cv_loss(
    labels: np.ndarray, splits: list[Fold], balanced: bool
) -> Callable[[np.ndarray, float], float] | None:
    """A function from features and a penalty to the cross-validated log loss."""
    return partial(_log_loss, labels, splits, balanced) if splits else None


def _log_loss(
    y: np.ndarray, splits: list[Fold], balanced: bool, x: np.ndarray, penalty: float
) -> float:
    """Mean log loss; every class weighs the same if ``balanced``."""
    from sklearn.metrics import log_loss

    truth, scores = [], []
    for train, test in splits:
        model = fit_logistic(x[train], y[train], penalty, balanced)
        scores.append(model.predict_proba(x[test]))
        truth.append(y[test])
    targets = np.concatenate(truth)
    weights = 1.0 / np.bincount(targets)[targets] if balanced else None
    labels = np.unique(y)
    return float(log_loss(targets, np.concatenate(scores), labels=labels, sample_weight=weights))
