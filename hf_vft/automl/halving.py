"""Asynchronous successive halving with promotion (Li et al. 2020, ASHA).

A trial that is in the worse half of those that came as far is paused, not ended: when others
turn out worse, it is promoted and goes on from its checkpoint. Optuna's own pruner never takes a
stopped trial up again, so it stops the trials and this rule is what decides. Pure functions of
Optuna's trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

RUNGS = (0.25, 0.5)
"""Shares of a trial's epochs at which it is compared."""

KEPT = 0.5
"""Share that goes on."""

EPOCHS, CONTINUES = "epochs", "continues"
"""User attributes: how many epochs a trial is planned for; which paused trial it takes up."""


class Halving(BasePruner):
    """Sees every epoch, and stops a trial at a rung where it is in the worse half."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial is to be paused now."""
        highest = study.direction == StudyDirection.MAXIMIZE
        return pauses(trial, current(study.get_trials(deepcopy=False)), highest=highest)


def current(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that count: a trial that another one continues is left out."""
    continued = {trial.user_attrs.get(CONTINUES) for trial in trials}
    return [t for t in trials if t.number not in continued and t.state != TrialState.WAITING]


def pauses(trial: FrozenTrial, trials: Sequence[FrozenTrial], *, highest: bool) -> bool:
    """Whether a trial that has just come to a rung is in the worse half there."""
    steps = sorted(trial.intermediate_values)
    for rung in RUNGS:
        place = rung_step(trial, rung)
        if steps and steps[-1] == place and place < trial.user_attrs[EPOCHS]:
            return not _survives(trial, trials, rung, highest)
    return False


def promotable(trials: Sequence[FrozenTrial], *, highest: bool) -> FrozenTrial | None:
    """The best of the paused trials that belongs to the better half by now."""
    best: dict[int, FrozenTrial] = {}
    for trial in trials:
        came = [r for r in RUNGS if score_at(trial, r, highest) is not None]
        paused = trial.state == TrialState.PRUNED and came
        if paused and _survives(trial, trials, max(came), highest):
            best[trial.number] = trial
    sign = 1 if highest else -1
    return max(best.values(), key=lambda t: sign * best_value(t, highest), default=None)


def rung_step(trial: FrozenTrial, rung: float) -> int:
    """The epoch at which a trial comes to a rung."""
    return max(1, math.ceil(rung * float(trial.user_attrs[EPOCHS])))


def score_at(trial: FrozenTrial, rung: float, highest: bool) -> float | None:
    """The best score up to a rung; None before the trial has come to it."""
    place = rung_step(trial, rung) if EPOCHS in trial.user_attrs else 0
    values = trial.intermediate_values
    if not place or not values or max(values) < place:
        return None
    seen = [value for step, value in values.items() if step <= place]
    return (max if highest else min)(seen)


def best_value(trial: FrozenTrial, highest: bool) -> float:
    """The best score so far; the worst there is before the first."""
    values = trial.intermediate_values.values()
    worst = -math.inf if highest else math.inf
    return (max if highest else min)(values, default=worst)


def _survives(
    trial: FrozenTrial, trials: Sequence[FrozenTrial], rung: float, highest: bool
) -> bool:
    mine = score_at(trial, rung, highest)
    others = [score_at(t, rung, highest) for t in trials if t.number != trial.number]
    scores = [score for score in others if score is not None]
    if mine is None:
        return True
    better = sum(score > mine if highest else score < mine for score in scores)
    return better < math.ceil(KEPT * (len(scores) + 1))
