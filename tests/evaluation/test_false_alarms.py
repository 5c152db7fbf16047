"""A threshold keeps its promise on images that it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from hf_vft.errors import DataError
from hf_vft.evaluation.false_alarms import threshold_at


@pytest.mark.parametrize("images", [30, 100, 1500])
@pytest.mark.parametrize("spread", [0.05, 0.3])
def test_good_images_exceed_it_about_as_often_as_asked(images: int, spread: float):
    rng = np.random.default_rng(0)

    def scores(n: int) -> np.ndarray:
        """Of an image: the largest of many distances."""
        return np.exp(rng.normal(0.0, spread, size=(n, 200))).max(1)

    later = scores(4_000)
    rates = [np.mean(later > threshold_at(scores(images), 0.02, seed=0).value) for _ in range(20)]

    assert 0.008 < np.mean(rates) < 0.04


def test_few_images_give_more_than_their_largest_score_and_a_wide_interval():
    rng = np.random.default_rng(1)
    scores = rng.gumbel(10.0, 1.0, 40)
    few = threshold_at(scores, 0.01, seed=0)
    many = threshold_at(rng.gumbel(10.0, 1.0, 3_000), 0.01, seed=0)

    assert few.value > scores.max()
    assert few.low < few.value < few.high
    assert many.high - many.low < few.high - few.low
    assert "Gumbel" in few.method
    assert "quantile" in many.method


def test_one_odd_image_does_not_decide():
    scores = np.random.default_rng(2).gumbel(10.0, 1.0, 60)
    odd = np.append(scores, 40.0)

    assert threshold_at(odd, 0.01, seed=0).value < 25.0


@pytest.mark.parametrize("scores", [np.ones(3), np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])])
def test_too_few_or_undefined_scores_are_refused(scores: np.ndarray):
    with pytest.raises(DataError, match="too few for a threshold"):
        threshold_at(scores, 0.01, seed=0)
