"""Scores of several labels an image, against scikit-learn; thresholds and temperature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hf_vft.errors import DataError, ModelError
from hf_vft.evaluation.multilabel import (
    evaluate_multilabel,
    fit_binary_temperature,
    headline_multilabel,
    prevalence_logits,
    sigmoid_probabilities,
)
from hf_vft.evaluation.pr_roc_curves import precision_recall
from hf_vft.evaluation.thresholds import best_threshold, choose_thresholds

NAMES = ["a", "b", "c", "d"]


def made(n: int = 200, seed: int = 0, skill: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    marks = (rng.random((n, 4)) < [0.5, 0.3, 0.1, 0.02]).astype(int)
    return rng.normal(size=(n, 4)) + skill * (marks - 0.5) - 0.5, marks


def measured(logits: np.ndarray, marks: np.ndarray, **options):
    options = {"thresholds": [0.5] * 4, "n_bootstrap": 0} | options
    return evaluate_multilabel(logits, marks, NAMES, **options)


def test_scores_are_those_of_scikit_learn() -> None:
    logits, marks = made()
    result = measured(logits, marks)
    answered = (logits >= 0).astype(int)
    expected = {
        f"{name}_{average}": getattr(sk, f"{name}_score")(
            marks, answered, average=average, zero_division=0
        )
        for name in ("f1", "precision", "recall")
        for average in ("micro", "macro")
    }
    expected["map"] = sk.average_precision_score(marks, logits, average="macro")
    expected["auroc_macro"] = sk.roc_auc_score(marks, logits, average="macro")
    expected["f1_samples"] = sk.f1_score(marks, answered, average="samples", zero_division=1)
    expected["exact_match"] = sk.accuracy_score(marks, answered)
    for name, value in expected.items():
        assert result.metrics[name].value == pytest.approx(value), name
    headline = headline_multilabel(logits, marks)
    assert headline == pytest.approx({k: expected[k] for k in ("map", "f1_micro", "f1_macro")})


def test_a_class_without_images_is_undefined_and_enters_no_mean() -> None:
    logits, marks = made()
    marks[:, 3] = 0
    result = measured(logits, marks)
    assert result.per_class["d"].metrics["average_precision"].value is None
    assert result.per_class["d"].support == 0
    three = sk.average_precision_score(marks[:, :3], logits[:, :3], average="macro")
    assert result.metrics["map"].value == pytest.approx(three)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """95 % intervals of micro F1 over 40 samples of 100 images each."""
    population, truth = made(40 * 100, seed=1)
    whole = measured(population, truth).metrics["f1_micro"].value
    held = 0
    for part, marks in zip(np.split(population, 40), np.split(truth, 40), strict=True):
        found = measured(part, marks, n_bootstrap=100).metrics["f1_micro"]
        held += found.low <= whole <= found.high
    assert 34 <= held <= 40


def test_clusters_widen_intervals() -> None:
    logits, marks = made(40)
    logits, marks = np.repeat(logits, 5, 0), np.repeat(marks, 5, 0)
    groups = np.repeat(np.arange(40), 5).tolist()
    alone, together = (
        measured(logits, marks, n_bootstrap=300, clusters=c).metrics["f1_micro"]
        for c in (None, groups)
    )
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_slices_are_measured_apart() -> None:
    logits, marks = made()
    halves = ["left", "right"] * 100
    result = measured(logits, marks, slices={"side": halves})
    left = measured(logits[::2], marks[::2])
    found = result.slices["side"]["left"].metrics["f1_micro"].value
    assert found == pytest.approx(left.metrics["f1_micro"].value)


def test_wrong_shapes_and_numbers_are_refused() -> None:
    logits, marks = made(10)
    with pytest.raises(DataError, match="do not fit"):
        measured(logits, marks[:, :2])
    with pytest.raises(DataError, match="0 or 1"):
        measured(logits, marks + 1)
    with pytest.raises(ModelError, match="not finite for 1 of 10"):
        measured(np.where(np.arange(40).reshape(10, 4) == 7, np.nan, logits), marks)


def test_temperature_is_found_again() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3)) * 2
    marks = (rng.random((4000, 3)) < sigmoid_probabilities(logits)).astype(int)
    assert fit_binary_temperature(3.0 * logits, marks) == pytest.approx(3.0, rel=0.06)


def test_baseline_answers_the_frequencies() -> None:
    probs = sigmoid_probabilities(prevalence_logits([[1, 0], [1, 0], [0, 0], [1, 0]], 3))
    assert probs.shape == (3, 2)
    np.testing.assert_allclose(probs[0], [3.5 / 5, 0.5 / 5])


SCORES = [0.1, 0.2, 0.35, 0.5, 0.8, 0.9]
EVERY_CUT = [0.0, *(score + 0.01 for score in SCORES)]
scored = st.lists(st.tuples(st.sampled_from(SCORES), st.booleans()), min_size=1)


@given(scored, st.sampled_from([0.5, 1.0, 2.0]))
@settings(max_examples=60, deadline=None)
def test_no_threshold_is_better(pairs: list[tuple[float, bool]], beta: float) -> None:
    scores, right = map(np.array, zip(*pairs, strict=True))

    def f_beta(threshold: float) -> float:
        return sk.fbeta_score(right, scores >= threshold, beta=beta, zero_division=0)

    chosen = best_threshold(scores, right, 0.0, beta)
    assert f_beta(chosen) == pytest.approx(max(map(f_beta, EVERY_CUT)))


def test_thresholds_lean_as_asked() -> None:
    logits, marks = made(400, skill=1.5)
    probs = sigmoid_probabilities(logits)
    recall, even, precision = (
        choose_thresholds(probs, marks, per_class=False, beta=b)[0] for b in (3.0, 1.0, 0.3)
    )
    assert recall < even < precision
    apart = choose_thresholds(probs, marks, per_class=True)
    assert len(set(apart)) == 4


def test_the_curve_is_that_of_scikit_learn_where_it_is_kept() -> None:
    logits, marks = made(300)
    points = precision_recall(logits[:, 0], marks[:, 0], int(marks[:, 0].sum()))
    precision, recall, scores = sk.precision_recall_curve(marks[:, 0], logits[:, 0])
    known = {float(s): (p, r) for p, r, s in zip(precision, recall, scores, strict=False)}
    assert 40 < len(points) <= 80
    for point in points:
        assert known[point.score] == pytest.approx((point.precision, point.recall))
    assert points[-1].recall == 1.0
