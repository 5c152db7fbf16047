"""Good parts alone: every image is good or an anomaly, and what was learned from is good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from transformers import AutoModelForImageClassification, PreTrainedConfig

from hf_vft.data.extra_columns import MASK
from hf_vft.data.groups import groups_of
from hf_vft.errors import RecipeError
from hf_vft.evaluation.pixels import pixel_scores
from hf_vft.evaluation.results import Estimate, SplitResult
from hf_vft.models.anomaly_model import AnomalyModel, AnomalySettings, without_head
from hf_vft.models.load import Checkpoint, LoadedModel, load_model
from hf_vft.models.patch_features import choose_layers
from hf_vft.models.processors import input_side
from hf_vft.models.structure import anatomy
from hf_vft.recipe.schema import Choice, EvaluationConfig, Recipe
from hf_vft.tasks.anomaly_maps import hottest_region, read_mask, smooth_map
from hf_vft.tasks.classification import ImageClassification
from hf_vft.tasks.predictions import Calibration, DetectedObject, Prediction

if TYPE_CHECKING:
    import datasets

GOOD, ANOMALY = 0, 1
_OF_PROBABILITIES = ("ece", "ece_calibrated", "nll", "log_loss", "brier")


@dataclass(frozen=True)
class AnomalyOutputs:
    """What the model says of N images.

    Attributes:
        logits: ``[N, 2]``: 0, and the logarithm of score over threshold.
        maps: ``[N, h, w]``, in shares of the threshold.
    """

    logits: np.ndarray
    maps: np.ndarray

    def __len__(self) -> int:
        return len(self.logits)

    @property
    def scores(self) -> np.ndarray:
        """In shares of the threshold ``[N]``."""
        scores: np.ndarray = np.exp(self.logits[:, ANOMALY])
        return scores


class AnomalyDetection(ImageClassification):
    """PatchCore (Roth et al. 2022): a frozen backbone and a memory of patches of good images."""

    name: ClassVar[str] = "anomaly-detection"
    kind: ClassVar[str] = "anomaly"
    primary_metric: ClassVar[str] = "auroc"
    epoch_metric_names: ClassVar[tuple[str, ...]] = ("auroc",)
    losses: ClassVar[tuple[str, ...]] = ("none",)
    problem_type: ClassVar[str | None] = None
    mixes_batches: ClassVar[bool] = False
    probes: ClassVar[bool] = False
    memorises: ClassVar[bool] = True
    defaults: ClassVar[tuple[tuple[str, Any, str], ...]] = (
        ("image.fit", "squash", "an anomaly at the rim must be seen, and its place be told"),
        ("training.precision", "fp32", "distances are compared by small differences"),
        ("training.deliver", 1.0, "nothing is trained"),
        ("augment.strength", "none", "nothing is trained"),
        ("evaluation.stress", False, "good parts alone say nothing of how right answers are"),
    )

    def settled(self, recipe: Recipe) -> tuple[Recipe, list[Choice]]:
        """Without stages; what would train or search is refused.

        Raises:
            RecipeError: Names what cannot be asked for.
        """
        refused = {
            "model.lora": recipe.model.lora is not None,
            "search": recipe.search.wanted or recipe.search.bounded,
            "model.keep_head": recipe.model.keep_head,
            "loss.class_weights": recipe.loss.class_weights == "balanced",
            "loss.sampling": recipe.loss.sampling == "balanced",
            "evaluation.robustness": recipe.evaluation.robustness,
        }
        for name, asked in refused.items():
            if asked:
                raise RecipeError(
                    f"{name}: {self.name} remembers good parts and trains nothing; leave it out."
                )
        if recipe.image.fit != "squash":
            raise RecipeError(f"image.fit: {self.name} sees whole images; leave it at squash.")
        was = [stage.name for stage in recipe.stages]
        if not was:
            return recipe, []
        return recipe.replaced({"stages": []}), [
            Choice("stages", was, [], "good parts are remembered, and nothing is trained")
        ]

    def usual(self, values: Sequence[Any]) -> list[int]:
        """Good ones."""
        return [row for row, value in enumerate(values) if value == GOOD]

    @property
    def auto_class(self) -> Any:
        """`AnomalyModel`: a backbone as ``AutoModel`` loads it, and its memory."""
        return AnomalyModel

    def load(self, checkpoint: Checkpoint, **options: Any) -> LoadedModel:
        """The backbone, with a memory that is still empty."""
        loaded = load_model(
            checkpoint, AutoModelForImageClassification, problem_type=None, **options
        )
        backbone, blocks = without_head(loaded.model, anatomy(loaded.model).blocks)
        layers = choose_layers(backbone, blocks, input_side(loaded.processor))
        settings = AnomalySettings(
            layers=tuple(layers),
            neighbourhood=3,
            neighbours=9,
            threshold=1.0,
            false_alarm_rate=0.0,
        )
        model: Any = AnomalyModel(backbone, torch.zeros(1, 1), settings)
        return replace(loaded, model=model)

    def answers(
        self, outputs: Mapping[str, Any], config: PreTrainedConfig
    ) -> dict[str, torch.Tensor]:
        """Logits and map."""
        return {"logits": outputs["logits"], "anomaly_map": outputs["anomaly_map"]}

    def outputs(self, predictions: tuple[np.ndarray, np.ndarray]) -> AnomalyOutputs:
        """Logits in double precision, maps as they are."""
        logits, maps = predictions[:2]
        return AnomalyOutputs(np.asarray(logits, np.float64), np.asarray(maps, np.float32))

    def baselines(self, train: Sequence[Any], n: int, n_classes: int) -> dict[str, Any]:
        """Every image is good."""
        logits = np.tile([1.0, 0.0], (n, 1))
        return {"always_good": AnomalyOutputs(logits, np.zeros((n, 1, 1), np.float32))}

    def calibrate(
        self, outputs: Any, values: Sequence[Any], config: EvaluationConfig
    ) -> Calibration:
        """As it is: the threshold is part of the model."""
        return Calibration()

    def evaluate(
        self, outputs: Any, values: Sequence[Any], names: Sequence[str], **options: Any
    ) -> SplitResult:
        """Those of two classes, and by their usual names those of anomalies."""
        result = super().evaluate(outputs.logits, values, names, **options)
        anomalies = result.per_class[names[ANOMALY]].metrics
        good = result.per_class[names[GOOD]].metrics
        # The score is no probability, so nothing of how far it can be taken for one.
        metrics = {k: v for k, v in result.metrics.items() if k not in _OF_PROBABILITIES}
        own = {
            "auroc": anomalies["auroc"],
            "average_precision": anomalies["average_precision"],
            "recall": anomalies["recall"],
            "precision": anomalies["precision"],
            "false_alarm_rate": _complement(good["recall"]),
        }
        changes = {"metrics": own | metrics, "reliability": [], "reliability_calibrated": []}
        return result.model_copy(update=changes)

    def more_scores(
        self, outputs: AnomalyOutputs, images: datasets.Dataset, *, n_bootstrap: int, seed: int
    ) -> dict[str, Estimate]:
        """Of pixels, where anomalies have masks; one without a mask is left out."""
        if MASK not in images.column_names or outputs.maps.shape[1:] == (1, 1):
            return {}
        marks, labels = images[MASK], images["label"]
        rows = [row for row, mark in enumerate(marks) if mark or labels[row] == GOOD]
        if not any(marks):
            return {}
        maps = [smooth_map(outputs.maps[row]) for row in rows]
        masks = [read_mask(marks[row], grid.shape) for row, grid in zip(rows, maps, strict=True)]
        groups = groups_of(images)
        return pixel_scores(
            maps,
            masks,
            n_bootstrap=n_bootstrap,
            seed=seed,
            clusters=None if groups is None else [groups[row] for row in rows],
        )

    def predictions(
        self,
        outputs: Any,
        names: Sequence[str],
        calibration: Calibration,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Prediction]:
        """Good or an anomaly, with the hottest region of the map."""
        found = super().predictions(outputs.logits, names, calibration)
        regions = [
            hottest_region(grid, (1, 1) if sizes is None else sizes[row])
            for row, grid in enumerate(outputs.maps)
        ]
        return [
            replace(
                prediction,
                region=DetectedObject(names[ANOMALY], float(score), box, bool(score > 1.0)),
                heat=grid,
            )
            for prediction, box, score, grid in zip(
                found, regions, outputs.scores, outputs.maps, strict=True
            )
        ]

    def as_dict(self, prediction: Prediction, names: Sequence[str], top: int) -> dict[str, Any]:
        """Verdict, score, threshold, and the box of the hottest region."""
        region = prediction.region
        fields: dict[str, Any] = {"label": prediction.labels[0]}
        if region is not None:
            fields |= {
                "anomaly": region.answered,
                "score": round(region.score, 6),
                "threshold": 1.0,
                "box": region.as_dict()["box"],
            }
        return fields

    def as_text(self, prediction: Prediction, names: Sequence[str], top: int) -> str:
        """Verdict and score; where, if it is an anomaly."""
        region = prediction.region
        if region is None:
            return prediction.labels[0]
        said = f"{prediction.labels[0]} ({region.score:.2f} of the threshold)"
        if not region.answered:
            return said
        left, top_, right, bottom = (round(edge) for edge in region.box)
        return f"{said} at {left},{top_}–{right},{bottom}"


def _complement(estimate: Estimate) -> Estimate:
    """One minus an estimate."""
    value, low, high = (
        None if bound is None else 1.0 - bound
        for bound in (estimate.value, estimate.low, estimate.high)
    )
    return estimate.model_copy(update={"value": value, "low": high, "high": low})
