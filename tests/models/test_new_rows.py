"""Rows for new classes: the old ones stay, the new class is found, old classes do not lose."""

from __future__ import annotations

import numpy as np
import pytest

from hf_vft.models.logistic import LinearHead
from hf_vft.models.new_rows import Seen, with_new_rows
from hf_vft.models.probe import fit_linear_probe

CLASSES, WIDTH = 4, 32
MEANS = np.random.default_rng(0).normal(size=(CLASSES, WIDTH)) * 0.9


def drawn(counts: list[int], seed: int) -> Seen:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    return Seen((MEANS[labels] + rng.normal(size=(len(labels), WIDTH))).astype("f4"), labels)


def known(fresh: list[int]) -> tuple[LinearHead, list[int]]:
    """A head that was fitted without some classes; their rows are drawn at random."""
    old = [label for label in range(CLASSES) if label not in fresh]
    seen = drawn([40] * CLASSES, seed=1)
    kept = np.isin(seen.labels, old)
    labels = np.searchsorted(old, seen.labels[kept])
    probe = fit_linear_probe(seen.features[kept], labels, num_classes=len(old))
    weight = np.random.default_rng(5).normal(size=(CLASSES, WIDTH)).astype("f4")
    bias = np.zeros(CLASSES, dtype="f4")
    weight[old], bias[old] = probe.weight, probe.bias
    return LinearHead(weight, bias), old


@pytest.mark.parametrize("fresh", [[3], [1], [2, 3]])
@pytest.mark.parametrize("few", [3, 10])
def test_new_classes_are_found_and_old_ones_do_not_lose(fresh: list[int], few: int) -> None:
    before, old = known(fresh)
    counts = [few if label in fresh else 40 for label in range(CLASSES)]
    train = drawn(counts, seed=2)
    held = drawn([2 if label in fresh else 15 for label in range(CLASSES)], seed=3)
    after = with_new_rows(before, fresh, train, held, seed=0)
    np.testing.assert_array_equal(after.weight[old], before.weight[old])
    np.testing.assert_array_equal(after.bias[old], before.bias[old])
    test = drawn([200] * CLASSES, seed=4)
    answers = after.logits(test.features).argmax(1)
    for label in fresh:
        assert (answers[test.labels == label] == label).mean() > 0.7
    mine = np.isin(test.labels, old)
    was = np.asarray(old)[before.logits(test.features)[:, old].argmax(1)]
    truth = test.labels
    lost = (was[mine] == truth[mine]).mean() - (answers[mine] == truth[mine]).mean()
    assert lost < 0.1


def test_a_single_image_of_a_class_is_learned_from_and_never_tested_by_itself() -> None:
    before, _ = known([3])
    train = drawn([40, 40, 40, 1], seed=2)
    held = drawn([15, 15, 15, 1], seed=3)
    after = with_new_rows(before, [3], train, held, seed=0)
    test = drawn([0, 0, 0, 200], seed=4)
    assert (after.logits(test.features).argmax(1) == 3).mean() > 0.3
