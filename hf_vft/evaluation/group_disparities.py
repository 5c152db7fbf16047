"""One group against the others of its column, rate by rate, and the correction for all of them.

Of the 5 % that may be found where there is nothing to find, 3.5 % go to gaps in accuracy and
0.5 % to gaps in a class's recall and false positive rate, each by Holm (1979); what is left
covers that chi-square is an approximation. Gaps in selection rate
and confidence are no errors of the model; they are corrected among themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from hf_vft.evaluation.intervals import Floats, Ints
from hf_vft.evaluation.multiplicity import holm
from hf_vft.evaluation.results import Estimate, Gap

Z = 1.959964  # of a 95 % interval

ERROR_METRICS = ("accuracy", "recall", "false_positive_rate")
_FAMILIES = {
    ("accuracy",): 0.7,
    ("recall", "false_positive_rate"): 0.1,
    ("selection_rate", "confidence"): 1.0,
}
"""What is corrected together, and its share of the allowed false findings."""


@dataclass(frozen=True)
class Groups:
    """The rows of one column by value.

    Attributes:
        column: Its name.
        keys: Values with enough rows, G of them.
        codes: Position in ``keys`` of each row's value ``[N]``; G for all other values.
        small: Values with too few rows, and how many.
    """

    column: str
    keys: list[str]
    codes: Ints
    small: dict[str, int]

    @classmethod
    def of(cls, column: str, values: Sequence[str], min_rows: int) -> Groups:
        """Group ``values``; one with fewer than ``min_rows`` rows is small."""
        codes, index = pd.factorize(np.asarray(values, dtype=object), sort=True)
        rows = np.bincount(codes, minlength=len(index))
        large = np.flatnonzero(rows >= min_rows)
        position = np.full(len(index), len(large))
        position[large] = np.arange(len(large))
        small = {str(index[g]): int(rows[g]) for g in np.flatnonzero(rows < min_rows)}
        return cls(column, [str(index[g]) for g in large], position[codes], small)

    def compared(self, rate: Floats, min_rows: int, *, high_is_bad: bool = False) -> list[int]:
        """Groups to hold against all other rows, of which there have to be enough as well.

        Of two groups only the worse in ``rate [G]``: each against the other is one test.
        """
        if len(self.keys) == 2 and not self.small:
            return [int(np.argmax(rate) if high_is_bad else np.argmin(rate))]
        rows = np.bincount(self.codes, minlength=len(self.keys) + 1)
        return [g for g in range(len(self.keys)) if len(self.codes) - rows[g] >= min_rows]


@dataclass(frozen=True)
class GroupRates:
    """A rate in every large group, and last in all other rows: ``hits / base``, ``[G + 1]``."""

    metric: str
    label: str | None
    hits: Floats
    base: Floats


def rate_gaps(
    groups: Groups, rates: list[GroupRates], min_rows: int, min_events: int, deff: float
) -> list[Gap]:
    """Compare each large group with all other rows, in each rate."""
    pairs: list[tuple[GroupRates, int]] = []
    for rate in rates:
        hits, base = rate.hits.sum(), rate.base.sum()
        if min(hits, base - hits) < min_events:
            continue
        share = rate.hits[:-1] / np.maximum(rate.base[:-1], 1.0)
        bad = rate.metric == "false_positive_rate"
        pairs += [
            (rate, g)
            for g in groups.compared(share, min_rows, high_is_bad=bad)
            if min(rate.base[g], base - rate.base[g]) >= min_events
        ]
    if not pairs:
        return []
    counts = np.array(
        [
            (r.hits[g], r.base[g], r.hits.sum() - r.hits[g], r.base.sum() - r.base[g])
            for r, g in pairs
        ]
    ).T
    x1, n1, x2, n2 = counts
    differences, ratios = _differences(counts, deff), _ratios(counts, deff)
    p_values = _p_values(counts / deff)
    return [
        Gap(
            column=groups.column,
            group=groups.keys[g],
            metric=rate.metric,
            label=rate.label,
            n=int(n1[i]),
            value=x1[i] / n1[i],
            rest=x2[i] / n2[i],
            difference=differences[i],
            ratio=ratios[i],
            p_value=p_values[i],
            p_holm=1.0,
        )
        for i, (rate, g) in enumerate(pairs)
    ]


def _differences(counts: Floats, deff: float) -> list[Estimate]:
    """Difference of two shares, with Newcombe's (1998) interval from two of Wilson's."""
    x1, n1, x2, n2 = counts
    p1, p2 = x1 / n1, x2 / n2
    low1, high1 = proportion_confint(x1 / deff, n1 / deff, method="wilson")
    low2, high2 = proportion_confint(x2 / deff, n2 / deff, method="wilson")
    low = p1 - p2 - np.hypot(p1 - low1, high2 - p2)
    high = p1 - p2 + np.hypot(high1 - p1, p2 - low2)
    return [
        Estimate(value=value, low=a, high=b) for value, a, b in zip(p1 - p2, low, high, strict=True)
    ]


def _ratios(counts: Floats, deff: float) -> list[Estimate]:
    """Ratio of two shares, with the adjusted log interval (Walter 1975); NaN if undefined."""
    x1, n1, x2, n2 = counts
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (x1 / n1) / (x2 / n2)
    y1, m1, y2, m2 = counts / deff + 0.5
    log = np.log((y1 / m1) / (y2 / m2))
    error = Z * np.sqrt(np.maximum(1 / y1 - 1 / m1 + 1 / y2 - 1 / m2, 0.0))
    low, high = np.exp(log - error), np.exp(log + error)
    return [
        Estimate(value=v, low=a, high=b) if np.isfinite(v) and v > 0 else Estimate(value=None)
        for v, a, b in zip(value, low, high, strict=True)
    ]


def _p_values(counts: Floats) -> Floats:
    """Pearson's chi-square; Fisher's exact test, twice its smaller tail, for small counts.

    The correction multiplies by the number of tests, so it is the far tail that has to hold:
    with expected counts below 10 chi-square promises too much there.
    """
    x1, n1, x2, n2 = counts
    total, hits = n1 + n2, x1 + x2
    expected = np.minimum(n1, n2) * np.minimum(hits, total - hits) / total
    spread = n1 * n2 * hits * (total - hits)
    chi2 = total * (x1 * n2 - x2 * n1) ** 2 / spread
    p: Floats = stats.chi2.sf(chi2, 1)
    few = expected < 10
    if few.any():
        x, n, all_hits, of = (np.round(part[few]).astype(int) for part in (x1, n1, hits, total))
        below = stats.hypergeom.cdf(x, of, all_hits, n)
        above = stats.hypergeom.sf(x - 1, of, all_hits, n)
        p[few] = np.minimum(1.0, 2 * np.minimum(below, above))
    return p


def confidence_gaps(
    groups: Groups, confidence: Floats, min_rows: int, deff: float
) -> Iterator[Gap]:
    """Mean confidence of each large group against the others, by Welch's test."""
    means = np.array([confidence[groups.codes == g].mean() for g in range(len(groups.keys))])
    for g in groups.compared(means, min_rows):
        inside, outside = confidence[groups.codes == g], confidence[groups.codes != g]
        difference = inside.mean() - outside.mean()
        error = np.sqrt(
            deff * (inside.var(ddof=1) / len(inside) + outside.var(ddof=1) / len(outside))
        )
        if error == 0.0:
            continue
        yield Gap(
            column=groups.column,
            group=groups.keys[g],
            metric="confidence",
            n=len(inside),
            value=inside.mean(),
            rest=outside.mean(),
            difference=Estimate(
                value=difference, low=difference - Z * error, high=difference + Z * error
            ),
            ratio=Estimate(value=inside.mean() / outside.mean()),
            p_value=float(2 * stats.norm.sf(abs(difference) / error)),
            p_holm=1.0,
        )


def corrected(gaps: list[Gap]) -> list[Gap]:
    """Holm within each family, at its share of the 5 %."""
    done: list[Gap] = []
    for family, share in _FAMILIES.items():
        members = [gap for gap in gaps if gap.metric in family]
        if members:
            adjusted = holm(gap.p_value for gap in members)
            done += [
                gap.model_copy(update={"p_holm": min(1.0, float(p) / share)})
                for gap, p in zip(members, adjusted, strict=True)
            ]
    return done


def error_gaps(gaps: Iterable[Gap], *, alpha: float = 0.05, least: float = 0.0) -> list[Gap]:
    """Gaps in how often the model is right that hold after correction, the widest first.

    Args:
        gaps: From `measure_bias`.
        alpha: Allowed chance of any false finding.
        least: Smallest difference worth the name, as a share (0.05 is 5 points).
    """
    held = [
        gap
        for gap in gaps
        if gap.metric in ERROR_METRICS
        and gap.p_holm <= alpha
        and abs(gap.value - gap.rest) >= least
    ]
    return sorted(held, key=lambda gap: (gap.metric != "accuracy", -abs(gap.value - gap.rest)))


def describe_gap(gap: Gap) -> str:
    """Describe a gap in a sentence."""
    what = gap.metric.replace("_", " ") + (f" of {gap.label}" if gap.label else "")
    ends = gap.difference
    span = "" if ends.low is None else f", {100 * ends.low:+.0f} to {100 * (ends.high or 0):+.0f}"
    return (
        f"{gap.where}: {what} {gap.value:.2f} against {gap.rest:.2f} elsewhere "
        f"({100 * (gap.value - gap.rest):+.0f} points{span}; "
        f"p {'<' if gap.p_holm < 0.001 else '='} {max(gap.p_holm, 0.001):.3f} after Holm)"
    )
