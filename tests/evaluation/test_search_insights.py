from __future__ import annotations

import numpy as np
import pytest

from hf_vft.evaluation.results import Estimate
from hf_vft.evaluation.search_insights import ClassPair, Held, auroc, data_curve, gain

TRUTH = np.arange(300) % 3


def right_in(share: float, seed: int) -> np.ndarray:
    """Answers of which so many are right, each image by chance."""
    wrong = np.random.default_rng(seed).random(len(TRUTH)) > share
    return np.where(wrong, (TRUTH + 1) % 3, TRUTH)


@pytest.fixture(scope="module")
def held() -> Held:
    return Held(TRUTH, 3, "accuracy", n_bootstrap=400)


def test_a_gain_is_paired(held: Held) -> None:
    theirs = right_in(0.7, 0)
    ours = np.where(np.arange(300) < 30, TRUTH, theirs)
    found = gain(held, ours, theirs)
    assert found.value == pytest.approx((ours == TRUTH).mean() - (theirs == TRUTH).mean())
    assert found.low is not None
    assert found.high is not None
    assert found.low > 0
    assert found.high < 0.08  # unpaired it would reach 0.1
    assert gain(held, theirs, theirs).low is None  # no resample differs


def test_the_last_doubling_is_told_from_chance(held: Held) -> None:
    rising = {n: [right_in(s, n + i) for i in range(3)] for n, s in ((50, 0.5), (100, 0.6))}
    found = data_curve(held, rising | {200: [right_in(0.8, 7)]})
    assert found is not None
    assert [point.images for point in found.points] == [50, 100, 200]
    assert found.doubling.value == pytest.approx(
        (found.points[2].score.value or 0) - (found.points[1].score.value or 0)
    )
    assert (found.doubling.low or 0) > 0
    flat = data_curve(held, {100: [right_in(0.8, i) for i in range(3)], 200: [right_in(0.8, 9)]})
    assert flat is not None
    assert (flat.doubling.low or 0) < 0 < (flat.doubling.high or 0)
    assert data_curve(held, {200: [TRUTH]}) is None


def test_groups_widen_the_intervals() -> None:
    alone = Held(TRUTH, 3, "accuracy", n_bootstrap=400)
    grouped = Held(TRUTH, 3, "accuracy", n_bootstrap=400, clusters=(np.arange(300) // 60).tolist())
    said = np.where(np.arange(300) < 60, (TRUTH + 1) % 3, TRUTH)
    spread = [np.ptp(np.quantile(one.scores(said)[1], [0.025, 0.975])) for one in (alone, grouped)]
    assert spread[1] > 2 * spread[0]


def test_auroc_is_half_for_guesses_and_undefined_for_one_class() -> None:
    positive = np.arange(200) % 2 == 1
    guess = auroc(np.random.default_rng(0).random(200), positive)
    assert (guess.low or 0) < 0.5 < (guess.high or 0) < 0.65
    assert auroc(positive.astype(float), positive).value == 1.0
    assert auroc(np.zeros(3), np.zeros(3, dtype=bool)).value is None


@pytest.mark.parametrize(
    ("probe", "model", "inseparable"),
    [
        ((0.45, 0.58), (0.4, 0.7), True),
        ((0.45, 0.75), (0.4, 0.7), False),  # too few images to say
        ((0.45, 0.58), (0.8, 0.95), False),  # fine-tuning tells them apart
        ((0.45, 0.58), (0.5, 0.9), False),  # it may
    ],
)
def test_a_pair_is_inseparable_only_if_nothing_separates_it(
    probe: tuple[float, float], model: tuple[float, float], inseparable: bool
) -> None:
    estimates = [Estimate(value=sum(e) / 2, low=e[0], high=e[1]) for e in (probe, model)]
    pair = ClassPair(classes=("a", "b"), n=200, probe=estimates[0], model=estimates[1])
    assert pair.inseparable == inseparable
