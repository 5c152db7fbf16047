"""The linear probe: scikit-learn's, converged, and the same after its scaling is folded in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from hf_vft.models import probe as probe_module
from hf_vft.models.logistic import LinearProbe
from hf_vft.models.probe import fit_linear_probe, stratified_folds, transfer_losses


def made(
    classes: int, count: int = 90, width: int = 12, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clouds on axes of very different scales, and their ids; uneven classes."""
    rng = np.random.default_rng(seed)
    shares = np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()
    labels = np.sort(rng.choice(classes, count, p=shares))
    labels[:classes] = np.arange(classes)
    centres = rng.normal(size=(classes, width))
    features = centres[labels] + 1.2 * rng.normal(size=(count, width))
    scaled = features * np.logspace(-2, 3, width) + 50.0
    return scaled.astype(np.float32), labels


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("balanced", [True, False])
def test_it_answers_as_scikit_learn_does(classes: int, balanced: bool) -> None:
    features, labels = made(classes)
    probe = fit_linear_probe(features, labels, num_classes=classes, balanced=balanced)
    weight = "balanced" if balanced else None
    expected = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=probe.penalty, class_weight=weight, max_iter=5000, tol=1e-8),
    ).fit(features, labels)
    found = softmax(probe.logits(features))
    np.testing.assert_allclose(found, expected.predict_proba(features), atol=2e-3)


@pytest.mark.parametrize("classes", [2, 4])
def test_it_has_converged(classes: int) -> None:
    """The gradient of the penalised loss, in the units of the standardised features, is zero."""
    features, labels = made(classes)
    probe = fit_linear_probe(features, labels, num_classes=classes, balanced=False)
    mean, scale = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    x, y = torch.tensor((features - mean) / scale), torch.tensor(labels)

    def gradient(weight: torch.Tensor, bias: torch.Tensor) -> float:
        weight.requires_grad_()
        loss = nn.functional.cross_entropy(x @ weight.T + bias, y)
        # Two classes have one vector of weights, of which each row holds a half.
        rows = 2 if classes == 2 else 1
        penalty = weight.square().sum() * rows / (2 * probe.penalty * len(y))
        (loss + penalty).backward()
        return float(weight.grad.abs().max())

    weight = torch.tensor(probe.weight.astype(np.float64) * scale)
    bias = torch.tensor(probe.bias + probe.weight.astype(np.float64) @ mean)
    assert gradient(weight, bias) < 1e-3 * gradient(torch.zeros_like(weight), torch.zeros(classes))


@pytest.mark.parametrize("classes", [2, 5])
def test_a_layer_that_it_is_copied_to_gives_its_logits(classes: int) -> None:
    features, labels = made(classes)
    probe = fit_linear_probe(features, labels, num_classes=classes)
    layer = nn.Linear(features.shape[1], classes)
    probe.copy_to(layer)
    with torch.inference_mode():
        found = layer(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(found, probe.logits(features), atol=1e-3, rtol=1e-4)
    assert (found.argmax(1) == probe.logits(features).argmax(1)).all()


def test_what_never_varies_is_not_used() -> None:
    features, labels = made(3)
    features[:, 4] = 7.0
    probe = fit_linear_probe(features, labels, num_classes=3)
    assert np.isfinite(probe.weight).all()
    assert not probe.weight[:, 4].any()


def test_the_penalty_is_weak_where_the_classes_are_clear_and_strong_in_noise() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    clear = np.eye(3)[labels] * 8 + rng.normal(size=(120, 3))
    noise = rng.normal(size=(120, 30))
    weak = fit_linear_probe(clear.astype(np.float32), labels, num_classes=3)
    strong = fit_linear_probe(noise.astype(np.float32), labels, num_classes=3)
    assert strong.penalty < weak.penalty
    assert weak.cv_log_loss is not None
    assert weak.cv_log_loss < 0.1
    assert strong.cv_log_loss == pytest.approx(np.log(3), rel=0.1)


def test_a_group_is_never_on_both_sides_of_a_fold() -> None:
    """Features that tell the group tell the class only to whoever has seen the group."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 5)
    labels = rng.permutation(np.arange(24) % 2)[groups]
    features = (rng.normal(size=(24, 40))[groups] + 0.01 * rng.normal(size=(120, 40))).astype("f4")
    apart = fit_linear_probe(features, labels, num_classes=2, groups=groups.tolist())
    mixed = fit_linear_probe(features, labels, num_classes=2)
    assert mixed.cv_log_loss is not None
    assert apart.cv_log_loss is not None
    assert mixed.cv_log_loss < 0.3
    assert apart.cv_log_loss > 0.5


def test_balance_pays_heed_to_the_rare_class() -> None:
    rng = np.random.default_rng(1)
    labels = np.array([0] * 180 + [1] * 20)
    features = (labels[:, None] * 1.5 + rng.normal(size=(200, 2))).astype(np.float32)
    found = {
        balanced: fit_linear_probe(features, labels, num_classes=2, balanced=balanced)
        .logits(features)
        .argmax(1)
        for balanced in (True, False)
    }
    rare = labels == 1
    assert found[True][rare].mean() > found[False][rare].mean()


def test_a_class_of_one_image_leaves_the_others_their_folds() -> None:
    features, labels = made(3, count=30)
    labels[labels == 0] = 1
    labels[0] = 0
    probe = fit_linear_probe(features, labels, num_classes=3)
    assert probe.cv_log_loss is not None
    assert probe.logits(features).shape == (30, 3)
    for learned, tested in stratified_folds(labels, None, 5, 0):
        assert 0 in learned
        assert 0 not in tested


def test_where_nothing_divides_there_are_no_folds() -> None:
    features, labels = made(2, count=30)
    labels[:] = 1
    labels[0] = 0
    assert fit_linear_probe(features, labels, num_classes=2).cv_log_loss is None
    assert transfer_losses(features, {"same": features}, labels) == {}


def test_images_without_a_group_are_groups_of_their_own() -> None:
    features, labels = made(3)
    groups = [None if i % 2 else f"part {i % 5}" for i in range(len(labels))]
    probe = fit_linear_probe(features, labels, num_classes=3, groups=groups)
    assert probe.cv_log_loss is not None
    assert set(transfer_losses(features, {"same": features}, labels, groups=groups)) == {"", "same"}
    alone = [None] * len(labels)
    assert fit_linear_probe(features, labels, num_classes=3, groups=alone).cv_log_loss is not None


def test_a_group_with_the_only_images_of_a_class_stays_whole() -> None:
    labels = np.array([0, 1] * 12 + [2, 2, 0])
    groups = [i // 4 for i in range(24)] + [99, 99, 99]
    for learned, tested in stratified_folds(labels, groups, 3, 0):
        assert {24, 25, 26} <= set(learned.tolist())
        assert not {groups[i] for i in learned} & {groups[i] for i in tested}


def test_a_rare_class_is_in_the_part_that_is_cross_validated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe_module, "CV_LIMIT", 100)
    labels = np.array([0] * 2000 + [1] * 1000 + [2] * 6)
    features = np.eye(3)[labels] + np.random.default_rng(0).normal(size=(len(labels), 3))
    subset = np.unique(
        np.concatenate([np.concatenate(pair) for pair in stratified_folds(labels, None, 5, 0)])
    )
    assert np.bincount(labels[subset]).tolist() == [67, 33, 6]
    assert fit_linear_probe(features.astype("f4"), labels, num_classes=3).cv_log_loss is not None


def test_a_class_without_images_is_never_the_answer() -> None:
    features, labels = made(3)
    probe = fit_linear_probe(features, labels * 2, num_classes=6)
    assert set(probe.logits(features).argmax(1)) <= {0, 2, 4}


def test_it_is_the_same_every_time() -> None:
    features, labels = made(4)
    first, second = (fit_linear_probe(features, labels, num_classes=4) for _ in range(2))
    assert isinstance(first, LinearProbe)
    assert np.array_equal(first.weight, second.weight)
    assert first.penalty == second.penalty
