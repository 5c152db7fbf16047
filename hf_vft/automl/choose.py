"""One step from a recipe to a trained model, however many backbones it names."""

from __future__ import annotations

from dataclasses import dataclass, field

from hf_vft.automl.prepare import Prepared, Workplace, prepare
from hf_vft.automl.ranking import rank
from hf_vft.errors import ModelError
from hf_vft.evaluation.leaderboard import Row
from hf_vft.models.load import LoadedModel
from hf_vft.recipe import Choice, Recipe
from hf_vft.training.finetune import FineTuned, FineTuning


@dataclass
class Trained:
    """What training leaves for the proof.

    Attributes:
        recipe: As it was followed: nothing is on ``auto``.
        loaded: The model and its processor.
        tuning: Has the data as the model sees it.
        tuned: The trained model, its stages and its probe.
        choices: What was decided on the way.
        rows: Of the leaderboard, but for the model itself.
    """

    recipe: Recipe
    loaded: LoadedModel
    tuning: FineTuning
    tuned: FineTuned
    choices: list[Choice]
    rows: list[Row] = field(default_factory=list)


def choose_and_train(recipe: Recipe, place: Workplace) -> Trained:
    """Rank the backbones where there are several, and train the best one.

    Args:
        recipe: Resolved but for what the model decides.
        place: What all trainings of the run share.

    Raises:
        ModelError: If no backbone can be had, in one line.
    """
    several = recipe.model.candidates != "auto" and len(recipe.model.candidates) > 1
    if (several or recipe.search.bounded) and not place.task.probes:
        raise ModelError(
            f"Backbones are ranked by a linear probe, which {place.task.name} has not: name one "
            "model in model.candidates, and no bounds in search."
        )
    if several or recipe.search.bounded:
        ranking = rank(recipe, place)
        best = ranking.candidates[0]
        place.display.say(f"{ranking.choice.reason}.")
        prepared = prepare(best.recipe, place, best.checkpoint)
        choices = [ranking.choice, *best.choices[1:]]
        return _train(prepared, choices, ranking.rows)
    prepared = prepare(recipe, place)
    return _train(prepared, prepared.choices, [])


def _train(prepared: Prepared, choices: list[Choice], rows: list[Row]) -> Trained:
    tuned = prepared.tuning.run()
    return Trained(prepared.recipe, prepared.loaded, prepared.tuning, tuned, choices, rows)
