"""A threshold by cost: as calibrated scores call for, unless held-out images say otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from hf_vft.evaluation.costs import cost_threshold, rule_costs

RNG = np.random.default_rng(0)
SCORES = RNG.random(4000)
UNITS = np.arange(4000)


def test_calibrated_scores_are_taken_at_their_word() -> None:
    there = RNG.random(4000) < SCORES
    threshold, reason = cost_threshold(SCORES, there, miss=9, false_alarm=1, units=UNITS)
    assert threshold == pytest.approx(0.1)
    assert "do not say otherwise" in reason


def test_scores_that_are_far_too_high_are_not() -> None:
    there = RNG.random(4000) < SCORES**4
    threshold, reason = cost_threshold(SCORES, there, miss=9, false_alarm=1, units=UNITS)
    assert threshold == pytest.approx(0.1**0.25, abs=0.1)
    assert "clearly the cheapest" in reason


def test_costs_are_counted_and_compared_in_pairs() -> None:
    there = np.array([True] * 20 + [False] * 80)
    late = np.array([True] * 10 + [False] * 90)
    early = np.array([True] * 30 + [False] * 70)
    found = rule_costs({"early": early, "late": late}, there, miss=5, false_alarm=1, usual="late")
    assert (found["late"].misses, found["late"].false_alarms) == (10, 0)
    assert (found["early"].misses, found["early"].false_alarms) == (0, 10)
    assert found["late"].cost.value == pytest.approx(50.0)
    saves = found["early"].saves
    assert saves is not None
    assert saves.value == pytest.approx(40.0)
    assert saves.low is not None
    assert 0 < saves.low < 40 < (saves.high or 0)
    assert found["late"].saves is None
