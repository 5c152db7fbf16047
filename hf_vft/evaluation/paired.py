"""Two models on the same images, for any task: scores side by side and what they differ in.

Both answer every image, so what makes an image hard cancels. The interval of a difference is that
of the paired bootstrap (Efron & Tibshirani 1993), over groups where images come in groups; beside
it stands McNemar's exact test of who alone is right how often.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
from pydantic import Field
from scipy.stats import binomtest

from hf_vft.evaluation.counts import count_scores, macro, ratio
from hf_vft.evaluation.intervals import (
    Bools,
    Floats,
    flawless_low,
    percentile_interval,
    resamples,
    units_of,
)
from hf_vft.evaluation.results import Estimate
from hf_vft.utils.frozen import Frozen

RESAMPLES = 1000

Measure = Callable[[Floats], dict[str, Floats]]
"""Weights ``[N, B]`` to scores, ``[B]`` each."""


class PairedScore(Frozen):
    """A score of two models, and its difference."""

    first: float
    second: float
    difference: Estimate = Field(description="Second minus first.")


class PartScore(PairedScore):
    """Share of images that are right, of a part of the images."""

    column: str = Field(description="class, or a slice column.")
    value: str
    n: int


class PairedScores(Frozen):
    """The scores of two models on one set of images."""

    n: int = Field(description="Images.")
    units: int = Field(
        description="Number of independent groups, or of images if there are no groups."
    )
    scores: dict[str, PairedScore]
    only_first: int = Field(description="Images that the first model alone has right.")
    only_second: int = Field(description="Images that the second model alone has right.")
    both: int = Field(description="Images that both have right.")
    p_value: float = Field(description="McNemar's exact test; images count as independent.")
    parts: list[PartScore] = Field(description="By class and slice, the largest gap first.")


def paired_scores(
    first: Measure,
    second: Measure,
    right: tuple[Bools, Bools],
    *,
    clusters: Sequence[Hashable | None] | None = None,
    parts: Mapping[tuple[str, str], Bools] | None = None,
    n_bootstrap: int = RESAMPLES,
    seed: int = 0,
) -> PairedScores:
    """Compare two models on N images that both have answered.

    Args:
        first: Scores of the first model.
        second: The same of the second one.
        right: Which images each of them has right, ``[N]``.
        clusters: Group of each image; None is a group of its own.
        parts: Column and value to the images that have it, ``[N]``.
        n_bootstrap: Resamples behind the intervals.
        seed: Of the resamples.
    """
    ours = [np.asarray(correct, dtype=bool) for correct in right]
    n = len(ours[0])
    units = units_of(n, clusters)
    n_units = int(units.max()) + 1

    def both(weights: Floats) -> list[dict[str, Floats]]:
        return [first(weights), second(weights)]

    values = both(np.ones((n, 1)))
    masks = {key: np.flatnonzero(mask) for key, mask in (parts or {}).items() if mask.any()}
    draws: list[list[dict[str, Floats]]] = []
    inside: list[list[list[Floats]]] = []
    for weights in resamples(units, n_bootstrap, seed):
        draws.append(both(weights))
        inside.append(
            [[_share(correct[rows], weights[rows]) for correct in ours] for rows in masks.values()]
        )
    scores = {
        name: _paired(
            float(values[0][name][0]),
            float(values[1][name][0]),
            np.concatenate([new[name] - old[name] for old, new in draws]),
            n_units,
        )
        for name in values[0]
    }
    gains = [
        PartScore(
            column=column,
            value=value,
            n=len(rows),
            **_paired(
                float(ours[0][rows].mean()),
                float(ours[1][rows].mean()),
                np.concatenate([draw[number][1] - draw[number][0] for draw in inside]),
                len(np.unique(units[rows])),
            ).model_dump(),
        )
        for number, ((column, value), rows) in enumerate(masks.items())
    ]
    alone = [int((ours[i] & ~ours[1 - i]).sum()) for i in (0, 1)]
    torn = sum(alone)
    return PairedScores(
        n=n,
        units=n_units,
        scores=scores,
        only_first=alone[0],
        only_second=alone[1],
        both=int((ours[0] & ours[1]).sum()),
        p_value=float(binomtest(alone[1], torn).pvalue) if torn else 1.0,
        parts=sorted(gains, key=lambda part: -abs(part.difference.value or 0.0)),
    )


def label_measure(labels: Sequence[str], answers: Sequence[str], names: Sequence[str]) -> Measure:
    """Accuracy and macro F1 where an image has one label."""
    number = {name: i for i, name in enumerate(names)}
    true, predicted = (
        np.array([number[name] for name in column], dtype=np.int64) for column in (labels, answers)
    )

    def measure(weights: Floats) -> dict[str, Floats]:
        overall, _ = count_scores(true, predicted, len(names), weights)
        return {name: overall[name] for name in ("accuracy", "f1_macro")}

    return measure


def marks_measure(truth: Bools, answers: Bools) -> Measure:
    """F1 and the share of images with all labels right, from ``bool [N, C]``."""

    def measure(weights: Floats) -> dict[str, Floats]:
        hits = (truth & answers).T.astype(float) @ weights
        total = truth.T.astype(float) @ weights + answers.T.astype(float) @ weights
        f1 = np.where(truth.T.astype(float) @ weights > 0, ratio(2 * hits, total), np.nan)
        return {
            "f1_macro": macro(f1),
            "f1_micro": ratio(2 * hits.sum(0), total.sum(0)),
            "exact_match": _share((truth == answers).all(1), weights),
        }

    return measure


def _share(right: Bools, weights: Floats) -> Floats:
    return ratio(right.astype(float) @ weights, weights.sum(0))


def _paired(first: float, second: float, draws: Floats, units: int) -> PairedScore:
    value = second - first
    low, high = (float(end) for end in percentile_interval(draws))
    if np.isnan(low):
        # The models agree everywhere; how far apart they can be still, the exact bound says.
        room = 1.0 - flawless_low(units)
        low, high = max(-1.0, value - room), min(1.0, value + room)
    return PairedScore(
        first=first, second=second, difference=Estimate(value=value, low=low, high=high)
    )
