"""Trials as rows of the leaderboard, and what each of them changed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from hf_vft.automl.ranking import Candidate
from hf_vft.automl.study import FOLDER
from hf_vft.evaluation.leaderboard import LeaderboardRow, State
from hf_vft.evaluation.results import Estimate
from hf_vft.recipe.schema import Recipe, load_recipe

STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def trial_row(trial: FrozenTrial, candidate: Candidate | None, value: float) -> LeaderboardRow:
    """The leaderboard row of a trial in its present state.

    Args:
        trial: Of the study.
        candidate: Its backbone, where this run knows it.
        value: Its best validation score so far; not finite where there is none.
    """
    known = trial.user_attrs
    score = Estimate(value=value) if math.isfinite(value) else None
    if known.get("interval") is not None:
        score = Estimate(value=value, low=known["interval"][0], high=known["interval"][1])
    reason = str(known.get("reason", ""))
    if trial.state == TrialState.PRUNED:
        reason = "in the worse half of the trials that came as far"
    return LeaderboardRow(
        name=f"trial {Path(known.get(FOLDER, str(trial.number))).name}",
        kind="trial",
        model=str(trial.params.get("model", "")),
        state=STATES[trial.state],
        strategy=known.get("strategy"),
        changes=known.get("changes", {}),
        score=score,
        epochs=known.get("ran", max(trial.intermediate_values, default=0)),
        seconds=known.get("seconds"),
        cost=candidate.row.cost if candidate and trial.params.get("scale") == 1.0 else None,
        reason=reason,
    )


def trial_changes_of(folder: Path, base: Recipe) -> list[tuple[str, Any, Any]]:
    """Differences of a trial's recipe from its backbone's: name, old value, new value."""
    followed, before = load_recipe(folder / "recipe.yaml").model_dump(), base.model_dump()
    changes: list[tuple[str, Any, Any]] = []
    for section, value in followed.items():
        if isinstance(value, dict) and section != "search":
            changes += [
                (f"{section}.{name}", before[section][name], item)
                for name, item in value.items()
                if item != before[section][name]
            ]
        elif section == "stages" and value != before[section]:
            changes.append((section, before[section], value))
    return changes


def shown(changes: dict[str, Any]) -> dict[str, Any]:
    """Stages by what tells them apart; Optuna keeps attributes as JSON."""
    settings = {name: value for name, value in changes.items() if name != "stages"}
    for stage in changes.get("stages", []):
        for name in ("epochs", "learning_rate", "layer_decay", "optimizer"):
            settings[f"stages.{stage['name']}.{name}"] = stage[name]
    return settings
