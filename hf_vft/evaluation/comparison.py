"""Two models on the same images: which is better, and by how much at least.

Both answer every image, so what makes an image hard cancels. The interval of the difference
is that of the paired bootstrap (Efron & Tibshirani 1993), over groups where images come in
groups; beside it stands McNemar's exact test of who alone is right how often.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import binomtest

from hf_vft.evaluation.counts import count_scores
from hf_vft.evaluation.intervals import (
    Floats,
    Ints,
    flawless_low,
    percentile_interval,
    resamples,
    units_of,
)
from hf_vft.evaluation.results import Estimate

METRICS = ("accuracy", "f1_macro")
RESAMPLES = 2000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paired(_Part):
    """One score of two models on the same images."""

    champion: float
    challenger: float
    difference: Estimate = Field(description="Challenger minus champion.")


class Comparison(_Part):
    """Challenger against champion on one set of images."""

    n: int = Field(description="Images.")
    units: int = Field(description="Groups that are independent; images where there are none.")
    accuracy: Paired
    f1_macro: Paired
    only_champion: int = Field(description="Images that the champion alone has right.")
    only_challenger: int = Field(description="Images that the challenger alone has right.")
    p_value: float = Field(description="McNemar's exact test; images count as independent.")

    @property
    def wins(self) -> bool:
        """Whether the challenger is more often right, for sure."""
        low = self.accuracy.difference.low
        return low is not None and low > 0

    def loses(self, tolerance: float) -> bool:
        """Whether the challenger is worse for sure, or could be by more than ``tolerance``."""
        worse = any(
            high is not None and high < 0
            for high in (self.accuracy.difference.high, self.f1_macro.difference.high)
        )
        low = self.accuracy.difference.low
        return worse or low is None or low < -tolerance


def compare(
    labels: Sequence[str],
    champion: Sequence[str],
    challenger: Sequence[str],
    clusters: Sequence[Hashable | None] | None = None,
    *,
    n_bootstrap: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two models' answers to the same images.

    Args:
        labels: The truth, N names.
        champion: N answers; names that the truth does not hold are simply wrong.
        challenger: N answers.
        clusters: Group of each image; None is a group of its own.
        n_bootstrap: Resamples behind the intervals.
        seed: Of the resamples.
    """
    names = sorted({*labels, *champion, *challenger})
    number = {name: i for i, name in enumerate(names)}
    true, old, new = (
        np.array([number[name] for name in column], dtype=np.int64)
        for column in (labels, champion, challenger)
    )
    units = units_of(len(true), clusters)

    def both(weights: Floats) -> tuple[dict[str, Floats], dict[str, Floats]]:
        return _scores(true, old, len(names), weights), _scores(true, new, len(names), weights)

    values = both(np.ones((len(true), 1)))
    draws = [both(weights) for weights in resamples(units, n_bootstrap, seed)]
    n_units = int(units.max()) + 1
    paired = {
        name: _paired(
            float(values[0][name][0]),
            float(values[1][name][0]),
            np.concatenate([ours[name] - theirs[name] for theirs, ours in draws]),
            n_units,
        )
        for name in METRICS
    }
    only_old = int(((old == true) & (new != true)).sum())
    only_new = int(((new == true) & (old != true)).sum())
    torn = only_old + only_new
    return Comparison(
        n=len(true),
        units=n_units,
        only_champion=only_old,
        only_challenger=only_new,
        p_value=float(binomtest(only_new, torn).pvalue) if torn else 1.0,
        **paired,
    )


def _scores(true: Ints, said: Ints, classes: int, weights: Floats) -> dict[str, Floats]:
    overall, _ = count_scores(true, said, classes, weights)
    return {name: overall[name] for name in METRICS}


def _paired(champion: float, challenger: float, draws: Floats, units: int) -> Paired:
    value = challenger - champion
    low, high = (float(end) for end in percentile_interval(draws))
    if np.isnan(low):
        # The models agree everywhere; how far apart they can be still, the exact bound says.
        room = 1.0 - flawless_low(units)
        low, high = max(-1.0, value - room), min(1.0, value + room)
    return Paired(
        champion=champion,
        challenger=challenger,
        difference=Estimate(value=value, low=low, high=high),
    )
