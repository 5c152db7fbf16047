"""Scores of boxes: against pycocotools, over resamples, at thresholds, over processes."""

from __future__ import annotations

import contextlib
import io
import multiprocessing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from hf_vft.errors import DataError
from hf_vft.evaluation.box_matching import Boxes, box_iou, match, match_all
from hf_vft.evaluation.box_metric import MeanAveragePrecision
from hf_vft.evaluation.coco import STATS, as_coco, coco_results, coco_scores
from hf_vft.evaluation.detection import (
    choose_box_thresholds,
    evaluate_detections,
    weighted_scores,
)

NAMES = ["a", "b", "c"]
Images = tuple[list[Boxes], list[Boxes]]


def made(n: int = 30, seed: int = 0, noise: float = 6.0, most: int = 6) -> Images:
    """True boxes, and found ones near them, far from them, twice, and of the wrong class."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(n):
        m = int(rng.integers(0, most + 1))
        corner = rng.uniform(0, 300, (m, 2))
        truth = np.concatenate([corner, corner + rng.uniform(8, 150, (m, 2))], axis=1)
        classes = rng.integers(0, len(NAMES), m)
        truths.append(Boxes(truth, classes, np.ones(m)))
        again = np.repeat(np.arange(m), rng.integers(0, 3, m))
        near = truth[again] + rng.normal(0, noise, (len(again), 4))
        far = rng.uniform(0, 300, (int(rng.integers(0, 5)), 4))
        boxes = np.concatenate([near, far])
        boxes = np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), boxes[:, 2:] + 1e-3], 1)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
        ids = np.concatenate([classes[again], rng.integers(0, len(NAMES), len(far))])
        ids = np.where(rng.random(len(ids)) < 0.1, rng.integers(0, len(NAMES), len(ids)), ids)
        # Rounded, so that some scores are equal within an image and between images.
        found.append(Boxes(boxes, ids.astype(int), rng.random(len(boxes)).round(1)))
    return truths, found


def by_pycocotools(truths: list[Boxes], found: list[Boxes]) -> dict[str, float]:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = as_coco(truths, len(NAMES))
        truth.createIndex()
        results = coco_results(found)
        answer = truth.loadRes(results) if results else COCO()
        evaluator = COCOeval(truth, answer, "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return dict(zip(STATS, evaluator.stats.tolist(), strict=True))


def boxes(*rows: tuple[float, ...]) -> Boxes:
    """Rows of left, top, right, bottom, class, score."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4].astype(int), table[:, 5])


SQUARE = (10.0, 10.0, 60.0, 60.0)
ADVERSARIAL: dict[str, Images] = {
    "nothing found": ([boxes((*SQUARE, 0, 1))], [boxes()]),
    "nothing there": ([boxes(), boxes((*SQUARE, 1, 1))], [boxes((*SQUARE, 0, 0.9)), boxes()]),
    "all right": ([boxes((*SQUARE, 0, 1))] * 3, [boxes((*SQUARE, 0, 0.5))] * 3),
    "found twice": ([boxes((*SQUARE, 0, 1))], [boxes((*SQUARE, 0, 0.5), (*SQUARE, 0, 0.9))]),
    "equal scores": (
        [boxes((*SQUARE, 0, 1)), boxes((0, 0, 9, 9, 0, 1))],
        [boxes((*SQUARE, 0, 0.5), (70, 70, 90, 90, 0, 0.5)), boxes((0, 0, 9, 8, 0, 0.5))],
    ),
    "two true ones in one place": (
        [boxes((*SQUARE, 0, 1), (*SQUARE, 0, 1))],
        [boxes((*SQUARE, 0, 0.9), (*SQUARE, 0, 0.8), (*SQUARE, 0, 0.7))],
    ),
    "exactly half": ([boxes((0, 0, 20, 10, 0, 1))], [boxes((0, 0, 10, 10, 0, 0.9))]),
    "of the wrong class": ([boxes((*SQUARE, 0, 1))], [boxes((*SQUARE, 1, 0.9))]),
    "more than a hundred": (
        [boxes((*SQUARE, 0, 1))],
        [boxes(*[(200, 200, 220, 220, 0, 0.9)] * 100, (*SQUARE, 0, 0.1))],
    ),
    "a greedy mistake": (
        [boxes((0, 0, 10, 10, 0, 1), (4, 0, 14, 10, 0, 1))],
        [boxes((2, 0, 12, 10, 0, 0.9), (0, 0, 10, 10, 0, 0.8))],
    ),
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_adversarial_images_score_as_in_pycocotools(name: str) -> None:
    check_agreement(*ADVERSARIAL[name])


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 6.0, 30.0]), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_random_images_score_as_in_pycocotools(seed: int, noise: float, n: int) -> None:
    check_agreement(*made(n, seed, noise))


def check_agreement(truths: list[Boxes], found: list[Boxes]) -> None:
    expected = by_pycocotools(truths, found)
    ours, _ = coco_scores(truths, found, len(NAMES))
    for name, value in expected.items():
        assert np.nan_to_num(ours[name], nan=-1.0) == pytest.approx(value, abs=1e-6), name
    # What intervals and epochs rest on counts by itself, and has to come to the same.
    weighted, _ = weighted_scores(match_all(truths, found, 3), np.ones((len(truths), 1)))
    for name in ("map", "map50", "map75", "mar_100"):
        value = np.nan_to_num(weighted[name][0], nan=-1.0)
        assert value == pytest.approx(expected[name], abs=1e-6), name


def test_scores_of_classes_average_to_those_of_all() -> None:
    truths, found = made(40)
    result = evaluate_detections(truths, found, NAMES, thresholds=[0.5] * 3, n_bootstrap=0)
    for overall, one in (("map", "ap"), ("map50", "ap50")):
        mean = np.mean([c.metrics[one].value for c in result.per_class.values()])
        assert result.metrics[overall].value == pytest.approx(mean, abs=1e-9)
    assert sum(c.support for c in result.per_class.values()) == sum(len(t.classes) for t in truths)


def test_weights_are_copies_of_images() -> None:
    truths, found = made(12, seed=3)
    drawn = [0, 0, 3, 5, 5, 5, 8, 11]
    weights = np.bincount(drawn, minlength=12)[:, None].astype(float)
    # Without equal scores in different images, whose order copies would change.
    rng = np.random.default_rng(0)
    found = [Boxes(f.corners, f.classes, rng.random(len(f.scores))) for f in found]
    ours, _ = weighted_scores(match_all(truths, found, 3), weights)
    copied, _ = coco_scores([truths[i] for i in drawn], [found[i] for i in drawn], 3)
    for name in ("map", "map50", "mar_100"):
        assert ours[name][0] == pytest.approx(copied[name], abs=0.02)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """mAP50 of 20 samples of 80 images; plain percentiles hold it in 16 of them."""
    truths, found = made(20 * 80, seed=7)
    matches = match_all(truths, found, 3)
    whole, _ = weighted_scores(matches, np.ones((len(truths), 1)))
    held = 0
    for start in range(0, len(truths), 80):
        part = slice(start, start + 80)
        one = evaluate_detections(
            truths[part], found[part], NAMES, thresholds=[0.5] * 3, n_bootstrap=60
        ).metrics["map50"]
        held += one.low <= whole["map50"][0] <= one.high
    assert held >= 18


def test_thresholds_are_the_best_and_lean_as_asked() -> None:
    truths, found = made(60, seed=1)

    def at(threshold: float, beta: float) -> float:
        result = evaluate_detections(
            truths, found, NAMES, thresholds=[threshold] * 3, n_bootstrap=0
        )
        p, r = (result.metrics[name].value or 0.0 for name in ("precision", "recall"))
        return (1 + beta**2) * p * r / (beta**2 * p + r) if p + r else 0.0

    chosen = {
        beta: choose_box_thresholds(truths, found, 3, per_class=False, beta=beta)[0]
        for beta in (0.5, 1.0, 2.0)
    }
    assert chosen[0.5] >= chosen[1.0] >= chosen[2.0]
    for beta, threshold in chosen.items():
        best = max(at(t, beta) for t in np.arange(-0.05, 1.05, 0.1))
        assert at(threshold, beta) == pytest.approx(best, abs=1e-9)
    assert len(choose_box_thresholds(truths, found, 3, per_class=True)) == 3


def test_by_hand_at_a_threshold() -> None:
    truths = [boxes((*SQUARE, 0, 1), (100, 100, 150, 150, 0, 1))]
    shifted = (10.0, 10.0, 60.0, 50.0)  # IoU 0.8
    found = [boxes((*shifted, 0, 0.9), (200, 200, 220, 220, 0, 0.8), (100, 100, 150, 150, 0, 0.2))]
    result = evaluate_detections(truths, found, ["a"], thresholds=[0.5], n_bootstrap=0).metrics
    assert result["precision"].value == result["recall"].value == 0.5
    assert result["mean_iou"].value == pytest.approx(0.8)


def test_slices_are_measured_apart() -> None:
    truths, found = made(20)
    options = {"thresholds": [0.5] * 3, "n_bootstrap": 0}
    side = ["left", "right"] * 10
    whole = evaluate_detections(truths, found, NAMES, slices={"side": side}, **options)
    left = evaluate_detections(truths[::2], found[::2], NAMES, **options)
    found_there = whole.slices["side"]["left"]
    assert found_there.n == 10
    assert found_there.metrics["map50"].value == pytest.approx(left.metrics["map50"].value)


def test_matching_takes_the_best_free_one() -> None:
    real = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], dtype=float)
    answered = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [20, 0, 30, 10]], dtype=float)
    right, iou = match(real, answered)
    assert right[:, 0].tolist() == [True, False, True]
    assert right[0].tolist() == [True] * 9 + [False]
    assert iou.tolist() == pytest.approx([0.9, 0.0, 1.0])
    assert box_iou(real, answered).shape == (2, 3)


def test_answers_and_images_have_to_be_as_many() -> None:
    truths, found = made(3)
    with pytest.raises(DataError, match="2 answers for 3 images"):
        evaluate_detections(truths, found[:2], NAMES, thresholds=[0.5] * 3)


def test_metric_of_evaluate_gives_the_same_and_joins_batches_and_processes(tmp_path) -> None:
    truths, found = made(6, seed=2)
    # Of equal scores in different images the first counts first, which processes change.
    rng = np.random.default_rng(0)
    found = [Boxes(f.corners, f.classes, rng.random(len(f.scores))) for f in found]
    predictions = [
        {"boxes": f.corners.tolist(), "scores": f.scores.tolist(), "labels": f.classes.tolist()}
        for f in found
    ]
    references = [{"boxes": t.corners.tolist(), "labels": t.classes.tolist()} for t in truths]
    alone = MeanAveragePrecision()
    for start in (0, 4):
        part = slice(start, start + 4)
        alone.add_batch(predictions=predictions[part], references=references[part])
    scores = alone.compute()
    expected, _ = coco_scores(truths, found, 3)
    assert scores["map50"] == pytest.approx(expected["map50"])

    def of(process: int) -> MeanAveragePrecision:
        metric = MeanAveragePrecision(
            num_process=2, process_id=process, experiment_id="boxes", cache_dir=str(tmp_path)
        )
        part = slice(process, None, 2)
        metric.add_batch(predictions=predictions[part], references=references[part])
        return metric

    # Each waits for the other, as processes do.
    other = multiprocessing.get_context("fork").Process(target=lambda: of(1).compute())
    other.start()
    joined = of(0).compute()
    other.join(timeout=60)
    assert joined["map"] == pytest.approx(scores["map"], abs=1e-9)


def test_metric_refuses_boxes_without_scores() -> None:
    with pytest.raises(DataError, match="1 boxes, 1 labels and 0 scores"):
        MeanAveragePrecision().compute(
            predictions=[{"boxes": [[0, 0, 1, 1]], "scores": [], "labels": [0]}],
            references=[{"boxes": [], "labels": []}],
        )
