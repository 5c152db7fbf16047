from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from hf_vft.models.multilabel_probe import fit_multilabel_probe


def made(n: int = 160, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(3.0, [1, 10, 0.1, 1, 1, 1], size=(n, 6)).astype(np.float32)
    marks = np.stack(
        [features[:, 0] > 3, features[:, 1] + 10 * features[:, 0] > 33, np.zeros(n)], axis=1
    )
    return features, marks.astype(int)


def test_every_class_is_its_own_logistic_regression() -> None:
    features, marks = made()
    probe = fit_multilabel_probe(features, marks, num_classes=3, balanced=False)
    standard = (features - features.mean(0)) / features.std(0)
    for c in range(2):  # the third never occurs
        alone = LogisticRegression(C=probe.penalty, max_iter=2000).fit(standard, marks[:, c])
        expected = alone.decision_function(standard)
        np.testing.assert_allclose(probe.logits(features)[:, c], expected, atol=2e-2)


def test_what_can_be_told_is_told_and_what_never_occurs_is_not_answered() -> None:
    features, marks = made()
    probe = fit_multilabel_probe(features, marks, num_classes=3)
    held_out, truth = made(seed=1)
    logits = probe.logits(held_out)
    assert ((logits[:, :2] > 0) == truth[:, :2]).mean() > 0.9
    assert (logits[:, 2] < -5).all()
    assert probe.cv_log_loss < 0.5


def test_groups_are_not_torn_apart() -> None:
    """Copies on both sides of a fold would ask for next to no penalty."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(12, 40)), 6, 0).astype(np.float32)
    marks = np.repeat(rng.integers(0, 2, (12, 2)), 6, 0)
    groups = np.repeat(np.arange(12), 6).tolist()
    torn, whole = (
        fit_multilabel_probe(features, marks, num_classes=2, groups=g) for g in (None, groups)
    )
    assert torn.cv_log_loss < 0.2 < whole.cv_log_loss


def test_too_few_images_to_cross_validate() -> None:
    probe = fit_multilabel_probe(np.ones((1, 3), np.float32), np.ones((1, 2)), num_classes=2)
    assert probe.cv_log_loss is None
    assert probe.logits(np.ones((1, 3)))[0] == pytest.approx([10.0, 10.0])
