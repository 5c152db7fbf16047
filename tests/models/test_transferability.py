from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from hf_vft.models import transferability
from hf_vft.models.probe import held_out_logits
from hf_vft.models.transferability import knn_shares, log_maximum_evidence


def clouds(distance: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes of 30 images, ``distance`` standard deviations from the middle."""
    labels = np.repeat([0, 1, 2], 30)
    noise = np.random.default_rng(seed).normal(size=(90, 12))
    return noise + distance * np.eye(12)[labels], labels


def test_all_opinions_grow_with_what_the_features_know() -> None:
    found = []
    for distance in (0.0, 1.5, 4.0):
        x, y = clouds(distance)
        rows, logits = held_out_logits(x, y, num_classes=3)
        marks = np.eye(3)[y]
        knn = (knn_shares(x, marks).argmax(1) == y).mean()
        found.append((log_maximum_evidence(x, marks), knn, (logits.argmax(1) == y[rows]).mean()))
    for scores in zip(*found, strict=True):
        assert scores[0] < scores[1] < scores[2]
    assert found[2][1] > 0.95
    assert found[2][2] > 0.95


@pytest.mark.parametrize("width", [4, 12])
def test_evidence_is_that_of_the_bayesian_linear_model(width: int) -> None:
    """The targets are normal, with covariance I / beta + F Fᵀ / alpha."""
    rng = np.random.default_rng(1)
    features, target = rng.normal(size=(9, width)), rng.normal(size=9)
    left, values, _ = np.linalg.svd(features, full_matrices=False)
    along = (left.T @ target) ** 2
    beside = max(float(target @ target - along.sum()), 0.0)
    for alpha, beta in ((1.0, 1.0), (0.3, 5.0)):
        found = transferability._log_evidence(values**2, along, beside, width, 9, alpha, beta)
        covariance = np.eye(9) / beta + features @ features.T / alpha
        expected = multivariate_normal(np.zeros(9), covariance).logpdf(target)
        assert found == pytest.approx(expected)


def test_several_classes_of_an_image_are_voted_on_one_by_one() -> None:
    x, y = clouds(4.0)
    marks = np.stack([y == 0, y < 2, np.zeros(90)], axis=1)
    shares = knn_shares(x, marks)
    assert ((shares > 0.5) == marks).all(1).mean() > 0.9
    shuffled = np.random.default_rng(1).permutation(marks)
    assert log_maximum_evidence(x, marks) > log_maximum_evidence(x, shuffled)


def test_images_of_the_same_group_do_not_vote() -> None:
    rng = np.random.default_rng(0)
    twins = np.repeat(rng.normal(size=(20, 8)), 2, axis=0)
    labels = np.repeat(np.arange(20) % 2, 2)
    groups, marks = np.repeat(np.arange(20), 2), np.eye(2)[labels]
    alone = (knn_shares(twins, marks, k=1).argmax(1) == labels).mean()
    apart = (knn_shares(twins, marks, k=1, groups=groups).argmax(1) == labels).mean()
    assert alone == 1.0
    assert apart < 0.8


def test_held_out_answers_never_saw_their_group() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(30, 40))
    x = np.repeat(centres, 3, axis=0) + 0.01 * rng.normal(size=(90, 40))
    y, groups = np.repeat(np.arange(30) % 2, 3), np.repeat(np.arange(30), 3)
    leaky_rows, leaky = held_out_logits(x, y, num_classes=2)
    rows, fair = held_out_logits(x, y, num_classes=2, groups=groups.tolist())
    assert (leaky.argmax(1) == y[leaky_rows]).mean() > 0.95
    assert (fair.argmax(1) == y[rows]).mean() < 0.8
    assert len(held_out_logits(x[:3], np.array([0, 1, 2]), num_classes=3)[0]) == 0
