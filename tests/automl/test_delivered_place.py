"""Which place on the line between probe and fine-tuned weights is taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hf_vft.automl.delivered_place import ENOUGH, Evidence, best_place, harms, safe_place

PLACES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])


def evidence(merits: list[float], count: int, noise: float = 0.0, seed: int = 0) -> Evidence:
    rng = np.random.default_rng(seed)
    seen = np.asarray(merits)[:, None] + noise * rng.normal(size=(5, count))
    return Evidence(PLACES, seen, -seen, np.ones(count), np.arange(count), count // 2)


def test_with_enough_images_the_best_answers_decide() -> None:
    assert best_place(evidence([0.1, 0.4, 0.5, 0.3, 0.2], 4 * ENOUGH), 0) == 0.5


def test_the_loss_decides_between_places_that_are_as_often_right() -> None:
    seen = evidence([0.1, 0.5, 0.5, 0.5, 0.2], 4 * ENOUGH)
    losses = np.array([0.1, 0.9, 0.8, 0.7, 0.1])[:, None] * np.ones(4 * ENOUGH)
    assert best_place(replace(seen, losses=losses), 0) == 0.75


def test_with_few_images_a_clear_winner_is_taken_and_noise_is_averaged() -> None:
    clear = evidence([0.0, 0.5, 1.0, 1.5, 2.8], 20, noise=0.1)
    assert best_place(clear, 0) == 1.0
    level = [best_place(evidence([1.0] * 5, 20, noise=1.0, seed=s), 0) for s in range(20)]
    single = [
        float(PLACES[evidence([1.0] * 5, 20, noise=1.0, seed=s).merits.mean(1).argmax()])
        for s in range(20)
    ]
    assert np.std(level) < 0.8 * np.std(single)
    assert np.mean(level) == pytest.approx(0.5, abs=0.15)


def wrong_at(place: int, images_wrong: int, count: int = 100) -> Evidence:
    seen = evidence([1.0] * 5, count)
    seen.merits[place, :images_wrong] = 0.0
    return seen


def test_a_place_that_answers_fewer_right_than_the_probe_is_not_taken() -> None:
    assert harms(wrong_at(4, 12), 1.0)
    assert safe_place(wrong_at(4, 12), 1.0) == 0.75
    assert safe_place(wrong_at(4, 0), 1.0) == 1.0
    # As many right answers as wrong ones are new: that is noise.
    seen = wrong_at(4, 12)
    seen.merits[0, 20:33] = 0.0
    assert safe_place(seen, 1.0) == 1.0


def test_where_all_places_do_harm_the_probe_is_left() -> None:
    seen = wrong_at(1, 12)
    seen.merits[1:, :12] = 0.0
    assert safe_place(seen, 1.0) == 0.0
