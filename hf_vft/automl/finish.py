"""The end of a search: the winner trained on while time remains, never for the worse."""

from __future__ import annotations

from typing import Any

from hf_vft.automl.clock import Clock
from hf_vft.automl.prepare import Prepared
from hf_vft.automl.trials import reached
from hf_vft.recipe import StageConfig
from hf_vft.training.finetune import FineTuned

MORE = "more"
GENTLER = 1 / 3
"""Of the last stage's rates: the weights are near their best already."""

WORTHWHILE = 2.0
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


def _epochs_left(tuned: FineTuned, clock: Clock) -> float:
    ran = sum(len(stage.history) for stage in tuned.stages)
    seconds = sum(stage.seconds for stage in tuned.stages)
    if not ran or clock.over():
        return 0.0
    return float(int(min(30.0, clock.left / max(seconds / ran, 1e-3))))


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
