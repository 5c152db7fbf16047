"""What a search may vary, and what it tries first.

The first trial is the recipe as it stands. Those after it are what experts run: everything with
AdamW and layer decay (Clark et al. 2020; Bao et al. 2022), gradual unfreezing (Howard and Ruder
2018), adapters of rank 8 (Hu et al. 2021). Then a sampler learns from the trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from accelerate import PartialState
from optuna.trial import Trial

from hf_vft.automl.fitting_batches import fitting_batches
from hf_vft.automl.optimizer_defaults import GENTLE
from hf_vft.automl.prepare import RunContext, prepare
from hf_vft.automl.ranking import Candidate
from hf_vft.data.transforms.images import STRENGTHS
from hf_vft.errors import ModelError
from hf_vft.models.load import LoadedModel
from hf_vft.models.lora import check_lora
from hf_vft.recipe.schema import LoraRecipe, Recipe, StageConfig
from hf_vft.training.processes import from_main
from hf_vft.utils.progress import Silent

RECIPE, FULL, GRADUAL, LORA = "recipe", "full", "gradual", "lora"
STEPS = 500
"""Of batches of 32, for data sets below 20 thousand images (BiT-HyperRule, Kolesnikov 2020)."""

FEWEST_EPOCHS, MOST_EPOCHS = 5, 30
FEW = 10
"""From so many epochs on a plan has whole ones."""
LONGER = 2
"""No trial is planned for more than so many times the epochs of the recipe."""

MIXINGS: dict[str, dict[str, float]] = {
    "none": {"mixup_alpha": 0.0, "cutmix_alpha": 0.0},
    "mixup": {"mixup_alpha": 0.2, "cutmix_alpha": 0.0},
    "cutmix": {"mixup_alpha": 0.0, "cutmix_alpha": 1.0},
    "both": {"mixup_alpha": 0.2, "cutmix_alpha": 1.0},
}
KEPT_FLIPS = ("horizontal_flip", "vertical_flip")
"""Decided by looking through the model; a strength does not change them."""

BATCHES = (8, 16, 32, 64)
SCALES = (1.0, 0.75, 1.25)

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Space:
    """The values that a search chooses from.

    Attributes:
        models: Names of the candidates, the best first.
        strategies: Without ``lora`` where a backbone cannot carry adapters.
        scales: Input sizes, as multiples of the backbone's own.
        batches: Batch sizes that fit into memory.
        strength: Of augmentation in the recipe.
        batch: In the recipe.
    """

    models: tuple[str, ...]
    strategies: tuple[str, ...]
    scales: tuple[float, ...]
    batches: tuple[int, ...]
    strength: str
    batch: int

    def first_trials(self) -> list[dict[str, Any]]:
        """The settings that are tried first, in this order."""
        expert: dict[str, Any] = {
            "model": self.models[0],
            "strategy": RECIPE,
            "rate": 1.0,
            "layer_decay": 1.0,
            "weight_decay": 0.01,
            "strength": self.strength,
            "mixing": "none",
            "scale": 1.0,
            "batch": self.batch,
            "ema": 0.0,
        }
        others: list[dict[str, Any]] = [
            {"strategy": FULL, "layer_decay": 0.75},
            {"model": self.models[min(1, len(self.models) - 1)], "rate": 0.5, "ema": 0.99},
            {"strategy": GRADUAL, "layer_decay": 0.8},
            {"strategy": LORA},
        ]
        allowed = [o for o in others if o.get("strategy", RECIPE) in self.strategies]
        return [expert, *(expert | other for other in allowed)]

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Draw a point of the space from the sampler, or take an enqueued one."""
        return {
            "model": trial.suggest_categorical("model", self.models),
            "strategy": trial.suggest_categorical("strategy", self.strategies),
            "rate": trial.suggest_float("rate", 0.1, 5.0, log=True),
            "layer_decay": trial.suggest_float("layer_decay", 0.65, 1.0),
            "weight_decay": trial.suggest_float("weight_decay", 1e-5, 0.1, log=True),
            "strength": trial.suggest_categorical("strength", tuple(STRENGTHS)),
            "mixing": trial.suggest_categorical("mixing", tuple(MIXINGS)),
            "scale": trial.suggest_categorical("scale", self.scales),
            "batch": trial.suggest_categorical("batch", self.batches),
            "ema": trial.suggest_categorical("ema", (0.0, 0.99)),
        }


def space_of(candidates: Sequence[Candidate], place: RunContext) -> Space:
    """The search space; batch sizes are measured on the best candidate.

    Args:
        candidates: The best first.
        place: What all trainings of the run share.
    """
    best = candidates[0]
    quiet = replace(place, display=Silent())
    prepared = prepare(best.recipe, quiet, best.checkpoint, kept=best.backbone)
    model, side = prepared.tuning.model, best.side
    own = int(best.recipe.training.batch_size)
    world = PartialState().num_processes
    most = max(own, place.facts.images)
    sizes = [n for n in sorted({*BATCHES, own}) if n % world == 0 and n <= most]
    batches = from_main(lambda: fitting_batches(model, side, sizes or [own]))
    strategies = [RECIPE, FULL, GRADUAL]
    if best.checkpoint.pretrained and _carries_adapters(prepared.loaded):
        strategies.append(LORA)
    return Space(
        models=tuple(candidate.checkpoint.name for candidate in candidates),
        strategies=tuple(strategies),
        scales=SCALES if side >= 64 else (1.0,),
        batches=tuple(sorted({*batches, min(own, max(batches))})),
        strength=best.recipe.augment.strength,
        batch=own if own in batches else max(batches),
    )


def _carries_adapters(loaded: LoadedModel) -> bool:
    try:
        check_lora(loaded, LoraRecipe())
    except ModelError:
        return False
    return True


def trial_changes(
    recipe: Recipe, params: Params, *, images: int, size: int, epochs: float | None = None
) -> dict[str, Any]:
    """The recipe fields that a trial changes, by dotted name.

    Args:
        recipe: Resolved for the backbone of the trial.
        params: A point of the space.
        images: To train on.
        size: The backbone's own input size.
        epochs: At most, where time is short.

    Returns:
        Nothing but what differs: the first trial of a search changes nothing unless time is short.
    """
    planned = planned_epochs(recipe, params, images)
    share = min(1.0, epochs / planned) if epochs is not None else 1.0
    changes: dict[str, Any] = {}
    if params["strategy"] != RECIPE or params["rate"] != 1.0 or share < 1.0:
        changes["stages"] = [s.model_dump() for s in _stages(recipe, params, planned, share)]
    if params["strategy"] == LORA:
        changes["model.lora"] = {"r": 8, "alpha": 16.0, "dropout": 0.0, "target": "auto"}
    if params["scale"] != 1.0:
        changes["image.size"] = scaled_size(size, params["scale"])
    augment = {**recipe.augment.model_dump(), "strength": params["strength"]}
    if params["strength"] != recipe.augment.strength:
        augment |= {k: v for k, v in STRENGTHS[params["strength"]].items() if k not in KEPT_FLIPS}
    if params["mixing"] != "none" or params["strength"] != recipe.augment.strength:
        augment |= MIXINGS[params["mixing"]]
    changes |= {
        f"augment.{name}": value
        for name, value in augment.items()
        if value != getattr(recipe.augment, name)
    }
    settings = {"training.batch_size": params["batch"], "training.ema_decay": params["ema"]}
    was = {
        "training.batch_size": recipe.training.batch_size,
        "training.ema_decay": recipe.training.ema_decay,
    }
    return changes | {name: value for name, value in settings.items() if value != was[name]}


def planned_epochs(recipe: Recipe, params: Params, images: int) -> float:
    """Epochs of a trial that time does not shorten."""
    own = sum(stage.epochs for stage in recipe.stages)
    if params["strategy"] == RECIPE:
        return own
    by_size = max(FEWEST_EPOCHS, round(STEPS * 32 / images))
    return float(min(by_size, MOST_EPOCHS, max(1, round(LONGER * own))))


def scaled_size(size: int, scale: float) -> int:
    """A side near ``scale`` times ``size`` that keeps whole patches of its sixteenth or so."""
    unit = next(unit for unit in (32, 28, 16, 14, 8, 4, 2, 1) if size % unit == 0)
    return max(unit, round(scale * size / unit) * unit)


def _stages(recipe: Recipe, params: Params, planned: float, share: float) -> Sequence[StageConfig]:
    rate, decay = params["rate"], params["layer_decay"]
    if params["strategy"] == RECIPE:
        return [_shortened(stage, rate, share) for stage in recipe.stages]
    shared: dict[str, Any] = {
        "optimizer": "adamw",
        "scheduler": "cosine",
        "warmup": 0.1,
        "weight_decay": params["weight_decay"],
        "layer_decay": decay,
    }
    epochs = few_or_whole(planned * share)
    own = recipe.stages[-1]
    base = GENTLE["adamw"].learning_rate
    if own.optimizer == "adamw":
        base = float(own.learning_rate)
    if params["strategy"] == GRADUAL and epochs >= 2:
        first = few_or_whole(epochs / 3)
        return [
            StageConfig(
                name="top", train="blocks:2", epochs=first, learning_rate=3 * base * rate, **shared
            ),
            StageConfig(
                name="all",
                train="all",
                epochs=max(1.0, epochs - first),
                learning_rate=base * rate,
                **shared,
            ),
        ]
    if params["strategy"] == LORA:
        base = 10 * GENTLE["adamw"].learning_rate
    return [
        StageConfig(name="all", train="all", epochs=epochs, learning_rate=base * rate, **shared)
    ]


def few_or_whole(epochs: float) -> float:
    """Whole epochs, quarters if they are few: a last one may be a tenth of a short search."""
    steps = 1 if epochs >= FEW else 4
    return max(1.0, round(steps * epochs) / steps)


def _shortened(stage: StageConfig, rate: float, share: float) -> StageConfig:
    head = stage.head_learning_rate
    return stage.model_copy(
        update={
            "epochs": stage.epochs if share >= 1.0 else few_or_whole(stage.epochs * share),
            "learning_rate": float(stage.learning_rate) * rate,
            "head_learning_rate": head * rate if head is not None else None,
        }
    )
