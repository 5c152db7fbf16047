"""Measure a model of several labels an image from its logits."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit

from hf_vft.errors import DataError, ModelError
from hf_vft.evaluation.bootstrap import Measure, Scores, estimate_scores
from hf_vft.evaluation.calibration import BINS, TEMPERATURES, reliability_bins
from hf_vft.evaluation.counts import macro, ratio, sum_by
from hf_vft.evaluation.intervals import Floats, Ints, units_of
from hf_vft.evaluation.pr_roc_curves import precision_recall
from hf_vft.evaluation.ranking_metrics import ClassRanking, ranking_scores
from hf_vft.evaluation.results import Bin, ClassResult, Estimate, SliceResult, SplitResult

_SLICE_METRICS = ("f1_micro", "f1_macro", "f1_samples")


def sigmoid_probabilities(logits: npt.ArrayLike, temperature: float = 1.0) -> Floats:
    """Sigmoid of ``logits [N, C] / temperature`` in double precision."""
    probs: Floats = expit(np.asarray(logits, dtype=np.float64) / temperature)
    return probs


def fit_binary_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The temperature that makes sigmoid probabilities fit ``labels [N, C]`` best.

    Minimises the binary cross-entropy, smoothed as in
    :func:`hf_vft.evaluation.calibration.fit_temperature`.
    """
    scores = np.asarray(logits, dtype=np.float64)
    target = np.asarray(labels, dtype=np.float64)
    target = (target * len(target) + 0.5) / (len(target) + 1)

    def loss(log_t: float) -> float:
        scaled = scores / np.exp(log_t)
        return -float((target * log_expit(scaled) + (1 - target) * log_expit(-scaled)).mean())

    bounds = tuple(np.log(TEMPERATURES))
    optimum = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(optimum.x))


def prevalence_logits(train_labels: npt.ArrayLike, n: int) -> Floats:
    """A baseline's logits: the frequency of each class in training, ``[n, C]``."""
    marks = np.asarray(train_labels, dtype=np.float64)
    shares = (marks.sum(0) + 0.5) / (len(marks) + 1.0)
    return np.tile(np.log(shares / (1.0 - shares)), (n, 1))


def evaluate_multilabel(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str],
    *,
    thresholds: Sequence[float],
    temperature: float = 1.0,
    n_bootstrap: int = 1000,
    seed: int = 0,
    clusters: Sequence[Hashable] | None = None,
    slices: Mapping[str, Sequence[Hashable]] | None = None,
) -> SplitResult:
    """Score multi-label logits on one split.

    ``map`` is the mean average precision over the classes that occur. F1, precision and recall
    are those at the thresholds: ``micro`` over all labels alike, ``macro`` the mean over
    classes, ``samples`` the mean over images (an image rightly left without a label has an F1
    of 1). Intervals are percentile bootstraps over images, or over ``clusters``.

    Args:
        logits: ``[N, C]``, finite.
        labels: 0 and 1 ``[N, C]``.
        names: Class names; the position is the id.
        thresholds: On the calibrated probabilities, one a class, from other images.
        temperature: From `fit_binary_temperature` on other images.
        n_bootstrap: Resamples behind each interval; 0 gives none.
        seed: Of the resamples.
        clusters: One value per image; those that share one are resampled together.
        slices: Column name to one value per image.

    Raises:
        DataError: If there are no images, or shapes do not fit.
        ModelError: If a logit is not finite.
    """
    scores, marks = _checked(logits, labels, len(names))
    probs, calibrated = sigmoid_probabilities(scores), sigmoid_probabilities(scores, temperature)
    answered = (calibrated >= np.asarray(thresholds)).astype(np.int64)
    units = units_of(len(marks), clusters)
    ranked = [ClassRanking(probs[:, c], marks[:, c] > 0) for c in range(len(names))]

    def measure(weights: Floats) -> Scores:
        overall, per_class = answer_scores(marks, answered, weights)
        overall["ece"] = _ece(probs, marks, weights)
        overall["ece_calibrated"] = _ece(calibrated, marks, weights)
        by_class = ranking_scores(ranked, weights)
        overall["map"] = macro(by_class["average_precision"])
        overall["auroc_macro"] = macro(by_class["auroc"])
        return overall, per_class | by_class

    overall, per_class = estimate_scores(measure, marks, len(names), units, n_bootstrap, seed)
    return SplitResult(
        n=len(marks),
        metrics=overall,
        per_class={
            name: ClassResult(
                support=int(marks[:, c].sum()),
                metrics={metric: column[c] for metric, column in per_class.items()},
            )
            for c, name in enumerate(names)
        },
        reliability=_reliability(probs, marks),
        reliability_calibrated=_reliability(calibrated, marks),
        curves={
            name: precision_recall(
                calibrated[:, c],
                marks[:, c],
                int(marks[:, c].sum()),
                thresholds[c],
                negatives=int((1 - marks[:, c]).sum()),
            )
            for c, name in enumerate(names)
        },
        slices={
            column: _slices(marks, answered, values, units, n_bootstrap, seed)
            for column, values in (slices or {}).items()
        },
    )


def headline_multilabel(logits: npt.ArrayLike, labels: npt.ArrayLike) -> dict[str, float]:
    """The few scores worth watching each epoch.

    Args:
        logits: ``[N, C]``.
        labels: 0 and 1 ``[N, C]``.

    Returns:
        map, and f1_micro and f1_macro at one half, each in [0, 1].

    Raises:
        DataError: If there are no images, or shapes do not fit.
        ModelError: If a logit is not finite.
    """
    scores, marks = _checked(logits, labels)
    overall, _ = _headline(scores, marks)(np.ones((len(marks), 1)))
    return {name: float(np.nan_to_num(value[0])) for name, value in overall.items()}


def headline_estimates(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    n_bootstrap: int,
    seed: int,
    clusters: Sequence[Hashable] | None = None,
) -> dict[str, Estimate]:
    """`headline_multilabel` with intervals; the options are those of `evaluate_multilabel`."""
    scores, marks = _checked(logits, labels)
    units = units_of(len(marks), clusters)
    measure = _headline(scores, marks)
    overall, _ = estimate_scores(measure, marks, marks.shape[1], units, n_bootstrap, seed)
    return overall


def _headline(scores: Floats, marks: Ints) -> Measure:
    answered = (scores >= 0).astype(np.int64)
    ranked = [ClassRanking(scores[:, c], marks[:, c] > 0) for c in range(marks.shape[1])]

    def measure(weights: Floats) -> Scores:
        overall, _ = answer_scores(marks, answered, weights)
        precision = ranking_scores(ranked, weights)["average_precision"]
        f1 = {name: overall[name] for name in ("f1_micro", "f1_macro")}
        return {"map": macro(precision), **f1}, {}

    return measure


def answer_scores(marks: Ints, answered: Ints, weights: Floats) -> Scores:
    """Scores that follow from which labels were given.

    Args:
        marks: The truth ``[N, C]``.
        answered: 0 and 1 ``[N, C]``.
        weights: ``[N, B]``; a column per resample.

    Returns:
        Overall scores, each ``[B]``, and scores per class, each ``[C, B]``, NaN where undefined.
    """
    right = (marks * answered).T @ weights
    support, claimed = marks.T @ weights, answered.T @ weights
    present = support > 0
    precision = np.where(present, ratio(right, claimed), np.nan)
    recall = ratio(right, support)
    f1 = np.where(present, ratio(2 * right, support + claimed), np.nan)
    total = weights.sum(0)
    overall = {
        "f1_micro": ratio(2 * right.sum(0), (support + claimed).sum(0)),
        "f1_macro": macro(f1),
        "f1_samples": _f1_samples(marks, answered) @ weights / total,
        "precision_micro": ratio(right.sum(0), claimed.sum(0)),
        "recall_micro": ratio(right.sum(0), support.sum(0)),
        "precision_macro": macro(np.where(present, np.nan_to_num(precision), np.nan)),
        "recall_macro": macro(recall),
        "exact_match": (marks == answered).all(1).astype(float) @ weights / total,
    }
    return overall, {"precision": precision, "recall": recall, "f1": f1}


def _f1_samples(marks: Ints, answered: Ints) -> Floats:
    """The F1 of each image ``[N]``."""
    right, both = (marks * answered).sum(1), marks.sum(1) + answered.sum(1)
    f1: Floats = np.where(both == 0, 1.0, 2 * right / np.maximum(both, 1))
    return f1


def _ece(probs: Floats, marks: Ints, weights: Floats) -> Floats:
    """Mean gap between a probability and how often it is right, over all labels in 15 bins."""
    gaps = np.zeros((BINS, weights.shape[1]))
    for c in range(marks.shape[1]):
        index = np.clip(np.ceil(probs[:, c] * BINS) - 1, 0, BINS - 1).astype(np.int64)
        gaps += sum_by(index, BINS, weights, marks[:, c] - probs[:, c])
    ece: Floats = np.abs(gaps).sum(0) / (weights.sum(0) * marks.shape[1])
    return ece


def _reliability(probs: Floats, marks: Ints) -> list[Bin]:
    """The bars over all labels, as for a model that answers yes or no."""
    yes = probs.ravel()
    return reliability_bins(np.stack([1 - yes, yes], axis=1), marks.ravel())


def _slices(
    marks: Ints,
    answered: Ints,
    values: Sequence[Hashable],
    units: Ints,
    n_bootstrap: int,
    seed: int,
) -> dict[str, SliceResult]:
    keys = np.array(["(missing)" if value is None else str(value) for value in values])
    slice_results = {}
    for key in np.unique(keys):
        inside = keys == key
        truth, predicted = marks[inside], answered[inside]

        def measure(weights: Floats, truth: Ints = truth, predicted: Ints = predicted) -> Scores:
            overall, _ = answer_scores(truth, predicted, weights)
            return {name: overall[name] for name in _SLICE_METRICS}, {}

        unit = units_of(len(truth), units[inside].tolist())
        metrics, _ = estimate_scores(measure, truth, marks.shape[1], unit, n_bootstrap, seed)
        slice_results[str(key)] = SliceResult(n=int(inside.sum()), metrics=metrics)
    return slice_results


def _checked(
    logits: npt.ArrayLike, labels: npt.ArrayLike, n_classes: int | None = None
) -> tuple[Floats, Ints]:
    scores, marks = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if scores.ndim != 2 or scores.shape != marks.shape:
        raise DataError(f"Logits {scores.shape} do not fit labels {marks.shape}; give [N, C] both.")
    if not len(marks):
        raise DataError("There is no image to evaluate on; give a split that holds some.")
    if n_classes not in (None, scores.shape[1]):
        raise DataError(f"{scores.shape[1]} logits per image for {n_classes} class names.")
    if not np.isin(marks, (0, 1)).all():
        raise DataError("Labels have to be 0 or 1 for each class.")
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores).all(1)).sum())
        raise ModelError(
            f"The model's output is not finite for {bad} of {len(marks)} images; "
            "lower the learning rate or train in fp32."
        )
    return scores, marks.astype(np.int64)
