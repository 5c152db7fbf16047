"""One label an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from transformers import AutoModelForImageClassification

from hf_vft.data.dataset import LABEL_KEYS
from hf_vft.data.transforms.images import stack_pixels
from hf_vft.evaluation.calibration import fit_temperature, probabilities
from hf_vft.evaluation.classification import (
    HEADLINES,
    class_scores,
    evaluate_logits,
    headline_metrics,
    majority_class_logits,
)
from hf_vft.evaluation.results import Estimate, SplitResult
from hf_vft.losses.classification import (
    balanced_class_weights,
    classification_loss,
    focal_loss,
    generalised_cross_entropy,
    logit_adjusted_loss,
)
from hf_vft.models.logistic import LinearProbe
from hf_vft.models.probe import fit_linear_probe, held_out_logits
from hf_vft.recipe.schema import EvaluationConfig
from hf_vft.tasks.base import Task
from hf_vft.tasks.predictions import Calibration, Prediction

if TYPE_CHECKING:  # transformers takes it from its trainer, which brings peft
    from transformers import EvalPrediction


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "cross_entropy": classification_loss,
    "focal": focal_loss,
    "logit_adjusted": logit_adjusted_loss,
    "generalised_cross_entropy": generalised_cross_entropy,
}
"""By the name in the recipe, the default first."""


class ImageClassification(Task):
    """Single-label classification: ids ``[B]`` (or soft targets ``[B, C]``), logits ``[B, C]``."""

    name: ClassVar[str] = "image-classification"
    kind: ClassVar[str] = "class"
    primary_metric: ClassVar[str] = "f1_macro"
    epoch_metric_names: ClassVar[tuple[str, ...]] = HEADLINES
    losses: ClassVar[tuple[str, ...]] = tuple(LOSSES)
    problem_type: ClassVar[str | None] = "single_label_classification"
    mixes_batches: ClassVar[bool] = True

    @property
    def auto_class(self) -> Any:
        """``AutoModelForImageClassification``."""
        return AutoModelForImageClassification

    def collate(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Stack the tensors of the rows, and the labels (or ``label``) as ids, if there are any.

        Images may be nested lists too: that is how ``datasets`` stores what ``map`` computed.
        """
        return stacked(rows, torch.long)

    def loss(
        self,
        outputs: Mapping[str, Any],
        labels: torch.Tensor,
        *,
        name: str = "auto",
        label_smoothing: float = 0.0,
        class_weights: torch.Tensor | None = None,
        **options: Any,
    ) -> torch.Tensor:
        """Cross-entropy of the logits, or another of ``LOSSES``; options are those of that one."""
        found = LOSSES["cross_entropy" if name == "auto" else name]
        return found(
            outputs["logits"],
            labels,
            label_smoothing=label_smoothing,
            class_weights=class_weights,
            **options,
        )

    def class_weights(self, counts: Sequence[int], images: int) -> list[float]:
        """Inverse to the frequency of each class."""
        return balanced_class_weights(list(counts))

    def epoch_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Accuracy, balanced accuracy and F1."""
        return headline_metrics(logits_of(prediction), np.asarray(prediction.label_ids))

    def fit_probe(self, features: np.ndarray, values: Sequence[Any], **options: Any) -> LinearProbe:
        """Multinomial logistic regression."""
        return fit_linear_probe(features, np.asarray(values), **options)

    def held_out_probe(
        self, features: np.ndarray, values: Sequence[Any], **options: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cross-validate multinomial logistic regressions; see the base class."""
        return held_out_logits(features, np.asarray(values), **options)

    def ranking_score(
        self, logits: np.ndarray, values: Sequence[Any], *, metric: str, **options: Any
    ) -> Estimate:
        """Score the classes with the highest logits."""
        scores = np.asarray(logits)
        scores_of_model = class_scores(
            np.asarray(values), scores.argmax(1), scores.shape[1], **options
        )
        return scores_of_model.get(metric, scores_of_model[self.primary_metric])

    def baselines(self, train: Sequence[Any], n: int, n_classes: int) -> dict[str, Any]:
        """Always the most frequent class."""
        return {"majority_class": majority_class_logits(train, n, n_classes)}

    def calibrate(
        self, outputs: np.ndarray, values: Sequence[Any], config: EvaluationConfig
    ) -> Calibration:
        """Fit the temperature on validation images."""
        return Calibration(fit_temperature(outputs, np.asarray(values)))

    def evaluate(
        self,
        outputs: np.ndarray,
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
        return evaluate_logits(
            outputs,
            np.asarray(values),
            list(names),
            temperature=calibration.temperature,
            n_bootstrap=n_bootstrap,
            seed=seed,
            clusters=clusters,
            slices=slices,
        )

    def predictions(
        self,
        outputs: np.ndarray,
        names: Sequence[str],
        calibration: Calibration,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Prediction]:
        """The class of the highest probability."""
        probs = probabilities(outputs, calibration.temperature)
        return [Prediction((names[int(row.argmax())],), row) for row in probs]

    def as_dict(self, prediction: Prediction, names: Sequence[str], top: int) -> dict[str, Any]:
        """Label, confidence, and the scores of the best classes."""
        return {
            "label": prediction.labels[0],
            "confidence": prediction.confidence,
            "scores": scores_as_dicts(prediction, names, top),
        }

    def as_text(self, prediction: Prediction, names: Sequence[str], top: int) -> str:
        """The best classes with their probabilities, in a line."""
        return ", ".join(f"{label} {score:.1%}" for label, score in prediction.best(names, top))

    def columns(
        self, predictions: Sequence[Prediction], values: Sequence[Any], names: Sequence[str]
    ) -> dict[str, list[Any]]:
        """Label, predicted, confidence and all probabilities."""
        return {
            "label": [names[value] for value in values],
            "predicted": [prediction.labels[0] for prediction in predictions],
            "confidence": [prediction.confidence for prediction in predictions],
            "probabilities": [p.scores.astype(np.float32) for p in predictions],
        }


def scores_as_dicts(prediction: Prediction, names: Sequence[str], top: int) -> list[dict[str, Any]]:
    """The best classes, as the pipeline ``image-classification`` of transformers writes them."""
    return [{"label": name, "score": score} for name, score in prediction.best(names, top)]


def stacked(rows: Sequence[Mapping[str, Any]], dtype: torch.dtype) -> dict[str, Any]:
    """The tensors of the rows as a batch, and ``labels`` in ``dtype`` if there are any."""
    batch = {
        key: torch.stack([torch.as_tensor(row[key]) for row in rows])
        for key, value in rows[0].items()
        if isinstance(value, torch.Tensor | np.ndarray) and key not in ("pixel_values", *LABEL_KEYS)
    }
    if "pixel_values" in rows[0]:
        batch["pixel_values"] = stack_pixels(rows)
    key = next((key for key in LABEL_KEYS if key in rows[0]), None)
    if key is not None:
        batch["labels"] = torch.stack([torch.as_tensor(row[key], dtype=dtype) for row in rows])
    return batch


def logits_of(prediction: EvalPrediction) -> np.ndarray:
    """The logits among what a model gave."""
    predictions = prediction.predictions
    return np.asarray(predictions[0] if isinstance(predictions, tuple) else predictions)
