"""Heads in one step, against the definitions that they shorten."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from hf_vft.models.linear_heads import class_means, cosine_prototypes, discriminant, prototypes

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(3), [4, 6, 2])
FEATURES = RNG.normal(size=(12, 5)) + LABELS[:, None]
ASKED = RNG.normal(size=(40, 5)) + 1


def test_prototypes_are_at_squared_distance() -> None:
    means = np.stack([FEATURES[c == LABELS].mean(0) for c in range(3)])
    np.testing.assert_allclose(class_means(FEATURES, LABELS, 3), means)
    distances = ((ASKED[:, None] - means[None]) ** 2).sum(2)
    logits = prototypes(FEATURES, LABELS, 3).logits(ASKED)
    np.testing.assert_allclose(logits - (ASKED**2).sum(1, keepdims=True), -distances)


def test_cosine_prototypes_answer_by_the_cosine() -> None:
    unit = FEATURES / np.linalg.norm(FEATURES, axis=1, keepdims=True)
    means = class_means(unit, LABELS, 3)
    cosines = (ASKED @ means.T) / np.linalg.norm(means, axis=1)
    cosines /= np.linalg.norm(ASKED, axis=1, keepdims=True)
    answers = cosine_prototypes(FEATURES, LABELS, 3).logits(ASKED).argmax(1)
    assert (answers == cosines.argmax(1)).all()


@pytest.mark.parametrize("shrinkage", [0.1, 0.5])
def test_a_discriminant_of_equal_classes_is_that_of_scikit_learn(shrinkage: float) -> None:
    labels = np.repeat(np.arange(3), 4)
    peer = LinearDiscriminantAnalysis(
        solver="lsqr", covariance_estimator=_Shrunken(shrinkage), priors=[1 / 3] * 3
    ).fit(FEATURES, labels)
    ours = discriminant(FEATURES, labels, 3, shrinkage=shrinkage).logits(ASKED)
    theirs = peer.decision_function(ASKED)
    gaps = ours - ours[:, :1], theirs - theirs[:, :1]
    np.testing.assert_allclose(*gaps, rtol=1e-6, atol=1e-8)


class _Shrunken:
    """A covariance estimator of scikit-learn: towards the identity times the mean variance."""

    def __init__(self, shrinkage: float) -> None:
        self.shrinkage = shrinkage

    def fit(self, x: np.ndarray) -> _Shrunken:
        found = np.cov(x.T, bias=True)
        # Scikit-learn shrinks each class's covariance by itself, which is linear in it.
        own = np.eye(len(found)) * np.trace(found) / len(found)
        self.covariance_ = (1 - self.shrinkage) * found + self.shrinkage * own
        return self


def test_a_whole_shrinkage_answers_as_prototypes() -> None:
    found = discriminant(FEATURES, LABELS, 3, shrinkage=1.0).logits(ASKED).argmax(1)
    assert (found == prototypes(FEATURES, LABELS, 3).logits(ASKED).argmax(1)).all()


def test_single_images_have_no_spread() -> None:
    found = discriminant(FEATURES[:3], np.arange(3), 3, shrinkage=0.1)
    np.testing.assert_allclose(found.weight, prototypes(FEATURES[:3], np.arange(3), 3).weight)
