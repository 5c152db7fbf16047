"""The space that a search varies, from its candidates and what fits into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from accelerate import PartialState

from hf_vft.automl.memory import fitting_batches
from hf_vft.automl.prepare import Workplace, prepare
from hf_vft.automl.ranking import Candidate
from hf_vft.automl.space import FULL, GRADUAL, LORA, RECIPE, Space
from hf_vft.errors import ModelError
from hf_vft.models.load import LoadedModel
from hf_vft.models.lora import check_lora
from hf_vft.recipe import LoraRecipe
from hf_vft.training.display import Silent
from hf_vft.training.processes import from_main

BATCHES = (8, 16, 32, 64)
SCALES = (1.0, 0.75, 1.25)


def space_of(candidates: Sequence[Candidate], place: Workplace) -> Space:
    """What may be tried; batch sizes are measured on the best candidate.

    Args:
        candidates: The best first.
        place: What all trainings of the run share.
    """
    best = candidates[0]
    prepared = prepare(best.recipe, replace(place, display=Silent()), best.checkpoint)
    model, side = prepared.tuning.model, best.side
    own = int(best.recipe.training.batch_size)
    world = PartialState().num_processes
    most = max(own, place.facts.pictures)
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
