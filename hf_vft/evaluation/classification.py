"""Measure a classifier from its logits: every metric of ``metrics.json`` with its interval."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hf_vft.errors import DataError, ModelError
from hf_vft.evaluation.bootstrap import Scores, estimate_scores
from hf_vft.evaluation.calibration import probabilities, reliability_bins, weighted_ece
from hf_vft.evaluation.counts import confusion, count_scores, macro
from hf_vft.evaluation.intervals import Floats, Ints, units_of
from hf_vft.evaluation.pr_roc_curves import precision_recall
from hf_vft.evaluation.ranking_metrics import ranking_scores, rankings
from hf_vft.evaluation.results import ClassResult, Estimate, Point, SliceResult, SplitResult

# Additions spent on resampling AUROC and average precision (a few seconds on one core).
# Larger splits get fewer resamples for these two, never fewer than 100.
_RANKING_BUDGET = 4_000_000_000

HEADLINES = ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted")
_MOST_CURVES = 20
"""Classes up to which curves are kept: nobody reads more, and a thousand would be megabytes."""

_SLICE_METRICS = ("accuracy", "f1_macro")


def evaluate_logits(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str],
    *,
    temperature: float = 1.0,
    n_bootstrap: int = 1000,
    seed: int = 0,
    clusters: Sequence[Hashable] | None = None,
    slices: Mapping[str, Sequence[Hashable]] | None = None,
) -> SplitResult:
    """Score single-label logits on one split.

    Metrics are those of the model as it answers; only ``ece_calibrated`` and
    ``reliability_calibrated`` use the temperature. Macro averages run over the classes
    present in the split; AUROC and average precision are one class against the rest.

    Intervals are percentile bootstraps over images, or over ``clusters``. A flawless score
    resamples only to itself: accuracy, precision, recall and F1 then get the exact
    binomial bound, the others no interval. AUROC and average precision use ``n_bootstrap``
    resamples up to N × C × n_bootstrap = 4e9, and fewer beyond, at least 100.

    Args:
        logits: ``[N, C]``, finite.
        labels: Class ids ``[N]`` in ``[0, C)``.
        names: Class names; the position is the id.
        temperature: From `fit_temperature` on other images.
        n_bootstrap: Resamples behind each interval; 0 gives none.
        seed: Of the resamples.
        clusters: One value per image; images that share one are resampled together.
        slices: Column name to one value per image.

    Raises:
        DataError: If there are no images, or lengths or labels do not fit.
        ModelError: If a logit is not finite.
    """
    # Imported here: it brings pandas and statsmodels, and a model that answers measures nothing.
    from hf_vft.evaluation.fairness import measure_bias

    scores, ids = _checked(logits, labels, n_classes=len(names))
    for what, column in {"clusters": clusters, **(slices or {})}.items():
        if column is not None and len(column) != len(ids):
            raise DataError(f"{what}: {len(column)} values for {len(ids)} images; give one each.")
    units = units_of(len(ids), clusters)
    predicted = scores.argmax(1)
    probs = probabilities(scores)
    calibrated = probabilities(scores, temperature)
    ranked = rankings(probs, ids)

    def measure(weights: Floats) -> Scores:
        overall, per_class = count_scores(ids, predicted, len(names), weights)
        overall["ece"] = weighted_ece(probs, ids, weights)
        overall["ece_calibrated"] = weighted_ece(calibrated, ids, weights)
        for name, losses in _losses(probs, ids).items():
            overall[name] = losses @ weights / weights.sum(0)
        return overall, per_class

    def measure_ranking(weights: Floats) -> Scores:
        per_class = ranking_scores(ranked, weights)
        return {f"{name}_macro": macro(values) for name, values in per_class.items()}, per_class

    n_ranked = min(n_bootstrap, max(100, _RANKING_BUDGET // scores.size))
    shared = (ids, len(names), units)
    overall, per_class = estimate_scores(measure, *shared, n_bootstrap, seed)
    ranking_overall, ranking_per_class = estimate_scores(measure_ranking, *shared, n_ranked, seed)
    overall |= ranking_overall
    per_class |= ranking_per_class
    return SplitResult(
        n=len(ids),
        metrics=overall,
        per_class={
            name: ClassResult(
                support=int((ids == c).sum()),
                metrics={metric: column[c] for metric, column in per_class.items()},
            )
            for c, name in enumerate(names)
        },
        confusion=confusion(ids, predicted, len(names)).tolist(),
        reliability=reliability_bins(probs, ids),
        reliability_calibrated=reliability_bins(calibrated, ids),
        curves=_curves(calibrated, ids, names) if len(names) <= _MOST_CURVES else {},
        slices={
            column: _slices(ids, predicted, len(names), values, units, n_bootstrap, seed)
            for column, values in (slices or {}).items()
        },
        bias=measure_bias(
            [names[c] for c in predicted],
            calibrated.max(1),
            slices,
            [names[c] for c in ids],
            clusters=clusters,
            seed=seed,
        )
        if slices
        else None,
    )


def _curves(probs: Floats, ids: Ints, names: Sequence[str]) -> dict[str, list[Point]]:
    """Precision-recall and ROC curves of each class against the rest, by name."""
    curves = {}
    for c, name in enumerate(names):
        positive = ids == c
        curves[name] = precision_recall(
            probs[:, c], positive, int(positive.sum()), negatives=int((~positive).sum())
        )
    return curves


def class_scores(
    labels: Ints,
    predicted: Ints,
    n_classes: int,
    *,
    n_bootstrap: int,
    seed: int,
    clusters: Sequence[Hashable] | None = None,
) -> dict[str, Estimate]:
    """The scores that follow from predicted classes alone, with their intervals.

    Args:
        labels: Class ids ``[N]``.
        predicted: Class ids ``[N]``.
        n_classes: C.
        n_bootstrap: Resamples behind each interval; 0 gives none.
        seed: Of the resamples.
        clusters: One value per image; images that share one are resampled together.
    """

    def measure(weights: Floats) -> Scores:
        overall, _ = count_scores(labels, predicted, n_classes, weights)
        return overall, {}

    units = units_of(len(labels), clusters)
    overall, _ = estimate_scores(measure, labels, n_classes, units, n_bootstrap, seed)
    return overall


def headline_metrics(logits: npt.ArrayLike, labels: npt.ArrayLike) -> dict[str, float]:
    """The few scores worth watching each epoch: no intervals, no sorting.

    Args:
        logits: ``[N, C]``.
        labels: Class ids ``[N]``.

    Returns:
        accuracy, balanced_accuracy, f1_macro and f1_weighted, each in [0, 1].

    Raises:
        DataError: If there are no images, or lengths or labels do not fit.
        ModelError: If a logit is not finite.
    """
    scores, ids = _checked(logits, labels)
    overall, _ = count_scores(ids, scores.argmax(1), scores.shape[1], np.ones((len(ids), 1)))
    return {name: float(overall[name][0]) for name in HEADLINES}


def majority_class_logits(train_labels: npt.ArrayLike, n: int, n_classes: int) -> Floats:
    """A baseline's logits: the training set's class shares, for each of ``n`` images.

    Args:
        train_labels: Class ids of the training images.
        n: Images to answer for.
        n_classes: C.

    Returns:
        Log shares ``[n, C]``, with one image added per class to keep them finite; the most
        frequent class has the highest.
    """
    counts = np.bincount(np.asarray(train_labels, dtype=np.int64), minlength=n_classes) + 1.0
    return np.tile(np.log(counts / counts.sum()), (n, 1))


def _checked(
    logits: npt.ArrayLike, labels: npt.ArrayLike, n_classes: int | None = None
) -> tuple[Floats, Ints]:
    scores = np.asarray(logits, dtype=np.float64)
    ids = np.asarray(labels, dtype=np.int64)
    if scores.ndim != 2 or len(scores) != len(ids):
        raise DataError(f"Logits {scores.shape} do not fit {len(ids)} labels; give [N, C] and N.")
    if not len(ids):
        raise DataError("There is no image to evaluate on; give a split that holds some.")
    if n_classes not in (None, scores.shape[1]):
        raise DataError(f"{scores.shape[1]} logits per image for {n_classes} class names.")
    if ids.min() < 0 or ids.max() >= scores.shape[1]:
        raise DataError(
            f"Labels run from {ids.min()} to {ids.max()}, "
            f"but the model knows 0 to {scores.shape[1] - 1}."
        )
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores).all(1)).sum())
        raise ModelError(
            f"The model's output is not finite for {bad} of {len(ids)} images; "
            "lower the learning rate or train in fp32."
        )
    return scores, ids


def _losses(probs: Floats, labels: Ints) -> dict[str, Floats]:
    """Loss of each image ``[N]``: log loss (nats) and Brier score (0 to 2)."""
    true = np.eye(probs.shape[1])[labels]
    floor = np.finfo(np.float64).tiny
    return {
        "log_loss": -np.log(np.maximum(probs[np.arange(len(labels)), labels], floor)),
        "brier": ((probs - true) ** 2).sum(1),
    }


def _slices(
    labels: Ints,
    predicted: Ints,
    n_classes: int,
    values: Sequence[Hashable],
    units: Ints,
    n_bootstrap: int,
    seed: int,
) -> dict[str, SliceResult]:
    """Scores of the images that share a value; the resampling stays inside the slice."""
    keys = np.array(["(missing)" if value is None else str(value) for value in values])
    slice_results = {}
    for key in np.unique(keys):
        inside = keys == key
        ids, guesses = labels[inside], predicted[inside]
        unit = units_of(len(ids), units[inside].tolist())

        def measure(weights: Floats, ids: Ints = ids, guesses: Ints = guesses) -> Scores:
            overall, _ = count_scores(ids, guesses, n_classes, weights)
            return {name: overall[name] for name in _SLICE_METRICS}, {}

        metrics, _ = estimate_scores(measure, ids, n_classes, unit, n_bootstrap, seed)
        slice_results[str(key)] = SliceResult(n=int(inside.sum()), metrics=metrics)
    return slice_results
