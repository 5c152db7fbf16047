import numpy as np
import pytest

from hf_vft.monitoring.change_point import find_change


def stepped(n, at, size, seed):
    values = np.random.default_rng(seed).normal(size=n)
    values[at:] += size
    return values


@pytest.mark.parametrize("size", [1.0, -1.0])
def test_a_step_is_found_where_it_is_and_its_interval_mostly_holds_it(size):
    found = [find_change(stepped(600, 400, size, seed), seed=seed) for seed in range(30)]
    assert all(one is not None for one in found)
    assert np.median([abs(one.place - 400) for one in found]) <= 8
    assert sum(one.low <= 400 <= one.high for one in found) >= 27
    assert np.sign(found[0].after - found[0].before) == np.sign(size)


def test_views_of_one_part_count_as_one_in_the_interval():
    held = 0
    for seed in range(30):
        found = find_change(np.repeat(stepped(300, 200, 0.8, seed), 2), seed=seed)
        held += found.low <= 400 <= found.high
    assert held >= 27


def test_a_rare_event_that_becomes_frequent_is_a_change():
    rng = np.random.default_rng(3)
    wrong = np.concatenate([rng.random(500) < 0.05, rng.random(300) < 0.25]).astype(float)
    found = find_change(wrong)
    assert abs(found.place - 500) < 40


def test_nothing_is_stated_where_nothing_changed():
    stated = sum(
        find_change(np.random.default_rng(seed).normal(size=400), seed=seed) is not None
        for seed in range(100)
    )
    assert stated <= 4


def test_what_only_wanders_with_the_hours_is_no_change():
    hours = np.sin(np.arange(1400) / 16)
    stated = sum(
        find_change(hours + np.random.default_rng(seed).normal(size=1400), seed=seed) is not None
        for seed in range(20)
    )
    assert stated <= 1


def test_a_long_series_and_one_without_spread_are_dealt_with():
    found = find_change(stepped(50_001, 30_000, 1.0, 0))
    assert abs(found.place - 30_000) < 200
    assert find_change(np.ones(500)) is None
    assert find_change(np.arange(20.0)) is None
