"""The end of a search: the winner trained on, and averaged with others; never for the worse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from hf_vft.automl.prepare import Prepared
from hf_vft.automl.soup import State, greedy_soup
from hf_vft.automl.time_budget import Clock
from hf_vft.automl.trial_callbacks import reached
from hf_vft.evaluation.leaderboard import LeaderboardRow
from hf_vft.evaluation.metrics import lower_is_better
from hf_vft.evaluation.results import Estimate
from hf_vft.recipe.schema import StageConfig, load_recipe
from hf_vft.training.finetune import FineTuned
from hf_vft.training.stages import BEST

MORE = "more"
GENTLER = 1 / 3
"""Of the last stage's rates: the weights are near their best already."""

WORTHWHILE = 1.0
"""Epochs below which another stage is not begun."""


def train_on(prepared: Prepared, clock: Clock, metric: str) -> tuple[Prepared, FineTuned, str]:
    """Finish the winner, and give it one more stage where the budget has time for it.

    A winner that was paused is trained to its end. The further stage is undone unless it improves
    validation, as every stage is.

    Returns:
        The winner with the recipe that it was trained by; what came of it; a note, or nothing.
    """
    tuned = prepared.tuning.run()
    if clock.budget is None:
        return prepared, tuned, ""
    epochs = _epochs_left(tuned, clock)
    if epochs < WORTHWHILE or prepared.recipe.stages[-1].name == MORE:
        return prepared, tuned, ""
    before = reached(tuned, metric)
    stage = _gentler(prepared.recipe.stages[-1], epochs)
    tuned = prepared.tuning.extend(tuned, stage)
    after = reached(tuned, metric)
    if tuned.stages[-1].best is None:
        return prepared, tuned, f", and training on did not improve it ({metric} {before:.3f})"
    stages = [*prepared.recipe.stages, stage]
    recipe = prepared.recipe.replaced({"stages": [_plain(s) for s in stages]})
    longer = Prepared(recipe, prepared.loaded, prepared.tuning, prepared.choices)
    return longer, tuned, f", and training on improved it from {before:.3f} to {after:.3f}"


def average(
    prepared: Prepared,
    tuned: FineTuned,
    name: str,
    others: Sequence[tuple[str, Path]],
    score: Callable[[], float],
    clock: Clock,
) -> tuple[LeaderboardRow | None, str]:
    """Leave the winner with the greedy soup of its weights and those of others, if it is better.

    Args:
        prepared: The winner.
        tuned: What came of it; its model has the weights of the soup afterwards.
        name: Of the winner.
        others: Names and folders of other trials, the best first.
        score: Of the model as it is, on validation.
        clock: Nothing more is tried once time is up.

    Returns:
        A row of the leaderboard, and a note; nothing where there was nothing to average.
    """
    began, metric = clock.now(), prepared.recipe.training.metric
    model, last = tuned.model, prepared.tuning.context.folder / tuned.stages[-1].name
    files = [(other, _best_weights(folder)) for other, folder in others]

    def taste(state: State) -> float:
        model.load_state_dict(state, strict=False)  # weights that are shared are written once
        return score()

    soup = greedy_soup(
        (name, load_file(last / BEST)),
        [(other, partial(load_file, file)) for other, file in files if file.is_file()],
        taste,
        highest=not lower_is_better(metric),
        over=clock.over,
    )
    model.load_state_dict(soup.state, strict=False)
    if not soup.tasted:
        return None, ""
    better = len(soup.names) > 1
    row = LeaderboardRow(
        name="soup",
        kind="soup",
        model=prepared.loaded.checkpoint.name,
        state="finished" if better else "left out",
        score=Estimate(value=soup.after) if better else None,
        seconds=clock.now() - began,
        reason=f"the average of {', '.join(soup.names)}; {name} alone has {soup.before:.3f}"
        if better
        else f"no average of {name} with others was better than it ({soup.tasted} tried)",
    )
    if not better:
        return row, ""
    reason = f"averaged with {', '.join(soup.names[1:])} it has {soup.after:.3f}"
    tuned.averaged = True
    tuned.notes.append(
        f"The weights are the average of {len(soup.names)} trainings; recipe.yaml repeats the "
        "best of them."
    )
    return row, f", and {reason}, not {soup.before:.3f}"


def _best_weights(folder: Path) -> Path:
    """The best weights of a trial's last stage; the file exists once that stage has ended."""
    last = load_recipe(folder / "recipe.yaml").stages[-1]
    return folder / "stages" / last.name / BEST


def _epochs_left(tuned: FineTuned, clock: Clock) -> float:
    if not tuned.epochs or clock.over():
        return 0.0
    return math.floor(4 * min(30.0, clock.left / max(tuned.seconds / tuned.epochs, 1e-3))) / 4


def _gentler(stage: StageConfig, epochs: float) -> StageConfig:
    head = stage.head_learning_rate
    return stage.model_copy(
        update={
            "name": MORE,
            "epochs": epochs,
            "learning_rate": float(stage.learning_rate) * GENTLER,
            "head_learning_rate": head * GENTLER if head is not None else None,
            "warmup": 0.0,
            "keep_if_better": True,
        }
    )


def _plain(stage: StageConfig) -> dict[str, Any]:
    return stage.model_dump()
