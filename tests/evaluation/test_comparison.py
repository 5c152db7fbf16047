from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hf_vft.evaluation.comparison import compare

CLASSES = np.array(["ok", "scratch", "dent"])


def answers(rng: np.random.Generator, truth: np.ndarray, right: float) -> np.ndarray:
    return np.where(rng.random(len(truth)) < right, truth, rng.permutation(truth))


def test_scores_are_those_of_scikit_learn_and_who_is_right_alone_is_counted() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(CLASSES, 300)
    old, new = answers(rng, truth, 0.5), answers(rng, truth, 0.8)
    found = compare(truth.tolist(), old.tolist(), new.tolist())
    assert found.accuracy.champion == pytest.approx((old == truth).mean())
    assert found.f1_macro.challenger == pytest.approx(f1_score(truth, new, average="macro"))
    gap = found.only_challenger - found.only_champion
    assert found.accuracy.difference.value == pytest.approx(gap / 300)
    assert found.wins
    assert not found.loses(0.05)
    assert found.p_value < 1e-6
    back = compare(truth.tolist(), new.tolist(), old.tolist())
    assert back.loses(0.05)
    assert not back.wins


def test_the_interval_holds_the_true_difference() -> None:
    """Of nominal 95 %: the challenger answers a tenth of all images anew, as well as before."""
    held = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        right = rng.random((2, 120)) < 0.7
        anew = rng.random(120) < 0.3
        champion, challenger = right[0], np.where(anew, right[1], right[0])
        found = compare(
            ["yes"] * 120,
            np.where(champion, "yes", "no").tolist(),
            np.where(challenger, "yes", "no").tolist(),
            n_bootstrap=400,
            seed=seed,
        )
        difference = found.accuracy.difference
        held += difference.low <= 0 <= difference.high
    assert held >= 134  # less happens once in a thousand at 95 %


def test_images_of_one_group_count_as_one() -> None:
    rng = np.random.default_rng(1)
    truth = np.repeat(rng.choice(CLASSES, 40), 8)
    old = np.repeat(answers(rng, truth[::8], 0.6), 8)
    new = np.repeat(answers(rng, truth[::8], 0.7), 8)
    arguments = (truth.tolist(), old.tolist(), new.tolist())

    def width(groups: list[int] | None) -> float:
        difference = compare(*arguments, groups).accuracy.difference
        return float(difference.high - difference.low)

    assert width(np.repeat(np.arange(40), 8).tolist()) > 2 * width(None)


def test_models_that_agree_everywhere_may_still_differ_a_little() -> None:
    truth = ["ok", "dent"] * 15
    found = compare(truth, truth, truth)
    assert found.accuracy.difference.value == 0
    assert found.accuracy.difference.low == pytest.approx(-0.116, abs=0.002)  # 1 - 0.025^(1/30)
    assert not found.wins
    assert found.loses(0.05)  # 30 images cannot exclude a loss of five points
    assert not found.loses(0.2)
