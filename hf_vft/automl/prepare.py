"""From a recipe to something that can be trained: backbone, processor, and what they decide."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accelerate import PartialState
from torch import nn
from transformers import TrainerCallback

from hf_vft.automl.environment import Facts
from hf_vft.automl.flips import decide_flips
from hf_vft.automl.framing import FIRST, decide_framing
from hf_vft.automl.resolve import resolve_for_model
from hf_vft.data.load import ImageData
from hf_vft.losses.classification import class_priors, effective_class_weights
from hf_vft.models.load import Checkpoint, LoadedModel, choose_checkpoint
from hf_vft.models.logistic import LinearProbe
from hf_vft.models.processors import Fit
from hf_vft.recipe.schema import Choice, Recipe
from hf_vft.tasks import Task
from hf_vft.training.finetune import FineTuning
from hf_vft.training.model_on_data import ModelOnData
from hf_vft.training.stages import StageContext
from hf_vft.utils.progress import Display


@dataclass(frozen=True)
class RunContext:
    """State shared by all trainings of a run.

    Attributes:
        task: What the labels mean.
        data: Divided images.
        facts: About data and device.
        state: Folder for checkpoints.
        logs: Folder for TensorBoard.
        display: Shown to the user.
    """

    task: Task
    data: ImageData
    facts: Facts
    state: Path
    logs: Path
    display: Display


@dataclass
class Prepared:
    """A model that can be trained.

    Attributes:
        recipe: Resolved: nothing is on ``auto``.
        loaded: The model with its new head, and its processor.
        tuning: Trains it.
        choices: What was decided on the way.
    """

    recipe: Recipe
    loaded: LoadedModel
    tuning: FineTuning
    choices: list[Choice]


class KeptBackbone:
    """A backbone as it was loaded: trainings that begin with it take a copy, not the files again.

    Args:
        prepared: Not trained yet. The copy that is kept is in memory, not on an accelerator.
        place: What all trainings of the run share.
    """

    def __init__(self, prepared: Prepared, place: RunContext) -> None:
        loaded = prepared.loaded
        self._checkpoint = loaded.checkpoint.name
        self._options = _load_options(prepared.recipe, place)
        model, processor = copy.deepcopy((loaded.model, loaded.processor))
        nn.Module.to(model, "cpu")
        self._loaded = replace(loaded, model=model, processor=processor, adjustments=list[Choice]())

    def copy_of(self, checkpoint: Checkpoint, options: dict[str, Any]) -> LoadedModel | None:
        """A copy, if loading with these options would give the same model; else None."""
        if (checkpoint.name, options) != (self._checkpoint, self._options):
            return None
        # At once, so that what model and processor share they still share.
        model, processor = copy.deepcopy((self._loaded.model, self._loaded.processor))
        return replace(self._loaded, model=model, processor=processor, adjustments=list[Choice]())


def prepare(
    recipe: Recipe,
    place: RunContext,
    checkpoint: Checkpoint | None = None,
    probe: LinearProbe | None = None,
    *,
    kept: KeptBackbone | None = None,
    hooks: TrainingHooks | None = None,
) -> Prepared:
    """Load the backbone and decide what depends on it.

    Args:
        recipe: Resolved but for what the model decides.
        place: What all trainings share.
        checkpoint: The backbone, where it was chosen already.
        probe: Of this backbone at this input size, where it was fitted already.
        kept: A backbone that was loaded already; if it is this one, a copy of it is taken.
        hooks: What the training tells, and asks.

    Raises:
        ModelError: If the backbone cannot be had or loaded, in one line.
    """
    recipe, loaded, choices = _load(recipe, place, checkpoint, kept)
    recipe, more = resolve_for_model(recipe, place.facts, loaded.model, loaded.checkpoint)
    recipe, framing = decide_framing(
        recipe, place.facts, stage_context(recipe, place), loaded, place.data
    )
    more += framing
    pretrained = ModelOnData(stage_context(recipe, place), loaded, place.data)
    recipe, flips = decide_flips(recipe, pretrained)
    tuning = FineTuning(stage_context(recipe, place, hooks), loaded, place.data, probe)
    return Prepared(recipe, loaded, tuning, [*choices, *more, *flips])


@dataclass(frozen=True)
class TrainingHooks:
    """Callbacks that a training reports to, and asks, while it runs.

    Attributes:
        display: Shown to the user, instead of that of the run.
        callbacks: More callbacks for the Trainer.
        over: Whether time is up; see `StageContext`.
    """

    display: Display
    callbacks: Sequence[TrainerCallback] = ()
    over: Callable[[], bool] | None = None


def stage_context(
    recipe: Recipe, place: RunContext, hooks: TrainingHooks | None = None
) -> StageContext:
    """The context shared by the stages of one training."""
    hooks = hooks or TrainingHooks(place.display)
    weights, priors, counts = None, None, place.facts.class_counts
    if recipe.loss.class_weights == "balanced":
        weights = place.task.class_weights(counts, place.facts.images)
    elif recipe.loss.class_weights == "effective":
        weights = effective_class_weights(counts)
    if recipe.loss.name == "logit_adjusted":
        priors = class_priors(counts)
    return StageContext(
        task=place.task,
        recipe=recipe,
        folder=place.state / "stages",
        logs=place.logs,
        class_weights=weights,
        class_priors=priors,
        display=hooks.display,
        callbacks=list(hooks.callbacks),
        over=hooks.over,
    )


def _fit(recipe: Recipe, task: Task) -> Fit:
    """How the processor frames to begin with; as the checkpoint says where that is undecided."""
    if recipe.image.fit == "auto":
        return "processor" if task.probes else FIRST
    return recipe.image.fit


def _load_options(recipe: Recipe, place: RunContext) -> dict[str, Any]:
    """What a backbone is loaded with, beside its name."""
    return {
        "labels": place.data.labels,
        "dropout": recipe.model.dropout,
        "drop_path": recipe.model.drop_path,
        "batch_norm_momentum": recipe.model.batch_norm_momentum,
        "image_size": recipe.image.size,
        "image_fit": _fit(recipe, place.task),
        "keep_head": recipe.model.keep_head,
        "seed": recipe.seed,
    }


def _load(
    recipe: Recipe,
    place: RunContext,
    checkpoint: Checkpoint | None,
    kept: KeptBackbone | None,
) -> tuple[Recipe, LoadedModel, list[Choice]]:
    """Choose and load the backbone; what the model decides goes into the recipe."""
    with PartialState().local_main_process_first():
        checkpoint = checkpoint or choose_checkpoint(recipe.model.candidates)
        place.display.say(checkpoint.reason)
        options = _load_options(recipe, place)
        loaded = kept.copy_of(checkpoint, options) if kept is not None else None
        loaded = loaded or place.task.load(checkpoint, **options)
    choices = [
        Choice(
            name="model.candidates",
            was=recipe.model.candidates,
            value=[checkpoint.name],
            reason=checkpoint.reason,
        )
    ]
    choices += loaded.adjustments
    changes = {choice.name: choice.value for choice in choices}
    return recipe.replaced(changes), loaded, choices
