"""Which linear head to put on a frozen backbone when classes have a handful of images.

Several heads are fitted to the features of several augmented views of each image. Cross-fitting on
the training images compares them, since ten validation images cannot. What is delivered is one
linear layer, and never one that cross-fitting finds worse than the linear probe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from hf_vft.models.linear_heads import cosine_prototypes, discriminant, prototypes
from hf_vft.models.logistic import (
    Fold,
    LinearHead,
    LinearProbe,
    fit_logistic,
    standardisation,
)
from hf_vft.models.probe import full_rows, stratified_folds

PROBE, PROTOTYPES, COSINE = "linear probe", "prototypes", "cosine prototypes"
VIEWS, MACHINE = "probe of all views", "linear SVM"
DISCRIMINANTS = {f"discriminant shrunken by {share:g}": share for share in (0.01, 0.03, 0.1, 0.3)}
MEAN, NEIGHBOURS = "mean of the heads", "nearest neighbours"

UNTESTED = "discriminant shrunken by 0.1"
"""Taken where nothing can be held out."""

MIXED = (PROBE, VIEWS, MACHINE, "discriminant shrunken by 0.03", "discriminant shrunken by 0.1")
"""Heads in the mean."""

SVM_C = 1e-3

FOLDS, ROUNDS = 5, 3
"""Of the cross-fitting: one division of a few dozen images is a matter of chance."""

K = 3
"""Neighbours that vote."""

Fit = Callable[[np.ndarray, np.ndarray, int], LinearHead]
"""From features, labels ``[N]`` and C to a head: ``[V, N, D]`` in the units of the features, or
``[N, D]`` standardised."""

Answers = dict[str, np.ndarray]
"""Logits ``[M, C]`` of held-out images, by head; the labels ``[M]`` are under ``TRUTH``."""

TRUTH = ""


@dataclass(frozen=True)
class Compared:
    """A head, and what it answers on training images that it was not fitted to.

    Attributes:
        name: For people.
        score: Macro F1, the mean of the rounds; None where nothing could be held out.
        log_loss: In nats at the best temperature, every class weighing the same.
        linear: Whether it is one linear layer, so that it can be delivered.
    """

    name: str
    score: float | None
    log_loss: float | None
    linear: bool = True


@dataclass(frozen=True)
class FewShot:
    """What was chosen.

    Attributes:
        name: Of the head.
        head: In the units of the features.
        compared: Every head, the best first.
        reason: In a sentence without its full stop.
    """

    name: str
    head: LinearHead
    compared: list[Compared]
    reason: str


def few_shot_head(
    views: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    probe: LinearProbe,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
) -> FewShot:
    """Fit all heads, compare them by cross-fitting, and take the best one.

    Args:
        views: Features ``[V, N, D]``; the first view is the image as it is, and held-out images
            are seen in it alone.
        labels: Class ids ``[N]``; every class is present.
        num_classes: C.
        probe: The linear probe of the first view; no worse head is taken.
        groups: One per image; a group is never on both sides of a fold.
        seed: Of the folds.
    """
    with threadpool_limits(1):
        heads = {
            name: fit(views, labels, num_classes) for name, fit in _fits(probe, len(views)).items()
        }
        heads[PROBE] = probe
        rounds = [stratified_folds(labels, groups, FOLDS, seed + n) for n in range(ROUNDS)]
        if not all(rounds):
            return _untested(heads)
        held = [_held_out(views, labels, num_classes, probe, folds) for folds in rounds]
    scales = {name: _scale(name, held) for name in heads}
    for answers in held:
        answers[MEAN] = np.mean([scales[name] * answers[name] for name in MIXED], axis=0)
    heads[MEAN] = _mixed(heads, scales)
    compared = [_compared(name, held) for name in (*heads, NEIGHBOURS)]
    return _chosen(heads, sorted(compared, key=_order), held)


def _fits(probe: LinearProbe, views: int) -> dict[str, Fit]:
    """Every linear head but the mean, by name."""
    discriminants: dict[str, Fit] = {
        name: partial(_on_all, partial(discriminant, shrinkage=share), one_scale=True)
        for name, share in DISCRIMINANTS.items()
    }
    return {
        PROBE: partial(_on_first, partial(_logistic, penalty=probe.penalty)),
        VIEWS: partial(_on_all, partial(_logistic, penalty=probe.penalty / views)),
        PROTOTYPES: partial(_on_all, prototypes),
        COSINE: partial(_on_all, cosine_prototypes),
        MACHINE: partial(_on_all, _support_vectors),
        **discriminants,
    }


def _on_all(
    fit: Fit, views: np.ndarray, labels: np.ndarray, num_classes: int, *, one_scale: bool = False
) -> LinearHead:
    """Fit to all views, each an image of its own."""
    every, repeated = views.reshape(-1, views.shape[-1]), np.tile(labels, len(views))
    return _standardised(fit, every, repeated, num_classes, one_scale=one_scale)


def _on_first(fit: Fit, views: np.ndarray, labels: np.ndarray, num_classes: int) -> LinearHead:
    return _standardised(fit, views[0], labels, num_classes)


def _standardised(
    fit: Fit,
    features: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    *,
    one_scale: bool = False,
) -> LinearHead:
    """Fit to standardised features, and fold the standardisation into the head.

    With one scale for all features, those that vary much keep their weight: what a discriminant
    is shrunken towards then is how the backbone itself measures distance.
    """
    mean, scale = standardisation(features)
    if one_scale:
        scale = np.full_like(mean, np.sqrt(features.var(0).mean()) or np.inf)
    head = fit(((features - mean) / scale).astype(np.float64), labels, num_classes)
    weight = head.weight / scale
    return LinearHead(weight, head.bias - weight @ mean)


def _logistic(
    features: np.ndarray, labels: np.ndarray, num_classes: int, *, penalty: float
) -> LinearHead:
    return LinearHead(*full_rows(fit_logistic(features, labels, penalty, True), num_classes))


def _support_vectors(features: np.ndarray, labels: np.ndarray, num_classes: int) -> LinearHead:
    """Linear support vector machines, one class against the rest."""
    from sklearn.svm import LinearSVC

    # In the dual there is a variable an image and not one a feature.
    machine = LinearSVC(C=SVM_C, class_weight="balanced", dual=True, random_state=0)
    return LinearHead(*full_rows(machine.fit(features, labels), num_classes))


def _held_out(
    views: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    probe: LinearProbe,
    folds: list[Fold],
) -> Answers:
    found: dict[str, list[np.ndarray]] = {}
    for train, test in folds:
        plain = views[0, test]
        for name, fit in _fits(probe, len(views)).items():
            head = fit(views[:, train], labels[train], num_classes)
            found.setdefault(name, []).append(head.logits(plain))
        votes = _votes(views[:, train], labels[train], plain, num_classes)
        found.setdefault(NEIGHBOURS, []).append(votes)
        found.setdefault(TRUTH, []).append(labels[test])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _votes(
    views: np.ndarray, labels: np.ndarray, plain: np.ndarray, num_classes: int
) -> np.ndarray:
    """Log shares of the nearest images' classes ``[M, C]``; an image is as near as its best view.

    No linear layer answers so, which is why it is compared and not delivered.
    """
    mean = views[0].mean(0)
    unit, asked = (_unit(x - mean) for x in (views, plain))
    closeness = np.einsum("vnd,md->vmn", unit, asked).max(0)
    k = min(K, len(labels))
    near = np.argsort(-closeness, axis=1)[:, :k]
    weights = 1 + 1e-3 * np.take_along_axis(closeness, near, axis=1)
    shares = np.einsum("mk,mkc->mc", weights, np.eye(num_classes)[labels[near]]) / k
    logs: np.ndarray = np.log(shares + 0.5 / num_classes)
    return logs


def _unit(x: np.ndarray) -> np.ndarray:
    unit: np.ndarray = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    return unit


def _weights(labels: np.ndarray) -> np.ndarray:
    """Of images, so that every class weighs the same; they sum to one."""
    weights = 1.0 / np.bincount(labels)[labels]
    share: np.ndarray = weights / weights.sum()
    return share


def _loss(logits: np.ndarray, labels: np.ndarray) -> float:
    losses = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    return float(losses @ _weights(labels))


def _scale(name: str, held: Sequence[Answers]) -> float:
    """The factor (one over the temperature) at which the answers' log loss is least."""
    spread = float(np.mean([answers[name].std() for answers in held])) or 1.0
    scales = np.geomspace(0.03, 30.0, 61) / spread
    return float(
        min(scales, key=lambda s: float(np.mean([_loss(s * a[name], a[TRUTH]) for a in held])))
    )


def _mixed(heads: dict[str, LinearHead], scales: dict[str, float]) -> LinearHead:
    """The mean of the calibrated logits of some heads, which is a linear layer, too."""
    weight = np.mean([scales[name] * heads[name].weight for name in MIXED], axis=0)
    bias = np.mean([scales[name] * heads[name].bias for name in MIXED], axis=0)
    return LinearHead(weight, bias)


def _compared(name: str, held: Sequence[Answers]) -> Compared:
    from sklearn.metrics import f1_score

    scores = [f1_score(a[TRUTH], a[name].argmax(1), average="macro") for a in held]
    scale = _scale(name, held)
    loss = float(np.mean([_loss(scale * a[name], a[TRUTH]) for a in held]))
    return Compared(name, float(np.mean(scores)), loss, name != NEIGHBOURS)


def _order(head: Compared) -> tuple[float, float]:
    """By macro F1: of few images the log loss prefers heads that are unsure to those that know."""
    return -round(head.score or 0.0, 6), head.log_loss or 0.0


def _untested(heads: dict[str, LinearHead]) -> FewShot:
    """With a single image of a class nothing can be held out."""
    compared = [Compared(name, None, None) for name in heads]
    reason = "a class has a single image, or group, so nothing could be held out to compare heads"
    return FewShot(UNTESTED, heads[UNTESTED], compared, reason)


def _chosen(
    heads: dict[str, LinearHead], compared: list[Compared], held: Sequence[Answers]
) -> FewShot:
    """The linear head of the best macro F1; it is never below the probe's, which is one of them."""
    probe = next(head for head in compared if head.name == PROBE)
    best = next(head for head in compared if head.linear)
    images = len(held[0][TRUTH])
    reason = (
        f"cross-fitted {len(held)} times on {images} training images it has macro F1 "
        f"{best.score:.3f} and log loss {best.log_loss:.3f}; the linear probe {probe.score:.3f} "
        f"and {probe.log_loss:.3f}"
    )
    if best.name == PROBE:
        reason = "cross-fitting on the training images found no head that is better"
    return FewShot(best.name, heads[best.name], compared, reason)
