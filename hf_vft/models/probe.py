"""The converged linear probe: where training starts, and the baseline it has to beat."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from threadpoolctl import threadpool_limits
from torch import nn

from hf_vft.grouping import number_groups

# Inverse strength of the L2 penalty on standardised features, weakest last.
PENALTIES = tuple(10.0**exponent for exponent in (-4, -3.5, -3, -2.5, -2, -1.5, -1, 0))
UNTESTED_PENALTY = 1e-2
# Cross-validation looks at no more pictures than this: the best penalty varies slowly.
CV_LIMIT = 5000
# But of a rare class at no fewer than this, where there are so many.
CV_CLASS_FLOOR = 20


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regression on features, in the units of the features themselves.

    Attributes:
        weight: ``[C, D]``.
        bias: ``[C]``.
        penalty: The chosen inverse regularisation strength.
        cv_log_loss: Mean log loss in cross-validation, nats; None if there were too few
            pictures to cross-validate, and the penalty is a usual one.
    """

    weight: np.ndarray
    bias: np.ndarray
    penalty: float
    cv_log_loss: float | None

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Features ``[N, D]`` to logits ``[N, C]``."""
        return np.asarray(features @ self.weight.T + self.bias)

    def copy_to(self, linear: nn.Linear) -> None:
        """Make ``linear`` compute the same logits."""
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(self.weight))
            linear.bias.copy_(torch.from_numpy(self.bias))


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
        folds: At most; fewer where the smallest class has fewer pictures. Of a class with a
            single picture or group every fold learns, and none is tested on it.
        groups: One per picture; a group is never on both sides of a fold, and a picture whose
            group is None is a group of its own.
        balanced: Weigh classes inversely to their frequency.
        seed: Of the folds.

    Returns:
        The probe, with the standardisation folded into its weights.
    """
    mean, scale = standardisation(features)
    standard = ((features - mean) / scale).astype(np.float64)
    splits = _folds(labels, groups, folds, seed)
    # The products are small: on busy cores several threads wait for each other most of the time.
    with threadpool_limits(1):
        best, loss = _best_penalty(standard, labels, splits, balanced)
        model = _fit(standard, labels, best, balanced)
    weight, bias = _full(model, num_classes)
    weight = weight / scale
    return LinearProbe(
        weight=weight.astype(np.float32),
        bias=(bias - weight @ mean).astype(np.float32),
        penalty=best,
        cv_log_loss=loss,
    )


def transfer_losses(
    plain: np.ndarray,
    changed: Mapping[str, np.ndarray],
    labels: np.ndarray,
    *,
    folds: int = 5,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """How well a probe of plain pictures knows held-out pictures that were changed.

    Args:
        plain: Features ``[N, D]``, the only ones that are learned from.
        changed: Name of the change to the features of the same pictures, ``[N, D]``.
        labels: Class ids ``[N]``.
        folds: Of the cross-validation, at most.
        groups: One per picture; a group is never on both sides of a fold.
        seed: Of the folds.

    Returns:
        Log loss in nats, each class weighing the same, by change; that of the plain pictures is
        under ``""``. Empty where there are too few pictures to cross-validate.
    """
    mean, scale = standardisation(plain)
    splits = _folds(labels, groups, folds, seed)
    if not splits:
        return {}
    features = {name: (x - mean) / scale for name, x in {"": plain, **changed}.items()}
    truth = np.concatenate([labels[test] for _, test in splits])
    weights = 1.0 / np.bincount(truth)[truth]
    answers: dict[str, list[np.ndarray]] = {name: [] for name in ("", *changed)}
    with threadpool_limits(1):
        penalty, _ = _best_penalty(features[""], labels, splits, True)
        for train, test in splits:
            model = _fit(features[""][train], labels[train], penalty, True)
            for name, x in features.items():
                answers[name].append(model.predict_proba(x[test]))
    classes = np.unique(labels)
    return {
        name: float(log_loss(truth, np.concatenate(found), labels=classes, sample_weight=weights))
        for name, found in answers.items()
    }


def held_out_logits(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    folds: int = 5,
    groups: Sequence[Any] | None = None,
    balanced: bool = True,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """What probes answer on the pictures that they were not fitted to.

    One penalty is chosen for all folds, so the answers are a little better than nested
    cross-validation would have them: by less than their spread, and for all backbones alike.

    Args:
        features: ``[N, D]``.
        labels: Class ids ``[N]``.
        num_classes: C.
        folds: At most.
        groups: One per picture; a group is never on both sides of a fold.
        balanced: Weigh classes inversely to their frequency.
        seed: Of the folds.

    Returns:
        Rows ``[M]`` of the pictures that were held out once, and their logits ``[M, C]``; both
        empty where a class has too few pictures to be on both sides.
    """
    mean, scale = standardisation(features)
    standard = ((features - mean) / scale).astype(np.float64)
    splits = _folds(labels, groups, folds, seed)
    if not splits:
        return np.empty(0, dtype=int), np.empty((0, num_classes))
    logits = []
    with threadpool_limits(1):
        penalty, _ = _best_penalty(standard, labels, splits, balanced)
        for train, test in splits:
            weight, bias = _full(
                _fit(standard[train], labels[train], penalty, balanced), num_classes
            )
            logits.append(standard[test] @ weight.T + bias)
    return np.concatenate([test for _, test in splits]), np.concatenate(logits)


def standardisation(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale ``[D]``; what does not vary is scaled to nothing."""
    mean, scale = features.mean(0), features.std(0)
    return mean, np.where(scale > 1e-8 * max(float(scale.max()), 1e-12), scale, np.inf)


def _best_penalty(
    x: np.ndarray, y: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]], balanced: bool
) -> tuple[float, float | None]:
    """The penalty of least cross-validated log loss, and that loss."""
    if not splits:
        return UNTESTED_PENALTY, None
    losses = {penalty: _cv_loss(x, y, splits, penalty, balanced) for penalty in PENALTIES}
    best = min(losses, key=lambda penalty: losses[penalty])
    return best, losses[best]


def _fit(x: np.ndarray, y: np.ndarray, penalty: float, balanced: bool) -> LogisticRegression:
    model = LogisticRegression(
        C=penalty, class_weight="balanced" if balanced else None, max_iter=2000, tol=1e-5
    )
    with warnings.catch_warnings():
        # Seen only with next to no penalty, which cross-validation then does not choose.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y)


def _full(model: LogisticRegression, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of every class; scikit-learn keeps one row for two classes."""
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weight, bias = np.stack([-weight[0], weight[0]]) / 2, np.stack([-bias[0], bias[0]]) / 2
    full_weight = np.zeros((num_classes, weight.shape[1]))
    full_bias = np.full(num_classes, bias.min() - 10.0)
    full_weight[model.classes_], full_bias[model.classes_] = weight, bias
    return full_weight, full_bias


def _folds(
    labels: np.ndarray, groups: Sequence[Any] | None, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of indices to learn from and to test on; none where fewer than two classes divide."""
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
    """Indices of about ``CV_LIMIT`` pictures with the classes in proportion, none left out."""
    if len(labels) <= CV_LIMIT:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = [order[labels[order] == label] for label in np.unique(labels)]
    share = CV_LIMIT / len(labels)
    return np.sort(
        np.concatenate([part[: max(round(len(part) * share), CV_CLASS_FLOOR)] for part in parts])
    )


def _cv_loss(
    x: np.ndarray,
    y: np.ndarray,
    splits: list[tuple[np.ndarray, np.ndarray]],
    penalty: float,
    balanced: bool,
) -> float:
    """Log loss over all folds together; each class weighs the same if ``balanced``."""
    truth, scores = [], []
    for train, test in splits:
        model = _fit(x[train], y[train], penalty, balanced)
        scores.append(model.predict_proba(x[test]))
        truth.append(y[test])
    if not truth:
        return float("inf")
    targets = np.concatenate(truth)
    weights = 1.0 / np.bincount(targets)[targets] if balanced else None
    labels = np.unique(y)
    return float(log_loss(targets, np.concatenate(scores), labels=labels, sample_weight=weights))
