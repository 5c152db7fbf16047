from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import evaluate
import numpy as np
import pytest
from sklearn import metrics as sk

from hf_vft.errors import DataError
from hf_vft.evaluation import evaluate_metrics as metrics
from hf_vft.evaluation.calibration import probabilities
from hf_vft.evaluation.classification import evaluate_logits

ALL = (
    metrics.Accuracy,
    metrics.BalancedAccuracy,
    metrics.Precision,
    metrics.Recall,
    metrics.F1,
    metrics.AUROC,
    metrics.AveragePrecision,
    metrics.ExpectedCalibrationError,
)


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """No network, and a cache folder of the test's own."""

    def refuse(*args, **kwargs):
        raise AssertionError("a metric went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(evaluate.config, "HF_METRICS_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=60)
    logits = rng.normal(size=(60, 4)) + 1.5 * np.eye(4)[labels]
    return logits, probabilities(logits), labels


@pytest.mark.parametrize("metric", ALL)
def test_same_value_and_interval_as_the_report(metric, case):
    logits, probs, labels = case
    report = evaluate_logits(logits, labels, list("abcd"), n_bootstrap=100).metrics
    found = metric().compute(predictions=probs, references=labels, interval=True, n_bootstrap=100)
    name = metric.score
    expected = report.get(name) or report[f"{name}_macro"]
    assert found == pytest.approx(
        {name: expected.value, f"{name}_low": expected.low, f"{name}_high": expected.high}
    )


@pytest.mark.parametrize("average", ["macro", "weighted", None])
def test_class_ids_averages_and_weights_as_in_sklearn(average, case):
    _, probs, labels = case
    predicted = probs.argmax(1)
    weight = np.random.default_rng(1).random(60)
    found = metrics.F1().compute(
        predictions=predicted, references=labels, average=average, sample_weight=weight
    )
    expected = sk.f1_score(labels, predicted, average=average, sample_weight=weight)
    np.testing.assert_allclose(found["f1"], expected, atol=1e-9)


def test_auroc_weighted_as_in_sklearn(case):
    _, probs, labels = case
    found = metrics.AUROC().compute(predictions=probs, references=labels, average="weighted")
    expected = sk.roc_auc_score(labels, probs, multi_class="ovr", average="weighted")
    assert found["auroc"] == pytest.approx(expected, abs=1e-9)


def test_batches_add_up_and_are_forgotten_afterwards(case):
    _, probs, labels = case
    metric = metrics.AveragePrecision()
    for _ in range(2):
        for part in np.array_split(np.arange(60), 4):
            metric.add_batch(predictions=probs[part], references=labels[part])
        found = metric.compute()
        assert found == metrics.AveragePrecision().compute(predictions=probs, references=labels)


def test_combine_shares_inputs_and_options(case):
    _, probs, labels = case
    together = evaluate.combine([metric() for metric in ALL])
    found = together.compute(predictions=probs, references=labels, average="weighted")
    assert set(found) == {metric.score for metric in ALL}
    assert found["precision"] == pytest.approx(
        sk.precision_score(labels, probs.argmax(1), average="weighted")
    )


def test_two_processes_gather_through_the_cache_folder(case, tmp_path):
    _, probs, labels = case
    options = {"num_process": 2, "experiment_id": "x", "cache_dir": str(tmp_path), "timeout": 10}

    def process(rank: int) -> dict[str, float] | None:
        metric = metrics.F1(process_id=rank, **options)
        half = slice(30 * rank, 30 * rank + 30)
        metric.add_batch(predictions=probs[half], references=labels[half])
        return metric.compute()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(process, range(2))
    assert first == metrics.F1().compute(predictions=probs, references=labels)
    assert second is None


def test_nothing_is_left_behind(case, tmp_path):
    _, probs, labels = case
    before = np.random.get_state()[1].copy()
    metrics.F1().compute(predictions=probs, references=labels, interval=True, n_bootstrap=20)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (np.random.get_state()[1] == before).all()


def test_a_missing_class_is_nan_not_zero():
    found = metrics.Recall().compute(predictions=[0, 2], references=[0, 2], average=None)
    assert found["recall"][::2] == [1.0, 1.0]
    assert np.isnan(found["recall"][1])


@pytest.mark.parametrize(
    ("metric", "predictions", "options", "message"),
    [
        (metrics.F1, [0.9, 0.2], {}, "class ids"),
        (metrics.F1, [-1, 0], {}, "class ids"),
        (metrics.F1, [0, 1], {"average": "mean"}, "average='mean'"),
        (metrics.F1, [0, 1], {"sample_weight": [1.0]}, "sample_weight"),
        (metrics.F1, [[0.5], [0.5]], {}, "classes 0 to 0"),
        (metrics.AUROC, [[np.nan, 1.0], [0.0, 1.0]], {}, "not finite"),
        (metrics.ExpectedCalibrationError, [[3.0, -1.0], [0.0, 1.0]], {}, "softmax"),
    ],
)
def test_inputs_that_make_no_sense_are_refused(metric, predictions, options, message):
    with pytest.raises(DataError, match=message):
        metric().compute(predictions=predictions, references=[0, 1], **options)


def test_a_ranking_needs_scores():
    with pytest.raises(ValueError, match="expected format"):
        metrics.AUROC().compute(predictions=[0, 1], references=[0, 1])
