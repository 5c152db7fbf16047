"""Boxes with a class each.

Outputs are a tuple: scores of every class for each query of the model, ``[N, Q, C]`` in [0, 1], and
their boxes ``[N, Q, 4]``: centre, width and height in shares of the image's sides. Labels of a
batch are ``[B, M, 5]``: class and box, with rows of the class -100 at the end of short ones. So
both are plain arrays, which the Trainer gathers over processes like any others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForObjectDetection, BaseImageProcessor

from hf_vft.data.dataset import DetectionDataset, VisionDataset
from hf_vft.data.transforms.boxes import (
    BoxTransform,
    TrainBoxTransform,
    eval_box_transform,
    padded,
    train_box_transform,
)
from hf_vft.data.transforms.images import stack_pixels
from hf_vft.errors import ModelError, RecipeError
from hf_vft.evaluation.box_matching import Boxes, match_all
from hf_vft.evaluation.detection import (
    choose_box_thresholds,
    evaluate_detections,
    weighted_scores,
)
from hf_vft.evaluation.results import SplitResult
from hf_vft.models.detectors import load_detector
from hf_vft.models.load import Checkpoint, LoadedModel
from hf_vft.recipe.schema import AugmentConfig, EvaluationConfig
from hf_vft.tasks.base import NO_ESTIMATE, Task, config_of
from hf_vft.tasks.predictions import Calibration, DetectedObject, Prediction

if TYPE_CHECKING:  # transformers takes it from its trainer, which brings peft
    from transformers import EvalPrediction

MOST = 100
"""Boxes of an image that are looked at, the surest first."""

FLOOR = 0.05
"""Boxes with a lower score are not even shown to a slider."""

TYPICAL = 100
"""Training boxes that the baseline answers with."""


class ObjectDetection(Task):
    """Detectors of the DETR family and YOLOS, with the losses that transformers gives them."""

    name: ClassVar[str] = "object-detection"
    kind: ClassVar[str] = "boxes"
    primary_metric: ClassVar[str] = "map50"
    epoch_metric_names: ClassVar[tuple[str, ...]] = ("map50", "map")
    losses: ClassVar[tuple[str, ...]] = ("detection",)
    probes: ClassVar[bool] = False
    dataset: ClassVar[type[VisionDataset]] = DetectionDataset
    defaults: ClassVar[tuple[tuple[str, Any, str], ...]] = (
        ("augment.trivial_augment", False, "it moves pixels without telling boxes where to"),
        ("augment.rotation", 0.0, "the box around a turned box is larger than its object"),
        ("augment.erasing", 0.0, "it would hide objects that are still marked"),
        ("augment.mixup_alpha", 0.0, "it is not defined for boxes"),
        ("augment.cutmix_alpha", 0.0, "it is not defined for boxes"),
        ("training.precision", "fp32", "boxes are matched by small differences"),
        NO_ESTIMATE,
    )

    @property
    def auto_class(self) -> Any:
        """``AutoModelForObjectDetection``."""
        return AutoModelForObjectDetection

    def load(self, checkpoint: Checkpoint, **options: Any) -> LoadedModel:
        """A detector, or one built on the backbone of a classifier; of a head what fits stays."""
        options.pop("keep_head", None)
        return load_detector(checkpoint, **options)

    def plain(self, processor: BaseImageProcessor) -> BoxTransform:
        """Apply the checkpoint's processor, without random changes."""
        return eval_box_transform(processor)

    def random(self, processor: BaseImageProcessor, augment: AugmentConfig) -> TrainBoxTransform:
        """Random changes to image and boxes, then the processor."""
        return train_box_transform(processor, augment)

    def collate(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Stack the images, and the boxes padded to the most of one image."""
        batch = {"pixel_values": stack_pixels(rows)}
        if "labels" in rows[0]:
            batch["labels"] = padded([row["labels"] for row in rows])
        return batch

    def forward(
        self, model: nn.Module, inputs: Mapping[str, Any], labels: torch.Tensor, **options: object
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The model's own loss, which knows its auxiliary outputs.

        Raises:
            ModelError: If a training has diverged so far that boxes are no numbers.
        """
        try:
            outputs = model(**inputs, labels=as_targets(labels))
        except ValueError:  # the matching of transformers is the first to see such boxes
            with torch.no_grad():
                if model(**inputs)["pred_boxes"].isfinite().all():
                    raise
            raise ModelError(
                "The training has diverged: the detector's boxes are no numbers any more; lower "
                "the learning_rate of the stage."
            ) from None
        return outputs["loss"], self.answers(outputs, config_of(model))

    def loss(
        self, outputs: Mapping[str, Any], labels: torch.Tensor, **options: object
    ) -> torch.Tensor:
        """Unavailable from outputs alone: the model computes it in `forward`."""
        raise RecipeError(f"{self.name}: the loss is the model's own.")

    def answers(self, outputs: Mapping[str, Any], config: Any) -> dict[str, torch.Tensor]:
        """Scores and boxes; models with a class for nothing use the softmax, others the sigmoid."""
        logits = outputs["logits"].float()
        with_nothing = logits.shape[-1] == config.num_labels + 1
        scores = logits.softmax(-1)[..., :-1] if with_nothing else logits.sigmoid()
        return {"scores": scores, "boxes": outputs["pred_boxes"].float()}

    def outputs(self, predictions: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Scores and boxes in double precision."""
        scores, boxes = predictions
        return np.asarray(scores, dtype=np.float64), np.asarray(boxes, dtype=np.float64)

    def class_weights(self, counts: Sequence[int], images: int) -> list[float]:
        """Always refused: these losses have no class weights."""
        raise RecipeError(f"loss.class_weights: {self.name} has none; leave it at none.")

    def epoch_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """MAP and mAP50; shares of the sides serve, since IoU does not change with them."""
        outputs: Any = prediction.predictions
        scores, boxes = outputs
        labels = np.asarray(prediction.label_ids)
        n_classes = scores.shape[-1]
        matches = match_all(
            [_truth(row) for row in labels],
            top_detections(np.asarray(scores, np.float64), np.asarray(boxes, np.float64)),
            n_classes,
        )
        overall, _ = weighted_scores(matches, np.ones((len(labels), 1)))
        return {name: float(np.nan_to_num(overall[name][0])) for name in ("map50", "map")}

    def baselines(self, train: Sequence[Any], n: int, n_classes: int) -> dict[str, Any]:
        """The same boxes for every image, drawn from the training ones."""
        rows = [
            (value["category"][i], *_relative(value["bbox"][i], value["size"]))
            for value in train
            for i in range(len(value["category"]))
        ]
        drawn = np.random.default_rng(0).permutation(len(rows))[:TYPICAL]
        boxes = np.asarray([rows[i] for i in drawn], dtype=np.float64).reshape(-1, 5)
        shares = np.bincount([int(row[0]) for row in rows], minlength=n_classes) / max(len(rows), 1)
        scores = np.zeros((len(boxes), n_classes))
        classes = boxes[:, 0].astype(int)
        scores[np.arange(len(boxes)), classes] = shares[classes]
        return {"typical_boxes": (np.stack([scores] * n), np.stack([boxes[:, 1:]] * n))}

    def calibrate(
        self,
        outputs: tuple[np.ndarray, np.ndarray],
        values: Sequence[Any],
        config: EvaluationConfig,
    ) -> Calibration:
        """The thresholds of the highest F-beta; scores stay as they are."""
        n_classes = outputs[0].shape[-1]
        thresholds = choose_box_thresholds(
            [truth_of(value) for value in values],
            top_detections(*outputs, sizes=[value["size"] for value in values]),
            n_classes,
            per_class=config.thresholds == "per_class",
            beta=config.beta,
        )
        return Calibration(thresholds=tuple(thresholds))

    def evaluate(
        self,
        outputs: tuple[np.ndarray, np.ndarray],
        values: Sequence[Any],
        names: Sequence[str],
        *,
        calibration: Calibration,
        n_bootstrap: int,
        seed: int,
        clusters: Sequence[Any] | None = None,
        slices: Mapping[str, Sequence[Any]] | None = None,
    ) -> SplitResult:
        """Every score with its interval."""
        return evaluate_detections(
            [truth_of(value) for value in values],
            top_detections(*outputs, sizes=[value["size"] for value in values]),
            names,
            thresholds=calibration.thresholds,
            n_bootstrap=n_bootstrap,
            seed=seed,
            clusters=clusters,
            slices=slices,
        )

    def predictions(
        self,
        outputs: tuple[np.ndarray, np.ndarray],
        names: Sequence[str],
        calibration: Calibration,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Prediction]:
        """Return all boxes with a score of at least 0.05, and mark those over their thresholds."""
        limits = calibration.thresholds
        predictions = []
        for best, scores in zip(top_detections(*outputs, sizes=sizes), outputs[0], strict=True):
            objects = tuple(
                DetectedObject(names[c], float(score), _four(box), bool(score >= limits[c]))
                for box, c, score in zip(
                    best.corners, best.classes.tolist(), best.scores, strict=True
                )
                if score >= FLOOR
            )
            labels = tuple(box.label for box in objects if box.answered)
            predictions.append(Prediction(labels, scores.max(0), objects))
        return predictions

    def as_dict(self, prediction: Prediction, names: Sequence[str], top: int) -> dict[str, Any]:
        """The boxes that are answered."""
        return {"objects": [box.as_dict() for box in prediction.answered]}

    def as_text(self, prediction: Prediction, names: Sequence[str], top: int) -> str:
        """The boxes that are answered."""
        parts = []
        for box in prediction.answered:
            left, top_, right, bottom = (round(v) for v in box.box)
            parts.append(f"{box.label} {box.score:.1%} at {left},{top_}–{right},{bottom}")
        return "; ".join(parts) or "nothing found"

    def columns(
        self, predictions: Sequence[Prediction], values: Sequence[Any], names: Sequence[str]
    ) -> dict[str, list[Any]]:
        """Lists of true and of found boxes, each with its label, found ones with their score."""
        return {
            "label": [_true_objects(value, names) for value in values],
            "predicted": [[box.as_dict() for box in p.objects or ()] for p in predictions],
            "answered": [len(prediction.answered) for prediction in predictions],
            "confidence": [prediction.confidence for prediction in predictions],
        }


def as_targets(labels: torch.Tensor) -> list[dict[str, torch.Tensor]]:
    """Padded labels ``[B, M, 5]`` as detectors of transformers take them."""
    rows = [row[row[:, 0] >= 0] for row in labels]
    return [{"class_labels": row[:, 0].long(), "boxes": row[:, 1:]} for row in rows]


def top_detections(
    scores: np.ndarray, boxes: np.ndarray, *, sizes: Sequence[Sequence[int]] | None = None
) -> list[Boxes]:
    """The surest boxes of each image, a query may answer with several classes.

    Args:
        scores: ``[N, Q, C]``.
        boxes: ``[N, Q, 4]``, shares of the sides.
        sizes: Width and height of each image in pixels; without them the shares are kept.
    """
    n, _, n_classes = scores.shape
    flat = scores.reshape(n, -1)
    order = np.argsort(-flat, axis=1, kind="stable")[:, :MOST]
    detections = []
    for row in range(n):
        size = (1.0, 1.0) if sizes is None else sizes[row]
        corners = _corners(boxes[row][order[row] // n_classes], size)
        detections.append(Boxes(corners, order[row] % n_classes, flat[row][order[row]]))
    return detections


def truth_of(value: Mapping[str, Any]) -> Boxes:
    """A row of the column ``label``."""
    boxes = np.asarray(value["bbox"], dtype=np.float64).reshape(-1, 4)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return _true_boxes(corners, np.asarray(value["category"], dtype=np.int64))


def _truth(row: np.ndarray) -> Boxes:
    """A row of padded labels, in shares of the sides."""
    objects = row[row[:, 0] >= 0]
    return _true_boxes(_corners(objects[:, 1:], (1.0, 1.0)), objects[:, 0].astype(np.int64))


def _true_boxes(corners: np.ndarray, classes: np.ndarray) -> Boxes:
    return Boxes(corners, classes, np.ones(len(classes)))


def _corners(boxes: np.ndarray, size: Sequence[float]) -> np.ndarray:
    """Centre, width and height in shares to corners in pixels, within the image."""
    half = boxes[:, 2:] / 2
    corners = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    return np.asarray(np.clip(corners, 0.0, 1.0) * np.array([*size, *size], dtype=np.float64))


def _four(box: np.ndarray) -> tuple[float, float, float, float]:
    left, top, right, bottom = map(float, box)
    return left, top, right, bottom


def _relative(box: Sequence[float], size: Sequence[int]) -> tuple[float, float, float, float]:
    x, y, w, h = box
    return ((x + w / 2) / size[0], (y + h / 2) / size[1], w / size[0], h / size[1])


def _true_objects(value: Mapping[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    truth = truth_of(value)
    return [
        DetectedObject(names[c], 1.0, _four(box), True).as_dict()
        for box, c in zip(truth.corners, truth.classes.tolist(), strict=True)
    ]
