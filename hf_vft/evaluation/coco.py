"""The scores of COCO through faster-coco-eval, which counts as pycocotools does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hf_vft.evaluation.box_matching import Boxes

STATS = (
    "map", "map50", "map75", "map_small", "map_medium", "map_large",
    "mar_1", "mar_10", "mar_100", "mar_small", "mar_medium", "mar_large",
)  # fmt: skip
"""The twelve figures of COCO, in its order."""


def coco_scores(
    truths: Sequence[Boxes], predicted: Sequence[Boxes], n_classes: int
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The twelve figures, and two of each class.

    Args:
        truths: Of each image.
        predicted: Of each image, with scores.
        n_classes: C.

    Returns:
        By name, NaN where undefined; and ``ap`` and ``ap50`` of each class ``[C]``.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    truth = COCO(as_coco(truths, n_classes))
    evaluator = COCOeval_faster(
        truth, truth.loadRes(coco_results(predicted)), iouType="bbox", print_function=_silent
    )
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    stats = [float(value) for value in evaluator.stats[: len(STATS)]]
    overall = {k: v if v >= 0 else float("nan") for k, v in zip(STATS, stats, strict=True)}
    # [IoU, recall, class, area, most boxes]; -1 stands for undefined.
    precision = np.asarray(evaluator.eval["precision"], dtype=np.float64)[:, :, :, 0, -1]
    precision = np.where(precision < 0, np.nan, precision)
    return overall, {"ap": precision.mean((0, 1)), "ap50": precision[0].mean(0)}


def as_coco(truths: Sequence[Boxes], n_classes: int) -> dict[str, Any]:
    """True boxes as a COCO data set; images and annotations are numbered from 1."""
    annotations = [
        {
            "id": 0,
            "image_id": number,
            "category_id": int(c),
            "bbox": _xywh(box),
            "area": float((box[2] - box[0]) * (box[3] - box[1])),
            "iscrowd": 0,
        }
        for number, truth in enumerate(truths, start=1)
        for box, c in zip(truth.corners, truth.classes, strict=True)
    ]
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    return {
        "info": {},
        "images": [{"id": number} for number in range(1, len(truths) + 1)],
        "categories": [{"id": c, "name": str(c)} for c in range(n_classes)],
        "annotations": annotations,
    }


def coco_results(predicted: Sequence[Boxes]) -> list[dict[str, Any]]:
    """Found boxes as COCO results."""
    return [
        {"image_id": number, "category_id": int(c), "bbox": _xywh(box), "score": float(score)}
        for number, answer in enumerate(predicted, start=1)
        for box, c, score in zip(answer.corners, answer.classes, answer.scores, strict=True)
    ]


def _xywh(box: np.ndarray) -> list[float]:
    left, top, right, bottom = map(float, box)
    return [left, top, right - left, bottom - top]


def _silent(*_: object, **__: object) -> None:
    """faster-coco-eval would print its table."""
