from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hf_vft.errors import DataError, ModelError
from hf_vft.evaluation.calibration import probabilities
from hf_vft.evaluation.classification import (
    evaluate_logits,
    headline_metrics,
    majority_class_logits,
)
from hf_vft.evaluation.counts import confusion, count_scores
from hf_vft.evaluation.ranking_metrics import ranking_scores, rankings
from hf_vft.evaluation.results import SplitResult


def made(n: int, n_classes: int, seed: int = 0, skill: float = 1.5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_classes, size=n)
    return rng.normal(size=(n, n_classes)) + skill * np.eye(n_classes)[labels], labels


def names(n: int) -> list[str]:
    return [f"class {i}" for i in range(n)]


@st.composite
def answers(draw):
    n_classes = draw(st.integers(2, 5))
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = rng.integers(n_classes, size=n)
    # Rounded, so that ties are common.
    logits = np.round(rng.normal(size=(n, n_classes)), 1)
    weights = rng.integers(0, 4, size=n).astype(float)
    weights[rng.integers(n)] += 1.0
    return logits, labels, weights


@settings(deadline=None, max_examples=40)
@given(answers())
def test_count_scores_agree_with_sklearn_under_weights(case):
    logits, labels, weights = case
    n_classes = logits.shape[1]
    predicted = logits.argmax(1)
    overall, per_class = count_scores(labels, predicted, n_classes, weights[:, None])
    present = np.unique(labels[weights > 0])
    options = {"sample_weight": weights, "zero_division": 0.0}
    expected = {"accuracy": sk.accuracy_score(labels, predicted, sample_weight=weights)}
    scorers = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
    for name, scorer in scorers.items():
        for average in ("macro", "weighted"):
            expected[f"{name}_{average}"] = scorer(
                labels, predicted, labels=present, average=average, **options
            )
        each = scorer(labels, predicted, labels=range(n_classes), average=None, **options)
        ours = per_class[name][:, 0]
        assert set(np.flatnonzero(~np.isnan(ours))) <= set(present)
        np.testing.assert_allclose(ours[~np.isnan(ours)], each[~np.isnan(ours)], atol=1e-9)
    expected["balanced_accuracy"] = expected["recall_macro"]
    assert {k: v[0] for k, v in overall.items()} == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(answers())
def test_rankings_agree_with_sklearn_under_weights(case):
    logits, labels, weights = case
    found = ranking_scores(rankings(logits, labels), weights[:, None])
    kept = weights > 0
    for c in range(logits.shape[1]):
        is_class = labels[kept] == c
        given = (is_class, logits[kept, c])
        if is_class.any() and not is_class.all():
            expected = sk.roc_auc_score(*given, sample_weight=weights[kept])
            assert found["auroc"][c, 0] == pytest.approx(expected, abs=1e-9)
        else:
            assert np.isnan(found["auroc"][c, 0])
        if is_class.any():
            expected = sk.average_precision_score(*given, sample_weight=weights[kept])
            assert found["average_precision"][c, 0] == pytest.approx(expected, abs=1e-9)
        else:
            assert np.isnan(found["average_precision"][c, 0])


def test_a_resample_equals_the_evaluation_of_the_repeated_images():
    logits, labels = made(30, 3)
    weights = np.random.default_rng(1).integers(0, 3, size=30)
    repeated = np.repeat(np.arange(30), weights)
    at_once = ranking_scores(rankings(logits, labels), weights[:, None].astype(float))
    one = ranking_scores(rankings(logits[repeated], labels[repeated]), np.ones((len(repeated), 1)))
    np.testing.assert_allclose(at_once["auroc"], one["auroc"], atol=1e-12)


def test_split_metrics_agree_with_sklearn():
    logits, labels = made(200, 4)
    result = evaluate_logits(logits, labels, names(4), n_bootstrap=20)
    probs = probabilities(logits)
    value = {name: estimate.value for name, estimate in result.metrics.items()}
    assert value["auroc_macro"] == pytest.approx(
        sk.roc_auc_score(labels, probs, multi_class="ovr"), abs=1e-9
    )
    assert value["average_precision_macro"] == pytest.approx(
        sk.average_precision_score(np.eye(4)[labels], probs), abs=1e-9
    )
    assert value["log_loss"] == pytest.approx(sk.log_loss(labels, probs), abs=1e-9)
    assert result.confusion == sk.confusion_matrix(labels, logits.argmax(1)).tolist()
    assert headline_metrics(logits, labels) == pytest.approx(
        {k: value[k] for k in ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted")}
    )
    assert sum(bar.n for bar in result.reliability) == result.n == 200
    for estimate in result.metrics.values():
        assert estimate.low <= estimate.value <= estimate.high


def test_a_missing_class_is_undefined_and_stays_so_in_json():
    logits, labels = made(40, 3)
    labels[labels == 2] = 0
    result = evaluate_logits(logits, labels, names(3), n_bootstrap=20)
    missing = result.per_class["class 2"]
    assert missing.support == 0
    assert {estimate.value for estimate in missing.metrics.values()} == {None}
    assert SplitResult.model_validate_json(result.model_dump_json()) == result
    assert '"recall":{"value":null' in result.model_dump_json()
    recalls = [result.per_class[name].metrics["recall"].value for name in names(2)]
    assert result.metrics["balanced_accuracy"].value == pytest.approx(np.mean(recalls))


def test_a_class_never_predicted_has_no_precision_but_costs_the_average():
    logits = np.array([[3.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    result = evaluate_logits(logits, [0, 2, 1], names(3), n_bootstrap=0)
    assert result.per_class["class 2"].metrics["precision"].value is None
    assert result.per_class["class 2"].metrics["f1"].value == 0.0
    assert result.metrics["precision_macro"].value == pytest.approx(0.5)


def test_interval_holds_the_truth_about_as_often_as_it_says():
    logits, labels = made(200_000, 3, seed=12345)
    truth = float((logits.argmax(1) == labels).mean())
    held = 0
    for seed in range(100):
        logits, labels = made(150, 3, seed)
        accuracy = evaluate_logits(logits, labels, names(3), n_bootstrap=300, seed=seed).metrics[
            "accuracy"
        ]
        held += accuracy.low <= truth <= accuracy.high
    assert held >= 88


def test_clusters_widen_the_interval_when_shots_repeat():
    logits, labels = made(40, 3)
    logits, labels = np.repeat(logits, 8, axis=0), np.repeat(labels, 8)
    parts = np.repeat(np.arange(40), 8).tolist()

    def width(**options) -> float:
        accuracy = evaluate_logits(logits, labels, names(3), **options).metrics["accuracy"]
        return accuracy.high - accuracy.low

    assert width(clusters=parts) > 2.0 * width()


def test_one_cluster_claims_no_certainty():
    logits, labels = made(40, 3)
    result = evaluate_logits(logits, labels, names(3), clusters=["tile"] * 40, n_bootstrap=50)
    assert result.metrics["accuracy"].low is None
    assert result.metrics["auroc_macro"].high is None


def test_flawless_scores_get_the_exact_bound_instead_of_a_point():
    labels = np.repeat([0, 1], [10, 30])
    result = evaluate_logits(9.0 * np.eye(2)[labels], labels, names(2), n_bootstrap=50)
    accuracy = result.metrics["accuracy"]
    assert (accuracy.value, accuracy.high) == (1.0, 1.0)
    assert accuracy.low == pytest.approx(0.025 ** (1 / 40))
    small = result.per_class["class 0"].metrics["recall"]
    assert small.low == pytest.approx(0.025 ** (1 / 10))
    macro = result.metrics["f1_macro"]
    assert macro.low == pytest.approx(1 - (1 - small.low) / 2)
    assert result.metrics["auroc_macro"].low is None


def test_slices_are_measured_apart():
    logits, labels = made(60, 3)
    camera = ["a" if i < 20 else None if i < 25 else "b" for i in range(60)]
    logits[:20] = 9.0 * np.eye(3)[labels[:20]]
    result = evaluate_logits(logits, labels, names(3), slices={"camera": camera}, n_bootstrap=50)
    found = result.slices["camera"]
    assert {value: part.n for value, part in found.items()} == {"a": 20, "b": 35, "(missing)": 5}
    assert found["a"].metrics["accuracy"].value == 1.0
    assert found["b"].metrics["f1_macro"].value == pytest.approx(
        sk.f1_score(labels[25:], logits[25:].argmax(1), average="macro")
    )


def test_temperature_moves_only_what_is_called_calibrated():
    logits, labels = made(100, 3)
    plain = evaluate_logits(logits, labels, names(3), n_bootstrap=0)
    hot = evaluate_logits(logits, labels, names(3), n_bootstrap=0, temperature=3.0)
    changed = {name for name in plain.metrics if plain.metrics[name] != hot.metrics[name]}
    assert changed == {"ece_calibrated"}
    assert plain.metrics["ece"].value == plain.metrics["ece_calibrated"].value
    assert plain.reliability == hot.reliability != hot.reliability_calibrated


def test_same_seed_same_intervals():
    logits, labels = made(50, 3)
    runs = [evaluate_logits(logits, labels, names(3), n_bootstrap=50, seed=s) for s in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_it_is_quick():
    logits, labels = made(500, 6)
    start = time.perf_counter()
    evaluate_logits(logits, labels, names(6), n_bootstrap=1000)
    assert time.perf_counter() - start < 3.0


def test_majority_class_logits_say_the_shares_of_the_training_set():
    logits = majority_class_logits([2, 2, 2, 0], n=5, n_classes=4)
    assert logits.shape == (5, 4)
    assert (logits.argmax(1) == 2).all()
    assert np.exp(logits[0]).sum() == pytest.approx(1.0)
    assert np.exp(logits[0]) == pytest.approx(np.array([2, 1, 4, 1]) / 8)


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (np.empty((0, 2)), [], DataError, "no image"),
        (np.zeros((2, 2)), [0], DataError, "do not fit"),
        (np.zeros((2, 2)), [0, 2], DataError, "knows 0 to 1"),
        (np.zeros((2, 3)), [0, 1], DataError, "class names"),
        (np.array([[np.nan, 0.0], [1.0, 0.0]]), [0, 1], ModelError, "1 of 2 images"),
    ],
)
def test_what_cannot_be_measured_is_refused(logits, labels, error, message):
    with pytest.raises(error, match=message):
        evaluate_logits(logits, labels, names(2))


def test_clusters_and_slices_need_a_value_for_each_image():
    logits, labels = made(5, 2)
    with pytest.raises(DataError, match="clusters: 4 values for 5 images"):
        evaluate_logits(logits, labels, names(2), clusters=[1, 2, 3, 4])
    with pytest.raises(DataError, match="camera: 1 values"):
        evaluate_logits(logits, labels, names(2), slices={"camera": ["a"]})


def test_confusion_has_true_rows():
    assert confusion(np.array([0, 0, 1]), np.array([1, 1, 1]), 2).tolist() == [[0, 2], [0, 1]]
