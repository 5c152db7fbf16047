"""A threshold for one class by what its errors cost.

With calibrated scores the cheapest threshold needs no data: c / (c + m), where c is the cost of a
false alarm and m that of a miss (Elkan 2001, *The foundations of cost-sensitive learning*). Scores
are never calibrated perfectly, so held-out images may say otherwise; they are believed where they
say so by more than two standard errors.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from pydantic import Field

from hf_vft.evaluation.intervals import (
    Bools,
    Floats,
    Ints,
    design_effect,
    percentile_interval,
    resamples,
    units_of,
)
from hf_vft.evaluation.results import Estimate
from hf_vft.utils.frozen import Frozen

RESAMPLES = 1000


class RuleCost(Frozen):
    """The cost of one rule for raising the alarm on a split."""

    misses: int = Field(description="Images of the class without an alarm.")
    false_alarms: int = Field(description="Images of other classes with one.")
    cost: Estimate = Field(description="Of 100 images, with its 95 % bootstrap interval.")
    saves: Estimate | None = Field(
        None, description="Against the model as it answers, of 100 images; paired interval."
    )


class CostChoice(Frozen):
    """A threshold, and what it is worth."""

    label: str
    miss: float = Field(description="Cost of a miss.")
    false_alarm: float = Field(description="Cost of a false alarm, in the same unit.")
    threshold: float = Field(description="On the calibrated score; an alarm from it on.")
    reason: str
    n: int = Field(description="Images that it is judged on, which did not choose it.")
    support: int = Field(description="Images of the class among them.")
    rules: dict[str, RuleCost] = Field(
        description="threshold, as answered, always, never: the cost of each."
    )


def cost_threshold(
    scores: Floats, positive: Bools, *, miss: float, false_alarm: float, units: Ints
) -> tuple[float, str]:
    """The cheapest threshold on the score of one class, and why it is this one.

    Args:
        scores: Calibrated, ``[N]``.
        positive: Whether an image is of the class ``[N]``.
        miss: Cost of a miss, above 0.
        false_alarm: Cost of a false alarm, above 0.
        units: The unit of each image, from `units_of`.
    """
    expected = false_alarm / (false_alarm + miss)
    levels = np.unique(scores)
    candidates = np.concatenate([levels[:1], (levels[1:] + levels[:-1]) / 2])
    costs = np.array([_costs(scores >= t, positive, miss, false_alarm).mean() for t in candidates])
    # Of equally cheap ones that which is nearest to what calibrated scores call for.
    best = candidates[np.lexsort((np.abs(candidates - expected), costs))[0]]
    gain = _costs(scores >= expected, positive, miss, false_alarm) - _costs(
        scores >= best, positive, miss, false_alarm
    )
    error = gain.std() / np.sqrt(len(gain)) * np.sqrt(design_effect(gain, units))
    if gain.mean() > 2 * error:
        return float(best), f"clearly the cheapest on {len(gain)} validation images"
    return expected, (
        f"false alarm / (false alarm + miss), which calibrated scores call for; {len(gain)} "
        "validation images do not say otherwise"
    )


def rule_costs(
    rules: dict[str, Bools],
    positive: Bools,
    *,
    miss: float,
    false_alarm: float,
    usual: str,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> dict[str, RuleCost]:
    """The cost of each rule on the same images.

    Args:
        rules: Whether each raises the alarm ``[N]``, by name.
        positive: Whether an image is of the class ``[N]``.
        miss: Cost of a miss.
        false_alarm: Cost of a false alarm.
        usual: The rule that the others are compared with.
        clusters: One value per image; those that share one are resampled together.
        seed: Of the resamples.
    """
    costs = {name: _costs(alarm, positive, miss, false_alarm) for name, alarm in rules.items()}
    units = units_of(len(positive), clusters)
    return {
        name: RuleCost(
            misses=int((positive & ~alarm).sum()),
            false_alarms=int((alarm & ~positive).sum()),
            cost=_estimate(100 * costs[name], units, seed),
            saves=None
            if name == usual
            else _estimate(100 * (costs[usual] - costs[name]), units, seed),
        )
        for name, alarm in rules.items()
    }


def _costs(alarm: Bools, positive: Bools, miss: float, false_alarm: float) -> Floats:
    costs: Floats = np.where(positive, miss * ~alarm, false_alarm * alarm).astype(np.float64)
    return costs


def _estimate(values: Floats, units: Ints, seed: int) -> Estimate:
    draws = np.concatenate(
        [values @ weights / weights.sum(0) for weights in resamples(units, RESAMPLES, seed)]
    )
    low, high = percentile_interval(draws)
    return Estimate(value=float(values.mean()), low=float(low), high=float(high))
