"""Whether the model treats slices alike: rates by group, gaps with tests, parity.

The rates are those of fairlearn, one class against the rest: selection rate (demographic
parity), recall and false positive rate (equalized odds; Hardt et al. 2016). Everything follows
from a confusion matrix per group, so 100 thousand rows take milliseconds.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from hf_vft.errors import DataError
from hf_vft.evaluation.calibration import ece_estimate
from hf_vft.evaluation.group_disparities import (
    GroupRates,
    Groups,
    Z,
    confidence_gaps,
    corrected,
    rate_gaps,
)
from hf_vft.evaluation.group_parity import column_parity
from hf_vft.evaluation.intervals import Floats, Ints, design_effect
from hf_vft.evaluation.results import BiasResult, Estimate, Gap, GroupResult

MIN_ROWS = 100
MIN_EVENTS = 10
JOIN = " × "


@dataclass(frozen=True)
class _Rows:
    """What is known of each row, as numbers; ``labels`` is None without truth."""

    labels: Ints | None
    predicted: Ints
    confidence: Floats
    names: list[str]

    def confusion(self, codes: Ints, n_groups: int) -> Floats:
        """``[groups, C, C]``, true by predicted; without truth all stand in the first row."""
        c = len(self.names)
        true = np.zeros_like(self.predicted) if self.labels is None else self.labels
        cells = np.bincount((codes * c + true) * c + self.predicted, minlength=n_groups * c * c)
        return cells.reshape(n_groups, c, c).astype(np.float64)


def measure_bias(
    predicted: Sequence[str],
    confidence: Sequence[float] | Floats,
    slices: Mapping[str, Sequence[Hashable]],
    labels: Sequence[str] | None = None,
    *,
    intersections: bool = True,
    min_rows: int = MIN_ROWS,
    min_events: int = MIN_EVENTS,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> BiasResult:
    """Compare the groups of every column, and those where two columns meet.

    A group of fewer than ``min_rows`` rows is insufficient. A rate is compared where it is
    taken over at least ``min_events`` rows of the group, and where both of its outcomes were
    seen ``min_events`` times in the group and the others together.

    Args:
        predicted: What was answered, ``[N]``.
        confidence: Top probability, calibrated, ``[N]``.
        slices: Column to one value per row.
        labels: The truth; a class the model does not know counts as a mistake.
        intersections: Whether pairs of columns are looked at too.
        min_rows: Rows that a group needs.
        min_events: Rows, and outcomes, that a rate needs.
        clusters: One value per row; rows that share one (shots of one part) are not
            independent, and counts are divided by their design effect (Rao & Scott 1992).
        seed: Of the resamples behind the intervals of ECE and parity.

    Raises:
        DataError: If the lengths differ, or there are no rows.
    """
    rows = _rows(predicted, confidence, labels)
    for name, values in slices.items():
        if len(values) != len(rows.predicted):
            raise DataError(f"{name}: {len(values)} values for {len(rows.predicted)} rows.")
    deff = _design_effect(rows, clusters)
    groups: dict[str, dict[str, GroupResult]] = {}
    parity: dict[str, dict[str, Estimate]] = {}
    gaps: list[Gap] = []
    for column, values in _columns(slices, intersections):
        by = Groups.of(column, values, min_rows)
        counts = rows.confusion(by.codes, len(by.keys) + 1)
        rates = list(_rates(counts, rows))
        groups[column] = _groups(by, rows, rates, min_events, deff, seed)
        if len(by.keys) >= 2:
            labelled = rows.labels is not None
            parity[column] = column_parity(counts[:-1], labelled, min_events, seed)
        gaps += rate_gaps(by, rates, min_rows, min_events, deff)
        gaps += confidence_gaps(by, rows.confidence, min_rows, deff)
    return BiasResult(
        labelled=labels is not None, groups=groups, gaps=corrected(gaps), parity=parity
    )


def _rows(
    predicted: Sequence[str], confidence: Sequence[float] | Floats, labels: Sequence[str] | None
) -> _Rows:
    answers = np.asarray(predicted, dtype=object)
    if not len(answers) or len(answers) != len(confidence):
        raise DataError(f"{len(answers)} answers and {len(confidence)} confidences; give one each.")
    if labels is not None and len(labels) != len(answers):
        raise DataError(f"{len(labels)} labels for {len(answers)} answers; give one each.")
    both = np.concatenate([answers, np.asarray([] if labels is None else labels, dtype=object)])
    codes, names = pd.factorize(both, sort=True)
    n = len(answers)
    return _Rows(
        labels=None if labels is None else codes[n:],
        predicted=codes[:n],
        confidence=np.asarray(confidence, dtype=np.float64),
        names=[str(name) for name in names],
    )


def _columns(
    slices: Mapping[str, Sequence[Hashable]], intersections: bool
) -> Iterator[tuple[str, list[str]]]:
    plain = {
        name: ["(missing)" if pd.isna(value) else str(value) for value in values]  # type: ignore[call-overload]
        for name, values in slices.items()
    }
    yield from plain.items()
    for first, second in combinations(plain, 2) if intersections else ():
        pairs = zip(plain[first], plain[second], strict=True)
        yield f"{first}{JOIN}{second}", [JOIN.join(pair) for pair in pairs]


def _rates(counts: Floats, rows: _Rows) -> Iterator[GroupRates]:
    """Every rate of every group, from confusions ``[groups, C, C]``."""
    n, answered = counts.sum((1, 2)), counts.sum(1)
    for c, name in enumerate(rows.names):
        yield GroupRates("selection_rate", name, answered[:, c], n)
    if rows.labels is None:
        return
    right, true = np.diagonal(counts, axis1=1, axis2=2), counts.sum(2)
    yield GroupRates("accuracy", None, right.sum(1), n)
    for c, name in enumerate(rows.names):
        yield GroupRates("recall", name, right[:, c], true[:, c])
        yield GroupRates("false_positive_rate", name, answered[:, c] - right[:, c], n - true[:, c])


def _groups(
    by: Groups, rows: _Rows, rates: list[GroupRates], min_events: int, deff: float, seed: int
) -> dict[str, GroupResult]:
    groups = {key: GroupResult(n=n, sufficient=False) for key, n in by.small.items()}
    intervals = [
        (
            rate,
            *proportion_confint(rate.hits / deff, np.maximum(rate.base / deff, 1), method="wilson"),
        )
        for rate in rates
    ]
    for g, key in enumerate(by.keys):
        inside = by.codes == g
        by_class: dict[str, dict[str, Estimate]] = {}
        for rate, low, high in intervals:
            if rate.base[g] >= min_events:
                by_class.setdefault(rate.metric, {})[rate.label or ""] = Estimate(
                    value=rate.hits[g] / rate.base[g], low=low[g], high=high[g]
                )
        accuracy = by_class.pop("accuracy", {}).get("")
        confidence = rows.confidence[inside]
        ece = None
        if rows.labels is not None:
            right = rows.predicted[inside] == rows.labels[inside]
            ece = ece_estimate(confidence, right, deff=deff, seed=seed)
        groups[key] = GroupResult(
            n=len(confidence),
            sufficient=True,
            accuracy=accuracy,
            ece=ece,
            confidence=_mean(confidence, deff),
            **by_class,
        )
    return groups


def _design_effect(rows: _Rows, clusters: Sequence[Hashable] | None) -> float:
    if clusters is None:
        return 1.0
    values = rows.confidence if rows.labels is None else (rows.labels == rows.predicted) * 1.0
    return design_effect(values, pd.factorize(np.asarray(clusters, dtype=object))[0])


def _mean(values: Floats, deff: float) -> Estimate:
    error = Z * np.sqrt(deff * values.var(ddof=1) / len(values))
    mean = values.mean()
    return Estimate(value=mean, low=max(0.0, mean - error), high=min(1.0, mean + error))
