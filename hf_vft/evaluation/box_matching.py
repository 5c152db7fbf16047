"""Boxes of one image, and which found ones match which true ones.

A found box is right at an overlap if it has at least this IoU with a true box of its class that no
surer box has taken, as COCO counts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hf_vft.evaluation.intervals import Floats, Ints

IOU_THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10)
"""The IoU thresholds of COCO."""

MOST = 100
"""Found boxes of a class that count in one image, the surest first, as in COCO."""


@dataclass(frozen=True)
class Boxes:
    """The true or the predicted boxes of one image.

    Attributes:
        corners: ``[M, 4]`` left, top, right, bottom in pixels.
        classes: Ids ``[M]``.
        scores: ``[M]``; ones for true boxes.
    """

    corners: Floats
    classes: Ints
    scores: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Matches:
    """The matches of the detected boxes of one class with the true ones, the surest first.

    Attributes:
        image: Number of the image each is in ``[N]``.
        score: ``[N]``.
        right: At each of `IOU_THRESHOLDS`, ``bool [N, 10]``.
        iou: With the true box that it has at an overlap of 0.5, else 0 ``[N]``.
        true: Number of true boxes in each image ``[P]``.
    """

    image: Ints
    score: Floats
    right: np.ndarray
    iou: Floats
    true: Ints


def match_all(truths: Sequence[Boxes], predicted: Sequence[Boxes], n_classes: int) -> list[Matches]:
    """Match every image, class by class.

    Args:
        truths: Of each image.
        predicted: Of each image, with scores.
        n_classes: C.
    """
    return [_match_class(truths, predicted, c) for c in range(n_classes)]


def _match_class(truths: Sequence[Boxes], predicted: Sequence[Boxes], c: int) -> Matches:
    images, scores, rights, ious = [], [], [], []
    true = np.zeros(len(truths), dtype=np.int64)
    for number, (truth, answer) in enumerate(zip(truths, predicted, strict=True)):
        real = truth.corners[truth.classes == c]
        mine = np.flatnonzero(answer.classes == c)
        mine = mine[np.argsort(-answer.scores[mine], kind="stable")][:MOST]
        true[number] = len(real)
        right, iou = match(real, answer.corners[mine])
        images.append(np.full(len(mine), number))
        scores.append(answer.scores[mine])
        rights.append(right)
        ious.append(iou)
    score = np.concatenate(scores) if scores else np.zeros(0)
    order = np.argsort(-score, kind="stable")
    return Matches(
        image=np.concatenate(images)[order].astype(np.int64),
        score=score[order],
        right=np.concatenate(rights)[order],
        iou=np.concatenate(ious)[order],
        true=true,
    )


def match(real: Floats, answered: Floats) -> tuple[np.ndarray, Floats]:
    """Match the boxes of one class in one image.

    Args:
        real: ``[M, 4]``.
        answered: ``[N, 4]``, the surest first.

    Returns:
        Which are right at each of `IOU_THRESHOLDS`, ``bool [N, 10]``, and the IoU of those that
        are at 0.5, ``[N]``.
    """
    right = np.zeros((len(answered), len(IOU_THRESHOLDS)), dtype=bool)
    best = np.zeros(len(answered))
    if not len(real) or not len(answered):
        return right, best
    ious = box_iou(answered, real)
    free = np.ones((len(IOU_THRESHOLDS), len(real)), dtype=bool)
    steps = np.arange(len(IOU_THRESHOLDS))
    for row in np.flatnonzero(ious.max(1) >= IOU_THRESHOLDS[0]):
        open_ious = np.where(free, ious[row], -1.0)
        # The last of equals, as pycocotools has it.
        taken = len(real) - 1 - open_ious[:, ::-1].argmax(1)
        hit = open_ious[steps, taken] >= np.minimum(IOU_THRESHOLDS, 1 - 1e-10)
        right[row] = hit
        free[steps[hit], taken[hit]] = False
        if hit[0]:
            best[row] = ious[row, taken[0]]
    return right, best


def box_iou(first: Floats, second: Floats) -> Floats:
    """IoU of every pair, ``[N, M]``, from corners ``[N, 4]`` and ``[M, 4]``."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(2)
    areas = [(b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    iou: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou
