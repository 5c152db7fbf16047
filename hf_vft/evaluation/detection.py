"""Measure a detector: COCO's scores, those at a threshold, and their intervals."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from hf_vft.errors import DataError
from hf_vft.evaluation.average_precision import class_scores
from hf_vft.evaluation.bootstrap import INTERPOLATED, Scores, estimate_scores
from hf_vft.evaluation.box_matching import Boxes, Matches, match_all
from hf_vft.evaluation.coco import coco_scores
from hf_vft.evaluation.counts import macro, ratio
from hf_vft.evaluation.intervals import Floats, units_of
from hf_vft.evaluation.pr_roc_curves import precision_recall
from hf_vft.evaluation.results import ClassResult, Estimate, SliceResult, SplitResult
from hf_vft.evaluation.thresholds import best_threshold

# Found boxes times resamples that are worth some seconds; never fewer than 100 resamples.
_BUDGET = 10_000_000
_SLICE_METRICS = ("map50", "f1")


def evaluate_detections(
    truths: Sequence[Boxes],
    predicted: Sequence[Boxes],
    names: Sequence[str],
    *,
    thresholds: Sequence[float],
    n_bootstrap: int = 1000,
    seed: int = 0,
    clusters: Sequence[Hashable] | None = None,
    slices: Mapping[str, Sequence[Hashable]] | None = None,
) -> SplitResult:
    """Score detected boxes on one split.

    ``map`` to ``mar_100`` are COCO's, by faster-coco-eval. ``precision``, ``recall``, ``f1`` and
    ``mean_iou`` (of the right ones) are those of the boxes that reach their thresholds, at an
    overlap of 0.5. Intervals are percentile bootstraps over images, or over ``clusters``; those
    of average precision are moved down by its bias, which is large for few images. Large splits
    get fewer resamples, at least 100. Figures by size have no interval.

    Args:
        truths: Of each image.
        predicted: Of each image, with scores.
        names: Class names; the position is the id.
        thresholds: On the scores, one a class, from other images.
        n_bootstrap: Resamples behind each interval; 0 gives none.
        seed: Of the resamples.
        clusters: One value per image; those that share one are resampled together.
        slices: Column name to one value per image.

    Raises:
        DataError: If there are no images, or as many truths as answers.
    """
    if not truths or len(truths) != len(predicted):
        raise DataError(f"{len(predicted)} answers for {len(truths)} images; give one each.")
    matches = match_all(truths, predicted, len(names))
    units = units_of(len(truths), clusters)
    present = np.stack([(of_class.true > 0).astype(np.int64) for of_class in matches], axis=1)
    boxes = max(1, sum(len(of_class.score) for of_class in matches))
    draws = min(n_bootstrap, max(100, _BUDGET // boxes))

    def measure(weights: Floats) -> Scores:
        return weighted_scores(matches, weights, thresholds)

    overall, per_class = estimate_scores(
        measure, present, len(names), units, draws, seed, too_high=INTERPOLATED
    )
    figures, by_class = coco_scores(truths, predicted, len(names))
    return SplitResult(
        n=len(truths),
        metrics=_with_values(overall, figures),
        per_class={
            name: ClassResult(
                support=int(matches[c].true.sum()),
                metrics={
                    metric: _with_value(column[c], by_class[metric][c])
                    if metric in by_class
                    else column[c]
                    for metric, column in per_class.items()
                },
            )
            for c, name in enumerate(names)
        },
        curves={
            name: precision_recall(
                of_class.score, of_class.right[:, 0], int(of_class.true.sum()), threshold
            )
            for name, of_class, threshold in zip(names, matches, thresholds, strict=True)
        },
        slices={
            column: _slices(matches, thresholds, values, units, draws, seed)
            for column, values in (slices or {}).items()
        },
    )


def weighted_scores(
    matches: Sequence[Matches], weights: Floats, thresholds: Sequence[float] | None = None
) -> Scores:
    """Scores for columns of image weights ``[P, B]``; without thresholds only COCO's."""
    limits = thresholds if thresholds is not None else [None] * len(matches)
    parts = [class_scores(m, weights, t) for m, t in zip(matches, limits, strict=True)]
    ap = np.stack([precision.mean(0) for precision, _, _ in parts])
    ap50 = np.stack([precision[0] for precision, _, _ in parts])
    overall = {
        "map": macro(ap),
        "map50": macro(ap50),
        "map75": macro(np.stack([precision[5] for precision, _, _ in parts])),
        "mar_100": macro(np.stack([recall.mean(0) for _, recall, _ in parts])),
    }
    per_class = {"ap50": ap50, "ap": ap}
    if thresholds is None:
        return overall, per_class
    right, answered, true, iou = (
        np.stack([counts[name] for _, _, counts in parts])
        for name in ("right", "answered", "true", "iou")
    )
    sums = [column.sum(0) for column in (right, answered, true, iou)]
    overall |= _at_threshold(*sums)
    per_class |= {
        name: np.where(true > 0, values, np.nan)
        for name, values in _at_threshold(right, answered, true, iou).items()
    }
    return overall, per_class


def choose_box_thresholds(
    truths: Sequence[Boxes],
    predicted: Sequence[Boxes],
    n_classes: int,
    *,
    per_class: bool,
    beta: float = 1.0,
) -> list[float]:
    """Score from which on a box is an answer: that of the highest F-beta at an overlap of 0.5.

    Args:
        truths: Of each image.
        predicted: Of each image, with scores.
        n_classes: C.
        per_class: One for each class, or one that is shared.
        beta: Above 1 finds more, below 1 claims less that is wrong.
    """
    matches = match_all(truths, predicted, n_classes)
    groups = [[of_class] for of_class in matches] if per_class else [matches]
    chosen = []
    for group in groups:
        scores = np.concatenate([of_class.score for of_class in group])
        right = np.concatenate([of_class.right[:, 0] for of_class in group])
        missed = sum(int(of_class.true.sum()) for of_class in group) - int(right.sum())
        chosen.append(best_threshold(scores, right, missed, beta))
    return chosen if per_class else chosen * n_classes


def _at_threshold(right: Floats, answered: Floats, true: Floats, iou: Floats) -> dict[str, Floats]:
    return {
        "precision": ratio(right, answered),
        "recall": ratio(right, true),
        "f1": ratio(2 * right, answered + true),
        "mean_iou": ratio(iou, right),
    }


def _with_values(
    estimates: Mapping[str, Estimate], figures: Mapping[str, float]
) -> dict[str, Estimate]:
    """COCO's own figures, with the intervals of those that have one."""
    nothing = Estimate(value=None)
    coco = {k: _with_value(estimates.get(k, nothing), v) for k, v in figures.items()}
    return {**coco, **{k: v for k, v in estimates.items() if k not in coco}}


def _with_value(estimate: Estimate, value: float) -> Estimate:
    return Estimate(value=value, low=estimate.low, high=estimate.high)


def _slices(
    matches: Sequence[Matches],
    thresholds: Sequence[float],
    values: Sequence[Hashable],
    units: np.ndarray,
    draws: int,
    seed: int,
) -> dict[str, SliceResult]:
    """Scores of the images that share a value; the resampling stays inside the slice."""
    keys = np.array(["(missing)" if value is None else str(value) for value in values])
    slice_results = {}
    for key in np.unique(keys):
        inside = np.flatnonzero(keys == key)
        part = [_only(of_class, inside, len(keys)) for of_class in matches]
        present = np.stack([(of_class.true > 0).astype(np.int64) for of_class in part], axis=1)

        def measure(weights: Floats, part: Sequence[Matches] = part) -> Scores:
            overall, _ = weighted_scores(part, weights, thresholds)
            return {name: overall[name] for name in _SLICE_METRICS}, {}

        unit = units_of(len(inside), units[inside].tolist())
        metrics, _ = estimate_scores(
            measure, present, len(part), unit, draws, seed, too_high=INTERPOLATED
        )
        slice_results[str(key)] = SliceResult(n=len(inside), metrics=metrics)
    return slice_results


def _only(matches: Matches, images: np.ndarray, n: int) -> Matches:
    """The matches of some images, numbered anew."""
    number = np.full(n, -1)
    number[images] = np.arange(len(images))
    kept = number[matches.image] >= 0
    return Matches(
        image=number[matches.image[kept]],
        score=matches.score[kept],
        right=matches.right[kept],
        iou=matches.iou[kept],
        true=matches.true[images],
    )
