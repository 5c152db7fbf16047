"""mAP of boxes as an `evaluate.Metric`, without a network.

>>> metric = MeanAveragePrecision()
>>> metric.add_batch(predictions=[{"boxes": [[0, 0, 9, 9]], "scores": [0.9], "labels": [0]}],
...                  references=[{"boxes": [[0, 0, 9, 9]], "labels": [0]}])
>>> metric.compute()["map50"]
1.0
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import datasets
import evaluate
import numpy as np

from hf_vft.errors import DataError
from hf_vft.evaluation.box_matching import Boxes
from hf_vft.evaluation.detection import evaluate_detections

_INPUTS = """
Args:
    predictions: For each image boxes (left, top, right, bottom in pixels), scores and labels
        (class ids).
    references: For each image boxes and labels.
    threshold: Score from which on a box is an answer, for precision, recall, F1 and mean IoU.
    interval: Add the ends of the 95 % bootstrap interval over images as NAME_low and NAME_high.
    clusters: One value per image; those that share one are resampled together.
    n_bootstrap: Resamples behind the interval.
    seed: Of the resamples.
Returns:
    COCO's twelve figures, those at the threshold, and ap_per_class and ap50_per_class.
"""


class MeanAveragePrecision(evaluate.Metric):  # type: ignore[misc]  # evaluate carries no types
    """COCO's scores through faster-coco-eval, which agree with pycocotools to 1e-6.

    With ``num_process`` and ``process_id`` every process adds its own images and the first one
    scores all of them, as with any metric of `evaluate`.
    """

    def __init__(self, *args: Any, keep_in_memory: bool | None = None, **kwargs: Any) -> None:
        if keep_in_memory is None:
            keep_in_memory = kwargs.get("num_process", 1) == 1
        super().__init__(*args, keep_in_memory=keep_in_memory, **kwargs)

    def _info(self) -> evaluate.MetricInfo:
        numbers = datasets.Sequence(datasets.Value("float64"))
        ids = datasets.Sequence(datasets.Value("int64"))
        truth = {"boxes": datasets.Sequence(numbers), "labels": ids}
        return evaluate.MetricInfo(
            description="Mean average precision of boxes, as COCO has it.",
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": {**truth, "scores": numbers}, "references": truth}
            ),
            reference_urls=["https://cocodataset.org/#detection-eval"],
        )

    def _compute(
        self,
        predictions: Sequence[Any],
        references: Sequence[Any],
        *,
        threshold: float = 0.5,
        interval: bool = False,
        clusters: Sequence[Hashable] | None = None,
        n_bootstrap: int = 1000,
        seed: int = 0,
    ) -> dict[str, Any]:
        answers = [_boxes(item, item["scores"]) for item in predictions]
        truths = [_boxes(item, [1.0] * len(item["labels"])) for item in references]
        n_classes = 1 + max(
            (int(b.classes.max(initial=-1)) for b in (*answers, *truths)), default=-1
        )
        result = evaluate_detections(
            truths,
            answers,
            [str(c) for c in range(max(n_classes, 1))],
            thresholds=[threshold] * max(n_classes, 1),
            n_bootstrap=n_bootstrap if interval else 0,
            seed=seed,
            clusters=clusters,
        )
        scores: dict[str, Any] = {}
        for name, estimate in result.metrics.items():
            scores[name] = _nan_if_none(estimate.value)
            if interval:
                scores[f"{name}_low"] = _nan_if_none(estimate.low)
                scores[f"{name}_high"] = _nan_if_none(estimate.high)
        for name in ("ap", "ap50"):
            scores[f"{name}_per_class"] = [
                _nan_if_none(item.metrics[name].value) for item in result.per_class.values()
            ]
        return scores


def _boxes(item: Mapping[str, Any], scores: object) -> Boxes:
    corners = np.asarray(item["boxes"], dtype=np.float64).reshape(-1, 4)
    classes = np.asarray(item["labels"], dtype=np.int64)
    values = np.asarray(scores, dtype=np.float64)
    if not len(corners) == len(classes) == len(values):
        raise DataError(
            f"{len(corners)} boxes, {len(classes)} labels and {len(values)} scores in one image; "
            "give one each."
        )
    if len(classes) and classes.min() < 0:
        raise DataError("Labels have to be class ids from 0 on.")
    return Boxes(corners, classes, values)


def _nan_if_none(value: float | None) -> float:
    return float("nan") if value is None else value
