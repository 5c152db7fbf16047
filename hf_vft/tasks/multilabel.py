"""Several labels an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from transformers import AutoModelForImageClassification

from hf_vft.evaluation.multilabel import (
    evaluate_multilabel,
    fit_binary_temperature,
    headline_estimates,
    headline_multilabel,
    prevalence_logits,
    sigmoid_probabilities,
)
from hf_vft.evaluation.results import Estimate, SplitResult
from hf_vft.evaluation.thresholds import choose_thresholds
from hf_vft.losses.multilabel import asymmetric_loss, binary_loss, positive_weights
from hf_vft.models.logistic import LinearProbe
from hf_vft.models.multilabel_probe import fit_multilabel_probe, held_out_multilabel_logits
from hf_vft.recipe.schema import EvaluationConfig
from hf_vft.tasks.base import NO_ESTIMATE, Task
from hf_vft.tasks.classification import logits_of, scores_as_dicts, stacked
from hf_vft.tasks.predictions import Calibration, Prediction

if TYPE_CHECKING:  # transformers takes it from its trainer, which brings peft
    from transformers import EvalPrediction

LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "bce": binary_loss,
    "asymmetric": asymmetric_loss,
}


class MultiLabelClassification(Task):
    """Labels 0 and 1 ``[B, C]``, logits ``[B, C]``, a yes or no for each class."""

    name: ClassVar[str] = "multi-label-classification"
    kind: ClassVar[str] = "classes"
    primary_metric: ClassVar[str] = "map"
    epoch_metric_names: ClassVar[tuple[str, ...]] = ("map", "f1_micro", "f1_macro")
    losses: ClassVar[tuple[str, ...]] = tuple(LOSSES)
    problem_type: ClassVar[str | None] = "multi_label_classification"
    mixes_batches: ClassVar[bool] = True
    defaults: ClassVar[tuple[tuple[str, Any, str], ...]] = (NO_ESTIMATE,)

    @property
    def auto_class(self) -> Any:
        """``AutoModelForImageClassification``; its pipeline then takes the sigmoid by itself."""
        return AutoModelForImageClassification

    def collate(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Stack the tensors of the rows, and the labels as numbers."""
        return stacked(rows, torch.float32)

    def loss(
        self,
        outputs: Mapping[str, Any],
        labels: torch.Tensor,
        *,
        name: str = "auto",
        label_smoothing: float = 0.0,
        class_weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Binary cross-entropy, or the asymmetric loss."""
        return LOSSES[self.losses[0] if name == "auto" else name](
            outputs["logits"],
            labels,
            label_smoothing=label_smoothing,
            class_weights=class_weights,
        )

    def class_weights(self, counts: Sequence[int], images: int) -> list[float]:
        """Ratio of absence to presence of each class."""
        return positive_weights(counts, images)

    def epoch_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Mean average precision and F1."""
        return headline_multilabel(logits_of(prediction), np.asarray(prediction.label_ids))

    def fit_probe(self, features: np.ndarray, values: Sequence[Any], **options: Any) -> LinearProbe:
        """Fit one logistic regression per class."""
        return fit_multilabel_probe(features, np.asarray(values), **options)

    def held_out_probe(
        self, features: np.ndarray, values: Sequence[Any], *, num_classes: int, **options: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cross-validate one logistic regression per class; see the base class."""
        return held_out_multilabel_logits(features, np.asarray(values), **options)

    def ranking_score(
        self, logits: np.ndarray, values: Sequence[Any], *, metric: str, **options: Any
    ) -> Estimate:
        """Mean average precision, or F1 at one half."""
        estimates = headline_estimates(logits, np.asarray(values), **options)
        return estimates.get(metric, estimates[self.primary_metric])

    def baselines(self, train: Sequence[Any], n: int, n_classes: int) -> dict[str, Any]:
        """Every class as probable as it is frequent."""
        return {"class_frequencies": prevalence_logits(train, n)}

    def calibrate(
        self, outputs: np.ndarray, values: Sequence[Any], config: EvaluationConfig
    ) -> Calibration:
        """The temperature, and the thresholds of the highest F-beta."""
        temperature = fit_binary_temperature(outputs, np.asarray(values))
        thresholds = choose_thresholds(
            sigmoid_probabilities(outputs, temperature),
            np.asarray(values),
            per_class=config.thresholds == "per_class",
            beta=config.beta,
        )
        return Calibration(temperature, tuple(thresholds))

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
        return evaluate_multilabel(
            outputs,
            np.asarray(values),
            list(names),
            thresholds=calibration.thresholds,
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
        """The classes over their thresholds, the surest first; maybe none."""
        thresholds = np.asarray(calibration.thresholds)
        predictions = []
        for row in sigmoid_probabilities(outputs, calibration.temperature):
            order = np.argsort(-row, kind="stable")
            answered = tuple(names[c] for c in order.tolist() if row[c] >= thresholds[c])
            predictions.append(Prediction(answered, row))
        return predictions

    def as_dict(self, prediction: Prediction, names: Sequence[str], top: int) -> dict[str, Any]:
        """The labels that are answered, and the scores of the best classes."""
        shown = max(top, len(prediction.labels))
        scores = scores_as_dicts(prediction, names, shown)
        return {"labels": list(prediction.labels), "scores": scores}

    def as_text(self, prediction: Prediction, names: Sequence[str], top: int) -> str:
        """The labels that are answered, each with its score."""
        scores = dict(prediction.best(names, len(names)))
        return ", ".join(f"{n} {scores[n]:.1%}" for n in prediction.labels) or "none of the labels"

    def columns(
        self, predictions: Sequence[Prediction], values: Sequence[Any], names: Sequence[str]
    ) -> dict[str, list[Any]]:
        """Lists of labels, given and predicted, and all probabilities."""
        return {
            "label": [[names[c] for c in np.flatnonzero(value).tolist()] for value in values],
            "predicted": [list(prediction.labels) for prediction in predictions],
            "confidence": [prediction.confidence for prediction in predictions],
            "probabilities": [p.scores.astype(np.float32) for p in predictions],
        }
