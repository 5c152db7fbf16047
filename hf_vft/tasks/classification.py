"""One label a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import AutoModelForImageClassification, EvalPrediction

from hf_vft.data.dataset import LABEL_KEYS
from hf_vft.evaluation.classification import HEADLINES, evaluate_logits, headline_metrics
from hf_vft.evaluation.results import SplitResult
from hf_vft.losses.classification import classification_loss
from hf_vft.tasks.base import Task


class ImageClassification(Task):
    """Single-label classification: ids ``[B]`` (or soft targets ``[B, C]``), logits ``[B, C]``."""

    name: ClassVar[str] = "image-classification"
    primary_metric: ClassVar[str] = "f1_macro"
    epoch_metric_names: ClassVar[tuple[str, ...]] = HEADLINES
    mixes_batches: ClassVar[bool] = True

    @property
    def auto_class(self) -> Any:
        """``AutoModelForImageClassification``."""
        return AutoModelForImageClassification

    def collate(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Stack the tensors of the rows, and the labels (or ``label``) as ids, if there are any.

        Pictures may be nested lists too: that is how ``datasets`` stores what ``map`` computed.
        """
        batch = {
            key: torch.stack([torch.as_tensor(row[key]) for row in rows])
            for key, value in rows[0].items()
            if key == "pixel_values"
            or (isinstance(value, torch.Tensor | np.ndarray) and key not in LABEL_KEYS)
        }
        for key in LABEL_KEYS:
            if key in rows[0]:
                batch["labels"] = torch.tensor([int(row[key]) for row in rows], dtype=torch.long)
                break
        return batch

    def loss(
        self,
        outputs: Mapping[str, Any],
        labels: Any,
        *,
        label_smoothing: float = 0.0,
        class_weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Cross-entropy."""
        return classification_loss(
            outputs["logits"],
            labels,
            label_smoothing=label_smoothing,
            class_weights=class_weights,
        )

    def epoch_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Accuracy, balanced accuracy and F1."""
        return headline_metrics(_logits(prediction), np.asarray(prediction.label_ids))

    def evaluate(
        self,
        logits: np.ndarray,
        labels: np.ndarray,
        names: list[str],
        *,
        temperature: float,
        n_bootstrap: int,
        seed: int,
        clusters: Sequence[Any] | None = None,
        slices: Mapping[str, Sequence[Any]] | None = None,
    ) -> SplitResult:
        """Every score with its interval."""
        return evaluate_logits(
            logits,
            labels,
            names,
            temperature=temperature,
            n_bootstrap=n_bootstrap,
            seed=seed,
            clusters=clusters,
            slices=slices,
        )


def _logits(prediction: EvalPrediction) -> np.ndarray:
    predictions = prediction.predictions
    return np.asarray(predictions[0] if isinstance(predictions, tuple) else predictions)
