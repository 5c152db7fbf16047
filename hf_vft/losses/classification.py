"""Cross-entropy for class ids and for soft targets."""

from __future__ import annotations

import torch
import torch.nn.functional as F


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


def balanced_class_weights(counts: list[int]) -> list[float]:
    """Weights inverse to class frequency, of mean one over the training images.

    Args:
        counts: Training images of each class.

    Returns:
        One weight a class; a class without images weighs nothing.
    """
    present = sum(1 for count in counts if count)
    total = sum(counts)
    return [total / (present * count) if count else 0.0 for count in counts]
