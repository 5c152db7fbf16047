"""The metrics as `evaluate.Metric`: what ``evaluate.load`` would fetch, without a network.

    >>> F1().compute(predictions=[0, 1, 1], references=[0, 1, 0], average="macro")
    {'f1': 0.666...}

They share every formula with `hf_vft.evaluation.classification.evaluate_logits`, which is
the quicker way to have all of them at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Literal

import datasets
import evaluate
import numpy as np
import numpy.typing as npt

from hf_vft.errors import DataError
from hf_vft.evaluation.bootstrap import Scores, estimate_scores
from hf_vft.evaluation.calibration import weighted_ece
from hf_vft.evaluation.counts import count_scores, macro, sum_by, weighted
from hf_vft.evaluation.intervals import Floats, Ints, units_of
from hf_vft.evaluation.ranking_metrics import ranking_scores, rankings

Average = Literal["macro", "weighted"] | None

_INPUTS = """
Args:
    predictions: Class ids [N], or scores per class [N, C] of which the highest counts.
    references: True class ids [N].
    average: "macro" (over the classes present in references), "weighted" (by their
        number of references) or None (a list, one entry per class); of no effect on
        scores that are not made per class.
    interval: Add the ends of the 95 % bootstrap interval as NAME_low and NAME_high.
    sample_weight: How much each reference counts [N].
    clusters: One value per reference; those that share one are resampled together.
    n_bootstrap: Resamples behind the interval.
    seed: Of the resamples.
"""


class _VisionMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate carries no types
    """What the metrics share: inputs, weights, averages and intervals.

    Held in memory unless several processes take part, so nothing is written to a cache.
    """

    score: ClassVar[str]
    per_class: ClassVar[bool] = True
    needs_scores: ClassVar[bool] = False
    description: ClassVar[str]
    reference_url: ClassVar[str]

    def __init__(self, *args: Any, keep_in_memory: bool | None = None, **kwargs: Any) -> None:
        if keep_in_memory is None:
            keep_in_memory = kwargs.get("num_process", 1) == 1
        super().__init__(*args, keep_in_memory=keep_in_memory, **kwargs)

    def _info(self) -> evaluate.MetricInfo:
        references = datasets.Value("int64")
        # Ids are read as floats and checked: read as integers, 0.9 would become class 0.
        kinds = [datasets.Sequence(datasets.Value("float64"))]
        if not self.needs_scores:
            kinds.append(datasets.Value("float64"))
        return evaluate.MetricInfo(
            description=self.description,
            citation="",
            inputs_description=_INPUTS,
            features=[
                datasets.Features({"predictions": kind, "references": references}) for kind in kinds
            ],
            reference_urls=[self.reference_url],
        )

    def _compute(
        self,
        predictions: object,
        references: object,
        *,
        average: Average = "macro",
        interval: bool = False,
        sample_weight: npt.ArrayLike | None = None,
        clusters: Sequence[Hashable] | None = None,
        n_bootstrap: int = 1000,
        seed: int = 0,
    ) -> dict[str, Any]:
        if average not in ("macro", "weighted", None):
            raise DataError(f"average={average!r}: choose 'macro', 'weighted' or None.")
        answers = np.asarray(predictions, dtype=np.float64)
        labels = np.asarray(references, dtype=np.int64)
        n_classes = _n_classes(answers, labels)
        own_weight = _one_each("sample_weight", sample_weight, len(labels))
        scorer = self._scorer(answers, labels, n_classes)

        overall, per_class = estimate_scores(
            lambda weights: scorer(weights * own_weight[:, None]),
            labels,
            n_classes,
            units_of(len(labels), clusters),
            n_bootstrap if interval else 0,
            seed,
        )
        if self.per_class and average is None:
            estimates = per_class[self.score]
        else:
            estimates = [overall[f"{self.score}_{average}" if self.per_class else self.score]]
        parts = {"": "value", "_low": "low", "_high": "high"} if interval else {"": "value"}
        scores = {
            self.score + suffix: [_nan_if_none(getattr(e, part)) for e in estimates]
            for suffix, part in parts.items()
        }
        if self.per_class and average is None:
            return scores
        return {name: values[0] for name, values in scores.items()}

    def _scorer(self, answers: Floats, labels: Ints, n_classes: int) -> Any:
        """A function from weights ``[N, B]`` to `Scores`."""
        predicted = answers.argmax(1) if answers.ndim == 2 else answers.astype(np.int64)
        return lambda weights: count_scores(labels, predicted, n_classes, weights)


class Accuracy(_VisionMetric):
    """Share of the predictions that are right."""

    score = "accuracy"
    per_class = False
    description = "Share of the predictions that are right."
    reference_url = "https://scikit-learn.org/stable/modules/model_evaluation.html#accuracy-score"


class BalancedAccuracy(_VisionMetric):
    """Mean recall over the classes present in the references."""

    score = "balanced_accuracy"
    per_class = False
    description = "Mean recall over the classes present in the references."
    reference_url = (
        "https://scikit-learn.org/stable/modules/model_evaluation.html#balanced-accuracy-score"
    )


class Precision(_VisionMetric):
    """The share of the images answered with a class that belong to it."""

    score = "precision"
    description = "Of what was called a class, the share that is."
    reference_url = (
        "https://scikit-learn.org/stable/modules/model_evaluation.html"
        "#precision-recall-and-f-measures"
    )


class Recall(_VisionMetric):
    """The share of the images of a class that are answered with it."""

    score = "recall"
    description = "Share of the images of a class that were predicted as it."
    reference_url = Precision.reference_url


class F1(_VisionMetric):
    """Harmonic mean of precision and recall."""

    score = "f1"
    description = "Harmonic mean of precision and recall."
    reference_url = Precision.reference_url


class _RankingMetric(_VisionMetric):
    """Scores that need an order: one class against the rest, by its column of scores.

    Scores are compared between images as they are given: give probabilities, as logits of
    different images have no common scale.
    """

    needs_scores = True

    def _scorer(self, answers: Floats, labels: Ints, n_classes: int) -> Any:
        ranked = rankings(answers, labels)

        def scorer(weights: Floats) -> Scores:
            values = ranking_scores(ranked, weights)[self.score]
            support = sum_by(labels, n_classes, weights)
            overall = {
                f"{self.score}_macro": macro(values),
                f"{self.score}_weighted": weighted(values, support),
            }
            return overall, {self.score: values}

        return scorer


class AUROC(_RankingMetric):
    """Chance that an image of the class scores above one that is not."""

    score = "auroc"
    description = "Area under the receiver operating characteristic, one class against the rest."
    reference_url = (
        "https://scikit-learn.org/stable/modules/model_evaluation.html"
        "#receiver-operating-characteristic-roc"
    )


class AveragePrecision(_RankingMetric):
    """Precision averaged over the steps in recall."""

    score = "average_precision"
    description = "Area under the precision-recall curve by steps, one class against the rest."
    reference_url = Precision.reference_url


class ExpectedCalibrationError(_VisionMetric):
    """Mean gap between confidence and accuracy; predictions are probabilities."""

    score = "ece"
    per_class = False
    needs_scores = True
    description = "Mean gap between top-1 confidence and accuracy over 15 bins of equal width."
    reference_url = "https://arxiv.org/abs/1706.04599"

    def _scorer(self, answers: Floats, labels: Ints, n_classes: int) -> Any:
        if (answers < 0).any() or np.abs(answers.sum(1) - 1.0).max() > 1e-3:
            raise DataError("ECE needs probabilities that sum to 1; apply softmax to the logits.")
        return lambda weights: ({"ece": weighted_ece(answers, labels, weights)}, {})


def _n_classes(answers: Floats, labels: Ints) -> int:
    """How many classes there are, once the inputs are known to make sense."""
    if not len(labels):
        raise DataError("There is nothing to score; add predictions and references first.")
    if not np.isfinite(answers).all():
        raise DataError("Some predictions are not finite numbers; look at the model's output.")
    if answers.ndim == 1 and ((answers < 0).any() or (answers % 1 != 0).any()):
        raise DataError("Predictions [N] must be class ids; give scores as [N, C].")
    known = answers.shape[1] if answers.ndim == 2 else int(max(answers.max(), labels.max())) + 1
    if labels.min() < 0 or labels.max() >= known:
        raise DataError(
            f"References run from {labels.min()} to {labels.max()}, "
            f"but there are scores for the classes 0 to {known - 1}."
        )
    return known


def _one_each(what: str, values: npt.ArrayLike | None, n: int) -> Floats:
    weights = np.ones(n) if values is None else np.asarray(values, dtype=np.float64)
    if weights.shape != (n,):
        raise DataError(f"{what}: shape {weights.shape} for {n} references; give one value each.")
    return weights


def _nan_if_none(value: float | None) -> float:
    return float("nan") if value is None else value
