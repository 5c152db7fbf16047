"""Losses for images of several classes: one yes-or-no question for each class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

MOST = 20.0
"""The most that a mark of a rare class counts against one of its absence."""


def binary_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean binary cross-entropy over images and classes.

    Args:
        logits: ``[B, C]``.
        targets: 0 and 1 ``[B, C]``, or in between where images were mixed.
        label_smoothing: In [0, 1); moves targets towards a half.
        class_weights: Weight of a class where it is present ``[C]``, or None.

    Returns:
        A scalar.
    """
    return F.binary_cross_entropy_with_logits(
        logits.float(), _smoothed(targets, label_smoothing), pos_weight=class_weights
    )


def asymmetric_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
    gamma_absent: float = 4.0,
    gamma_present: float = 1.0,
    clip: float = 0.05,
) -> torch.Tensor:
    """The loss of Ridnik et al. 2021 (ASL, https://arxiv.org/abs/2009.14119), mean over all.

    Most labels are absent, and most of those are easy: their share of the loss is focused on the
    hard ones more strongly than that of the present ones, and those answered with less than
    ``clip`` count nothing.

    Args:
        logits: ``[B, C]``.
        targets: 0 and 1 ``[B, C]``, or in between where images were mixed.
        label_smoothing: In [0, 1); moves targets towards a half.
        class_weights: Weight of a class where it is present ``[C]``, or None.
        gamma_absent: Focus on absent labels that are hard.
        gamma_present: Focus on present labels that are hard.
        clip: Probability below which an absent label is taken for learned.

    Returns:
        A scalar; with both gammas and ``clip`` at 0 it is `binary_loss`.
    """
    logits, targets = logits.float(), _smoothed(targets, label_smoothing)
    present = torch.sigmoid(logits)
    absent = (1.0 - present + clip).clamp(max=1.0)
    positive = targets * F.logsigmoid(logits) * (1.0 - present) ** gamma_present
    # Without a margin the logarithm is taken of the logit, which loses no digits.
    log_absent = F.logsigmoid(-logits) if clip == 0 else absent.clamp(min=1e-8).log()
    negative = (1.0 - targets) * log_absent * (1.0 - absent) ** gamma_absent
    if class_weights is not None:
        positive = positive * class_weights
    return -(positive + negative).mean()


def positive_weights(counts: Sequence[int], images: int) -> list[float]:
    """Ratio of absence to presence of each class, at most 20.

    Args:
        counts: Training images that show each class.
        images: Training images in all.
    """
    return [min(max((images - n) / max(n, 1), 1.0 / MOST), MOST) for n in counts]


def _smoothed(targets: torch.Tensor, label_smoothing: float) -> torch.Tensor:
    return targets.float() * (1.0 - label_smoothing) + 0.5 * label_smoothing
