from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from hf_vft.evaluation.calibration import (
    TEMPERATURES,
    expected_calibration_error,
    fit_temperature,
    probabilities,
    reliability_bins,
)
from hf_vft.evaluation.classification import evaluate_logits


def calibrated(n: int, seed: int = 0):
    """Logits whose softmax is the distribution that the labels were drawn from."""
    rng = np.random.default_rng(seed)
    logits = 2.0 * rng.normal(size=(n, 4))
    labels = (probabilities(logits).cumsum(1) > rng.random((n, 1))).argmax(1)
    return logits, labels


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_temperature_is_recovered(true):
    logits, labels = calibrated(5000)
    found = fit_temperature(logits * true, labels)
    assert found == pytest.approx(true, rel=0.06)


def test_temperature_lowers_the_loss_and_the_error_on_other_images():
    logits, labels = calibrated(2000)
    overconfident = 3.0 * logits
    t = fit_temperature(overconfident[:1000], labels[:1000])

    def loss(temperature: float) -> float:
        log_p = log_softmax(overconfident[1000:] / temperature, axis=1)
        return -log_p[np.arange(1000), labels[1000:]].mean()

    def ece(temperature: float) -> float:
        probs = probabilities(overconfident[1000:], temperature)
        return expected_calibration_error(probs, labels[1000:])

    assert loss(t) < loss(1.0)
    assert ece(t) < 0.5 * ece(1.0)


def test_a_small_set_without_mistakes_does_not_ask_for_boundless_confidence():
    labels = np.arange(20) % 2
    t = fit_temperature(2.0 * np.eye(2)[labels], labels)
    assert TEMPERATURES[0] * 2 < t
    assert 0.9 < probabilities(2.0 * np.eye(2)[labels], t).max() < 0.999


def test_ece_by_hand():
    probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    labels = [0, 1, 1, 1]
    # Bin of 0.9: accuracy 0.5; bin of 0.6: accuracy 1. Half of the images each.
    assert expected_calibration_error(probs, labels) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)


def test_ece_of_the_sure_and_right_is_zero():
    assert expected_calibration_error(np.eye(3), [0, 1, 2]) == 0.0


def test_bins_hold_every_image_and_empty_ones_are_undefined():
    logits, labels = calibrated(300)
    bars = reliability_bins(probabilities(logits), labels)
    assert len(bars) == 15
    assert sum(bar.n for bar in bars) == 300
    assert bars[0].n == 0
    assert bars[0].accuracy is None
    assert all(bar.low <= bar.confidence <= bar.high for bar in bars if bar.n)
    gap = sum(bar.n * abs(bar.accuracy - bar.confidence) for bar in bars if bar.n) / 300
    assert gap == pytest.approx(expected_calibration_error(probabilities(logits), labels))


def test_the_interval_of_a_calibrated_model_holds_its_value():
    logits, labels = calibrated(140)
    ece = evaluate_logits(logits, labels, list("abcd"), n_bootstrap=300).metrics["ece"]
    assert ece.low < ece.value < ece.high
