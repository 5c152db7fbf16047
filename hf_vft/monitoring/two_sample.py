"""Tests of whether two samples come from one distribution, with the size of the difference.

Every test here takes the reference as what it is, a finite sample. A test that takes it for the
truth alarms on half of all windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist
from scipy.stats import MonteCarloMethod, chi2_contingency, ks_2samp, mannwhitneyu
from scipy.stats import wasserstein_distance as wasserstein
from sklearn.linear_model import LogisticRegression

Floats = npt.NDArray[np.float64]

FEATURES = 512
"""Random Fourier features of the kernel (Rahimi & Recht 2007)."""

_EXACT = 5  # expected counts below this make the chi-square approximation poor
RESAMPLES = 1999


@dataclass(frozen=True)
class Difference:
    """The result of a two-sample test.

    Attributes:
        statistic: Of the test.
        p_value: None where there was nothing to test.
        effect: How large the difference is.
    """

    statistic: float
    p_value: float | None
    effect: float


def numeric_difference(reference: npt.ArrayLike, current: npt.ArrayLike) -> Difference:
    """Two-sample Kolmogorov-Smirnov; the effect is Wasserstein / SD.

    Missing values are left out. Without any spread in both there is nothing to test.
    """
    ours, theirs = _finite(reference), _finite(current)
    pooled = np.concatenate([ours, theirs])
    if not len(ours) or not len(theirs) or np.ptp(pooled) == 0:
        return Difference(0.0, None, 0.0)
    test = ks_2samp(ours, theirs, method="asymp")
    spread = float(ours.std()) or float(pooled.std())
    return Difference(
        float(test.statistic), float(test.pvalue), float(wasserstein(ours, theirs)) / spread
    )


def categorical_difference(
    counts: npt.ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """Chi-square test of a contingency table; the effect is Cramér's V.

    Where a category is rare, the p-value comes from tables with the same margins instead of the
    approximation.

    Args:
        counts: ``[2, K]``, the reference first.
        resamples: How many tables; 0 is content with the approximation.
        seed: Of the tables.
    """
    table = np.asarray(counts, dtype=np.int64)
    table = table[:, table.sum(0) > 0]
    if table.shape[1] < 2 or (table.sum(1) == 0).any():
        return Difference(0.0, None, 0.0)
    test = chi2_contingency(table, correction=False)
    p_value = test.pvalue
    if resamples and test.expected_freq.min() < _EXACT:
        rng = np.random.default_rng(seed)
        method = MonteCarloMethod(n_resamples=resamples, rng=rng)
        p_value = chi2_contingency(table, correction=False, method=method).pvalue
    return Difference(
        float(test.statistic), float(p_value), float(np.sqrt(test.statistic / table.sum()))
    )


def columns_difference(reference: Floats, current: Floats) -> tuple[Difference, int]:
    """Kolmogorov-Smirnov on each column, Bonferroni over all (Rabanser et al. 2019).

    Args:
        reference: ``[N, K]``.
        current: ``[M, K]``.

    Returns:
        The difference, whose effect is the largest KS distance, and the column that it is in.
    """
    tests = [
        ks_2samp(reference[:, k], current[:, k], method="asymp") for k in range(reference.shape[1])
    ]
    p_values = np.array([test.pvalue for test in tests])
    distances = np.array([test.statistic for test in tests])
    worst = int(np.lexsort((-distances, p_values))[0])
    p_value = min(1.0, float(p_values[worst]) * len(tests))
    return Difference(float(distances[worst]), p_value, float(distances.max())), worst


def random_features(points: Floats, width: float, seed: int = 0) -> Floats:
    """Features ``[N, FEATURES]`` whose inner products are a Gaussian kernel of this width."""
    rng = np.random.default_rng(seed)
    half = FEATURES // 2
    angles = points @ rng.normal(scale=1.0 / width, size=(points.shape[1], half))
    features: Floats = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / np.sqrt(half)
    return features


def median_distance(points: Floats, rng: np.random.Generator) -> float:
    """The usual width of the kernel, from at most 500 points."""
    if len(points) > 500:
        points = points[rng.choice(len(points), 500, replace=False)]
    return float(np.median(pdist(points))) or 1.0


def mean_discrepancy(
    reference: Floats, current: Floats, *, permutations: int, rng: np.random.Generator
) -> Difference:
    """Maximum mean discrepancy with a permutation test (Gretton et al. 2012).

    Args:
        reference: ``[N, D]``.
        current: ``[M, D]``.
        permutations: Of which sample a point is from; 0 tests nothing.
        rng: Of the permutations.

    Returns:
        The statistic is the squared MMD; the effect the MMD, 0 to about 1.4.
    """
    points = np.concatenate([reference, current])
    features = random_features(points, median_distance(points, rng))
    n, m = len(reference), len(current)
    side = np.concatenate([np.full(n, 1.0 / n), np.full(m, -1.0 / m)])
    observed = float(((side @ features) ** 2).sum())
    p_value = None
    if permutations:
        shuffled = rng.permuted(np.tile(side, (permutations, 1)), axis=1)
        null = ((shuffled @ features) ** 2).sum(1)
        p_value = (1.0 + float((null >= observed - 1e-12).sum())) / (1.0 + permutations)
    return Difference(observed, p_value, float(np.sqrt(observed)))


def classifier_difference(
    reference: Floats, current: Floats, rng: np.random.Generator
) -> Difference:
    """Classifier two-sample test (Lopez-Paz & Oquab 2017).

    Logistic regression learns on a half; how it ranks the other half is tested by Mann-Whitney.

    Returns:
        The statistic is the AUC on the other half; the effect is 2 AUC - 1.
    """
    halves = [_halves(len(points), rng) for points in (reference, current)]
    learn = np.concatenate([reference[halves[0][0]], current[halves[1][0]]])
    sides = np.repeat([0, 1], [len(halves[0][0]), len(halves[1][0])])
    centre, spread = learn.mean(0), learn.std(0)
    spread[spread == 0] = 1.0
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=200)
    model.fit((learn - centre) / spread, sides)
    ours, theirs = (
        model.decision_function((points[half[1]] - centre) / spread)
        for points, half in zip((reference, current), halves, strict=True)
    )
    test = mannwhitneyu(theirs, ours, alternative="greater", method="asymptotic")
    auc = float(test.statistic) / (len(ours) * len(theirs))
    return Difference(auc, float(test.pvalue), 2.0 * auc - 1.0)


def _halves(n: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], ...]:
    order = rng.permutation(n)
    return order[: n // 2], order[n // 2 :]


def _finite(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]
