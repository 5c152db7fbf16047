"""The head for a handful of images: what is compared, what is taken, and that it is one layer."""

from __future__ import annotations

import numpy as np
import pytest

from hf_vft.models.few_shot import MEAN, NEIGHBOURS, PROBE, UNTESTED, FewShot, few_shot_head
from hf_vft.models.logistic import LinearProbe
from hf_vft.models.probe import fit_linear_probe

CLASSES, WIDTH = 4, 48
RNG = np.random.default_rng(1)
MEANS = RNG.normal(size=(CLASSES, WIDTH)) * 0.6
NUISANCE = RNG.normal(size=(6, WIDTH))
"""Directions in which images of a class differ much."""


def drawn(shots: int, views: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Views ``[V, N, D]`` and labels; the views of an image lie near each other."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), shots)
    images = MEANS[labels] + 2 * rng.normal(size=(len(labels), 6)) @ NUISANCE
    images += rng.normal(size=images.shape)
    shown = [images + rng.normal(size=(len(labels), 6)) @ NUISANCE for _ in range(views - 1)]
    return np.stack([images, *shown]), labels


def chosen(shots: int, views: int = 4) -> tuple[FewShot, LinearProbe]:
    shown, labels = drawn(shots, views, seed=2)
    probe = fit_linear_probe(shown[0], labels, num_classes=CLASSES)
    return few_shot_head(shown, labels, num_classes=CLASSES, probe=probe), probe


def test_all_heads_are_compared_and_a_better_one_than_the_probe_is_taken() -> None:
    found, probe = chosen(shots=6)
    assert {one.name for one in found.compared} >= {PROBE, MEAN, NEIGHBOURS}
    known = {one.name: one for one in found.compared}
    assert found.name != NEIGHBOURS, "no linear layer answers as neighbours do"
    assert (known[found.name].score or 0) >= (known[PROBE].score or 0)
    test, truth = drawn(100, 1, seed=3)
    right, before = ((h.logits(test[0]).argmax(1) == truth).mean() for h in (found.head, probe))
    assert right > before + 0.05, f"{found.name} {right:.3f}, probe {before:.3f}"


def test_the_delivered_head_is_in_the_units_of_the_features() -> None:
    found, _ = chosen(shots=6)
    assert found.head.weight.shape == (CLASSES, WIDTH)
    assert found.head.bias.shape == (CLASSES,)
    assert np.isfinite(found.head.weight).all()


def test_single_images_are_not_cross_fitted_and_that_is_said() -> None:
    found, _ = chosen(shots=1)
    assert found.name == UNTESTED
    assert "single image" in found.reason
    assert all(one.score is None for one in found.compared)


def test_noise_is_no_reason_to_leave_the_probe_for_a_worse_head() -> None:
    """Where nothing can be told, what is taken is at least level with the probe on training."""
    rng = np.random.default_rng(0)
    views = rng.normal(size=(2, 24, WIDTH))
    labels = np.repeat(np.arange(CLASSES), 6)
    probe = fit_linear_probe(views[0], labels, num_classes=CLASSES)
    found = few_shot_head(views, labels, num_classes=CLASSES, probe=probe)
    known = {one.name: one for one in found.compared}
    assert (known[found.name].score or 0) >= (known[PROBE].score or 0)


def test_the_same_seed_gives_the_same_head() -> None:
    first, second = (chosen(shots=5)[0] for _ in range(2))
    np.testing.assert_array_equal(first.head.weight, second.head.weight)


@pytest.mark.parametrize("views", [1, 3])
def test_one_view_is_enough(views: int) -> None:
    assert np.isfinite(chosen(shots=3, views=views)[0].head.bias).all()
