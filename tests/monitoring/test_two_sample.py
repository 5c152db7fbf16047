"""P-values that are what they say, against a finite reference, and power where there is drift."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, chisquare, kstest

from hf_vft.monitoring.two_sample import (
    categorical_difference,
    classifier_difference,
    columns_difference,
    mean_discrepancy,
    numeric_difference,
)

TRIES = 150


def p_values(test: Callable[[np.random.Generator], float | None]) -> np.ndarray:
    return np.array([test(np.random.default_rng([5, i])) for i in range(TRIES)], dtype=float)


def holds_its_level(p: np.ndarray) -> bool:
    """No more than 5 % below 0.05, but for what chance does once in a thousand."""
    return int((p < 0.05).sum()) <= binom.ppf(0.999, len(p), 0.05)


@pytest.mark.parametrize("n", [200, 2000])
def test_numeric_columns_hold_their_level(n: int) -> None:
    p = p_values(lambda r: numeric_difference(r.normal(size=400), r.normal(size=n)).p_value)
    assert holds_its_level(p)
    assert kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("shares", [[0.5, 0.3, 0.2], [0.97, 0.02, 0.01]])
def test_labels_hold_their_level_also_where_classes_are_rare(shares: list[float]) -> None:
    def draw(r: np.random.Generator) -> float | None:
        return categorical_difference(
            [r.multinomial(300, shares), r.multinomial(200, shares)]
        ).p_value

    assert holds_its_level(p_values(draw))


def test_the_one_sample_chi_square_does_not(  # why it is not used
) -> None:
    def draw(r: np.random.Generator) -> float:
        ours, theirs = r.multinomial(500, [0.2] * 5), r.multinomial(2000, [0.2] * 5)
        return float(chisquare(theirs, ours * 4).pvalue)

    assert (p_values(draw) < 0.05).mean() > 0.3


def test_many_columns_hold_their_level_together() -> None:
    p = p_values(
        lambda r: columns_difference(r.normal(size=(120, 32)), r.normal(size=(80, 32)))[0].p_value
    )
    assert holds_its_level(p)


def test_the_permutation_test_holds_its_level_and_is_uniform() -> None:
    def draw(r: np.random.Generator) -> float | None:
        return mean_discrepancy(
            r.normal(size=(60, 8)), r.normal(size=(50, 8)), permutations=99, rng=r
        ).p_value

    p = p_values(draw)
    assert holds_its_level(p)
    assert kstest(p, "uniform").pvalue > 1e-3


def test_the_classifier_test_holds_its_level() -> None:
    p = p_values(
        lambda r: classifier_difference(r.normal(size=(80, 8)), r.normal(size=(60, 8)), r).p_value
    )
    assert holds_its_level(p)


def test_each_test_finds_a_difference_and_says_how_large_it_is() -> None:
    r = np.random.default_rng(0)
    ours, theirs = r.normal(size=(400, 8)), r.normal(size=(400, 8))
    theirs[:, 0] += 1.0
    column = numeric_difference(ours[:, 0], theirs[:, 0])
    assert column.effect == pytest.approx(1.0, abs=0.15)
    columns, worst = columns_difference(ours, theirs)
    assert worst == 0
    kernel = mean_discrepancy(ours, theirs, permutations=199, rng=r)
    classifier = classifier_difference(ours, theirs, r)
    assert classifier.statistic == pytest.approx(0.76, abs=0.06)  # Phi(1 / sqrt(2))
    labels = categorical_difference([[200, 200], [300, 100]])
    assert labels.effect == pytest.approx(0.258, abs=0.01)
    for found in (column, columns, kernel, classifier, labels):
        assert found.p_value is not None
        assert found.p_value < 0.01


def test_without_any_spread_nothing_is_tested_and_a_new_value_is_seen() -> None:
    assert numeric_difference([96] * 50, [96] * 40).p_value is None
    changed = numeric_difference([96] * 50, [64] * 40)
    assert changed.p_value is not None
    assert changed.p_value < 1e-6
    assert numeric_difference([np.nan] * 3, [1.0, 2.0]).p_value is None
    assert categorical_difference([[5, 0], [7, 0]]).p_value is None
