"""Rates that do no harm: the first steps of training are taken on a copy, and looked at.

A converged head fits the backbone that it was fitted to. Steps that are too long lose what it
knows before training regains it, and on little data it may never be regained. So where the recipe
leaves the rate open, the copy takes the first steps at it; if held-out images are then known worse
than by the probe, the rate is lowered.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from accelerate import PartialState

from hf_vft.automl.optimizer_defaults import knows_photographs
from hf_vft.automl.prepare import Prepared, RunContext, stage_context
from hf_vft.automl.validation_answers import HeldOut
from hf_vft.models.transferability import paired_gain
from hf_vft.recipe.schema import Choice, StageConfig
from hf_vft.run import write_json
from hf_vft.training.finetune import FineTuning
from hf_vft.training.stages import first_steps
from hf_vft.utils.progress import Display

FILE = "first_steps.json"
STEPS = 20
"""At most; no more than an epoch."""

IMAGES = 128
"""Held-out images that are looked at."""

LOWER = 1 / 3
TRIES = 3
"""Rates that are tried; the last is taken as it is."""


@dataclass(frozen=True)
class Step:
    """What the first steps at one rate did.

    Attributes:
        rate: Of the stage.
        before: Mean log loss of held-out images by the probe.
        after: By the copy; None where its answers are no numbers any more.
        error: Standard error of their paired difference.
    """

    rate: float
    before: float
    after: float | None
    error: float

    @property
    def harms(self) -> bool:
        """Whether the loss rose by more than noise."""
        return self.after is None or self.after > self.before + self.error

    def __str__(self) -> str:
        end = "no number" if self.after is None else f"{self.after:.3f}"
        return (
            f"at {self.rate:.2g} the first steps took the log loss of held-out images from "
            f"{self.before:.3f} to {end}"
        )


def harmless_rates(prepared: Prepared, place: RunContext) -> tuple[Prepared, list[Choice]]:
    """Lower the rate of the first stage that trains the backbone, where its first steps do harm.

    Args:
        prepared: As it would be trained. A rate that the recipe gave is left alone.
        place: What all trainings of the run share.

    Returns:
        The same with another rate, and the choice; or as it was.
    """
    stage = _open_stage(prepared)
    tuning = prepared.tuning
    # Several processes would each need a copy that is divided anew.
    if stage is None or PartialState().num_processes > 1 or prepared.recipe.model.lora is not None:
        return prepared, []
    file = place.state / FILE
    if file.is_file():  # a run that is resumed does not decide otherwise
        steps = [Step(**step) for step in json.loads(file.read_text(encoding="utf-8"))]
    else:
        tuning.begin()
        if tuning.start is None:
            return prepared, []
        held = HeldOut.of(tuning, IMAGES)
        if len(held.rows) < 2:
            return prepared, []
        steps = lowered(
            float(stage.learning_rate), lambda rate: _tried(prepared, stage, rate, held)
        )
        write_json(file, [vars(step) for step in steps])
    choice = _choice(stage, steps)
    _tell(choice, steps, place.display)
    recipe = prepared.recipe.replaced({choice.name: choice.value})
    again = FineTuning(stage_context(recipe, place), prepared.loaded, place.data, tuning.probe)
    again.start = tuning.start
    return replace(prepared, recipe=recipe, tuning=again), [choice]


def lowered(rate: float, look: Callable[[float], Step]) -> list[Step]:
    """What came of each rate that was tried, until one does no harm."""
    steps: list[Step] = []
    for _ in range(TRIES):
        steps.append(look(rate))
        if not steps[-1].harms:
            break
        rate = rate * LOWER
    return steps


def _open_stage(prepared: Prepared) -> StageConfig | None:
    """The first stage that trains more than the head, if its rate was left open."""
    first = next((stage for stage in prepared.recipe.stages if stage.train != "head"), None)
    # A stage before it moves the head away from the probe.
    if first is None or first is not prepared.recipe.stages[0]:
        return None
    # Other weights have to move far, and what they lose at first they more than regain.
    if not knows_photographs(prepared.loaded.checkpoint):
        return None
    name = f"stages.{first.name}.learning_rate"
    return first if any(c.name == name and c.was == "auto" for c in prepared.choices) else None


def _tried(prepared: Prepared, stage: StageConfig, rate: float, held: HeldOut) -> Step:
    tuning = prepared.tuning
    model = copy.deepcopy(tuning.model)
    before = held.losses(held.answers(prepared, model, disturbed=False))
    tried = stage.model_copy(
        update={"learning_rate": rate, "head_learning_rate": _head_rate(stage, rate)}
    )
    train = tuning.dataset("train", tuning.random if stage.augment else tuning.plain)
    first_steps(tuning.context, tried, model, train, STEPS)
    after = held.losses(held.answers(prepared, model, disturbed=False))
    gain, error = paired_gain(before - after, held.weights, held.groups)
    mean = float(np.average(before, weights=held.weights))
    if not math.isfinite(gain):
        return Step(rate, mean, None, 0.0)
    return Step(rate, mean, mean - gain, error)


def _head_rate(stage: StageConfig, rate: float) -> float | None:
    if stage.head_learning_rate is None:
        return None
    return stage.head_learning_rate * rate / float(stage.learning_rate)


def _choice(stage: StageConfig, steps: Sequence[Step]) -> Choice:
    last = steps[-1]
    told = "; ".join(map(str, steps))
    how = (
        "lowered until the first steps do no harm"
        if len(steps) > 1
        else "its first steps do no harm"
    )
    if last.harms:
        how = f"the lowest of {len(steps)} rates, of which none is without harm at first"
    return Choice(f"stages.{stage.name}.learning_rate", "auto", last.rate, f"{how}: {told}")


def _tell(choice: Choice, steps: Sequence[Step], display: Display) -> None:
    if len(steps) > 1:
        display.say(f"{choice.name}={choice.value:.2g}: {choice.reason}.")
