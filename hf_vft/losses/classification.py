"""Losses for class ids and for soft targets: cross-entropy, and four that differ from it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

FOCUS = 2.0
"""The gamma of the focal loss that its authors found best."""

NOISE = 0.7
"""The q of generalised cross-entropy that its authors took throughout."""

EFFECTIVE = 0.999
"""The beta of class-balanced weights: from a thousand images on, more of them count little."""


def classification_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean cross-entropy over the batch.

    The mean is over the images, not over the class weights: with weights of mean one the
    loss of a batch does not depend on how the batch was cut up over processes.

    Args:
        logits: ``[B, C]``.
        targets: Class ids ``[B]``, or soft targets ``[B, C]`` that sum to one.
        label_smoothing: In [0, 1); Szegedy et al. 2016.
        class_weights: ``[C]``, or None.

    Returns:
        A scalar.
    """
    return F.cross_entropy(
        logits.float(),
        targets,
        weight=class_weights,
        label_smoothing=label_smoothing,
        reduction="none",
    ).mean()


def focal_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
    gamma: float = FOCUS,
) -> torch.Tensor:
    """The loss of Lin et al. 2017 (https://arxiv.org/abs/1708.02002): easy images count less.

    Args:
        logits: ``[B, C]``.
        targets: Class ids ``[B]``, or soft targets ``[B, C]`` that sum to one.
        label_smoothing: In [0, 1).
        class_weights: ``[C]``, or None.
        gamma: The cross-entropy of an answer of probability p is weighed by ``(1 - p) ** gamma``;
            0 is cross-entropy.

    Returns:
        A scalar, the mean over the images.
    """
    log_probs = F.log_softmax(logits.float(), dim=1)
    marks = _soft(targets, log_probs, label_smoothing, class_weights)
    return -(marks * (1.0 - log_probs.exp()) ** gamma * log_probs).sum(1).mean()


def generalised_cross_entropy(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
    q: float = NOISE,
) -> torch.Tensor:
    """The loss of Zhang and Sabuncu 2018 (https://arxiv.org/abs/1805.07836), for wrong labels.

    An image whose label the model finds unlikely pulls less than under cross-entropy, since the
    label may be wrong.

    Args:
        logits: ``[B, C]``.
        targets: Class ids ``[B]``, or soft targets ``[B, C]`` that sum to one.
        label_smoothing: In [0, 1).
        class_weights: ``[C]``, or None.
        q: In (0, 1]: the loss is ``(1 - p ** q) / q``. Towards 0 it is cross-entropy, and at 1
            the mean absolute error, which wrong labels disturb least and which learns slowest.

    Returns:
        A scalar, the mean over the images.
    """
    log_probs = F.log_softmax(logits.float(), dim=1)
    marks = _soft(targets, log_probs, label_smoothing, class_weights)
    return (marks * (1.0 - (q * log_probs).exp()) / q).sum(1).mean()


def logit_adjusted_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    priors: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
    tau: float = 1.0,
) -> torch.Tensor:
    """Cross-entropy of logits to which log priors are added (Menon et al. 2021).

    What a class's frequency says is added in training alone (https://arxiv.org/abs/2007.07314,
    section 5), so the logits themselves answer as if all classes were equally frequent.

    Args:
        logits: ``[B, C]``.
        targets: Class ids ``[B]``, or soft targets ``[B, C]`` that sum to one.
        priors: Share of each class in the training images ``[C]``, all above 0. None, as in
            evaluation, adds nothing.
        label_smoothing: In [0, 1).
        class_weights: ``[C]``, or None.
        tau: How many times the log priors are added.

    Returns:
        A scalar, the mean over the images.
    """
    shifted = logits.float() if priors is None else logits.float() + tau * priors.log()
    return classification_loss(
        shifted, targets, label_smoothing=label_smoothing, class_weights=class_weights
    )


def balanced_class_weights(counts: Sequence[int]) -> list[float]:
    """Weights inverse to class frequency, of mean one over the training images.

    Args:
        counts: Training images of each class.

    Returns:
        One weight a class; a class without images weighs nothing.
    """
    present = sum(1 for count in counts if count)
    total = sum(counts)
    return [total / (present * count) if count else 0.0 for count in counts]


def effective_class_weights(counts: Sequence[int], beta: float = EFFECTIVE) -> list[float]:
    """Weights inverse to the effective number of images, of mean one over the training images.

    Cui et al. 2019 (https://arxiv.org/abs/1901.05555): n images count as
    ``(1 - beta ** n) / (1 - beta)``, since the more there are, the more they show the same.

    Args:
        counts: Training images of each class.
        beta: In [0, 1): 0 weighs all classes alike, and towards 1 the weights are inverse to
            frequency.

    Returns:
        One weight a class; a class without images weighs nothing.
    """
    raw = [(1.0 - beta) / (1.0 - beta**count) if count else 0.0 for count in counts]
    mean = sum(w * n for w, n in zip(raw, counts, strict=True)) / sum(counts)
    return [weight / mean for weight in raw]


def class_priors(counts: Sequence[int]) -> list[float]:
    """Share of each class in the training images, with one more image of each: none is 0."""
    total = sum(counts) + len(counts)
    return [(count + 1) / total for count in counts]


def _soft(
    targets: torch.Tensor,
    log_probs: torch.Tensor,
    label_smoothing: float,
    class_weights: torch.Tensor | None,
) -> torch.Tensor:
    """Ids or soft targets as ``[B, C]``, smoothed and weighed as `F.cross_entropy` does it."""
    classes = log_probs.shape[1]
    soft = targets if targets.ndim == 2 else F.one_hot(targets, classes)
    marks = soft.to(log_probs) * (1.0 - label_smoothing) + label_smoothing / classes
    return marks if class_weights is None else marks * class_weights
