"""A start that does no harm: the first steps of training are taken on a copy, and looked at.

A converged head fits the backbone that it was fitted to. Steps that are too long at first lose what
it knows before training regains it. So where the recipe leaves the start open, the copy takes the
first steps; if held-out images are then less well known than by the probe, the warm-up is made
longer. The rate itself is lowered only where the answers are no numbers any more: a lower rate is
still lower when the first steps are long past, and learns less to the end.
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

FILE = "first_steps.json"
STEPS = 20
"""At most; no more than an epoch."""

IMAGES = 128
"""Held-out images that are looked at."""

LONGER = 0.3
"""Share of the steps that a longer warm-up takes."""

LOWER = 1 / 3
"""Share of the rate that is left after answers that are no numbers."""

CREDIBLE = 2.0
"""Standard errors by which the loss has to rise."""


@dataclass(frozen=True)
class Step:
    """The outcome of the first steps at one learning rate.

    Attributes:
        rate: Learning rate of the stage.
        warmup: Share of its steps.
        before: Mean log loss of held-out images by the probe.
        after: By the copy; None where its answers are no numbers any more.
        error: Standard error of their paired difference.
    """

    rate: float
    warmup: float
    before: float
    after: float | None
    error: float

    @property
    def harms(self) -> bool:
        """Whether the loss rose by more than noise."""
        return self.after is None or self.after > self.before + CREDIBLE * self.error

    def __str__(self) -> str:
        end = "no number" if self.after is None else f"{self.after:.3f}"
        return (
            f"with a rate of {self.rate:.2g} and a warm-up of {self.warmup:g} they took the log "
            f"loss of held-out images from {self.before:.3f} to {end}"
        )


def harmless_start(prepared: Prepared, place: RunContext) -> tuple[Prepared, list[Choice]]:
    """Make the warm-up of the first stage longer where its first steps do harm.

    Args:
        prepared: As it would be trained. What the recipe gave is left alone.
        place: What all trainings of the run share.

    Returns:
        The same with another start, and the choices; or as it was.
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
        steps = starts(
            float(stage.learning_rate),
            float(stage.warmup),
            lambda rate, warmup: _tried(prepared, stage, rate, warmup, held),
        )
        write_json(file, [vars(step) for step in steps])
    choices = _choices(stage, steps)
    if len(steps) > 1:
        place.display.say(_told(steps) + ".")
    recipe = prepared.recipe.replaced({choice.name: choice.value for choice in choices})
    again = FineTuning(stage_context(recipe, place), prepared.loaded, place.data, tuning.probe)
    again.start = tuning.start
    return replace(prepared, recipe=recipe, tuning=again), choices


def starts(rate: float, warmup: float, look: Callable[[float, float], Step]) -> list[Step]:
    """The outcome of each start that was tried; the last one is taken."""
    steps = [look(rate, warmup)]
    if steps[-1].harms and warmup < LONGER:
        steps.append(look(rate, LONGER))
    if steps[-1].after is None:
        steps.append(look(rate * LOWER, max(warmup, LONGER)))
    return steps


def _open_stage(prepared: Prepared) -> StageConfig | None:
    """The first stage that trains more than the head, if its rate and warm-up were left open."""
    first = next((stage for stage in prepared.recipe.stages if stage.train != "head"), None)
    # A stage before it moves the head away from the probe.
    if first is None or first is not prepared.recipe.stages[0]:
        return None
    # Other weights have to move far, and what they lose at first they more than regain.
    if not knows_photographs(prepared.loaded.checkpoint):
        return None
    opened = {choice.name for choice in prepared.choices if choice.was == "auto"}
    return first if opened.issuperset(_fields(first)) else None


def _fields(stage: StageConfig) -> tuple[str, str]:
    return f"stages.{stage.name}.learning_rate", f"stages.{stage.name}.warmup"


def _tried(
    prepared: Prepared, stage: StageConfig, rate: float, warmup: float, held: HeldOut
) -> Step:
    tuning = prepared.tuning
    model = copy.deepcopy(tuning.model)
    before = held.losses(held.answers(prepared, model, disturbed=False))
    tried = stage.model_copy(
        update={
            "learning_rate": rate,
            "head_learning_rate": _head_rate(stage, rate),
            "warmup": warmup,
        }
    )
    train = tuning.training_images(stage)
    first_steps(tuning.context, tried, model, train, STEPS)
    after = held.losses(held.answers(prepared, model, disturbed=False))
    gain, error = paired_gain(before - after, held.weights, held.groups)
    mean = float(np.average(before, weights=held.weights))
    if not math.isfinite(gain):
        return Step(rate, warmup, mean, None, 0.0)
    return Step(rate, warmup, mean, mean - gain, error)


def _head_rate(stage: StageConfig, rate: float) -> float | None:
    if stage.head_learning_rate is None:
        return None
    return stage.head_learning_rate * rate / float(stage.learning_rate)


def _choices(stage: StageConfig, steps: Sequence[Step]) -> list[Choice]:
    """Of the rate and of the warm-up."""
    last, reason = steps[-1], _told(steps)
    return [
        Choice(name, "auto", value, reason)
        for name, value in zip(_fields(stage), (last.rate, last.warmup), strict=True)
    ]


def _told(steps: Sequence[Step]) -> str:
    text = f"The first steps were tried on a copy: {'; '.join(map(str, steps))}"
    if len(steps) == 1:
        return text
    return f"{text}; the last of these is taken"
