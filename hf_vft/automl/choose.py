"""One step from a recipe to a trained model, however many backbones it names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from accelerate import PartialState

from hf_vft.automl.deliver import deliver
from hf_vft.automl.first_steps import harmless_start
from hf_vft.automl.prepare import Prepared, RunContext, prepare
from hf_vft.automl.ranking import rank
from hf_vft.automl.search import Backend, Keep, open_search, run_here
from hf_vft.automl.time_budget import Clock
from hf_vft.errors import ModelError, RecipeError
from hf_vft.evaluation.leaderboard import LeaderboardRow
from hf_vft.evaluation.results import Estimate
from hf_vft.models.few_shot import FewShot
from hf_vft.models.load import LoadedModel
from hf_vft.recipe.schema import Choice, Recipe
from hf_vft.recipe.search import SearchConfig
from hf_vft.training.finetune import FineTuned, FineTuning
from hf_vft.utils.imports import require_package


@dataclass
class Trained:
    """The result of training, ready to be evaluated.

    Attributes:
        recipe: As it was followed: nothing is on ``auto``, and nothing is searched any more.
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
    rows: list[LeaderboardRow] = field(default_factory=list)


def choose_and_train(
    recipe: Recipe,
    place: RunContext,
    *,
    started: float,
    keep: Keep = lambda *_: None,
    rehearse: Keep = lambda *_: None,
) -> Trained:
    """Search where there is a budget; else rank the backbones if there are several, and train one.

    Args:
        recipe: Resolved but for what the model decides.
        place: What all trainings of the run share.
        started: ``time.monotonic()`` at the start of the run, where its budget begins.
        keep: Called in a search with each model that is better than those before it.
        rehearse: Called in a search with its first model: does what will follow the search, whose
            time is thereby known, and leaves nothing behind.

    Raises:
        ModelError: If no backbone can be had, in one line.
        RecipeError: If the task cannot be searched.
    """
    if recipe.search.wanted and not (place.data.kind.exclusive and place.task.probes):
        raise RecipeError(
            "A search compares models of one label an image: leave out --time-budget and "
            f"search.trials for {place.task.name}."
        )
    if recipe.search.wanted:
        clock = Clock(recipe.search.time_budget, place.state / "search" / "clock.json", started)
        search = open_search(
            recipe, place, clock, keep=keep, rehearse=rehearse, backend=_backend(recipe)
        )
        result = search.run()
        clock.line = 0.0
        # The trials were compared by the metric that the search was asked for: unless the recipe
        # names a place on the line, the best of them is the model of the run.
        best, delivered = result.prepared, list[Choice]()
        if recipe.training.deliver != "auto":
            best, delivered = deliver(best, result.tuned, place.display, over=clock.over)
        # Followed again, the recipe trains this model instead of searching for one.
        recipe = best.recipe.replaced({"search": SearchConfig().model_dump()})
        if recipe.training.deliver == "auto":
            recipe = recipe.replaced({"training.deliver": 1.0})
        choices = [*result.choices, *delivered]
        return Trained(recipe, best.loaded, best.tuning, result.tuned, choices, result.rows)
    several = recipe.model.candidates != "auto" and len(recipe.model.candidates) > 1
    if (several or recipe.search.bounded) and not place.task.probes:
        raise ModelError(
            f"Backbones are ranked by a linear probe, which {place.task.name} has not: name one "
            "model in model.candidates, and no bounds in search."
        )
    if several or recipe.search.bounded:
        ranking = rank(recipe, place)
        first = ranking.candidates[0]
        place.display.say(f"{ranking.choice.reason}.")
        prepared = prepare(first.recipe, place, first.checkpoint, kept=first.backbone)
        choices = [ranking.choice, *first.choices[1:]]
        return _train(replace(prepared, choices=choices), place, ranking.rows)
    return _train(prepare(recipe, place), place, [])


def _backend(recipe: Recipe) -> Backend:
    """The search backend that the recipe names."""
    if recipe.search.backend != "ray":
        return run_here
    check_ray()
    from hf_vft.automl.ray_backend import run_on_ray

    return run_on_ray


def check_ray() -> None:
    """Say at once what searching on a cluster needs.

    Raises:
        MissingDependencyError: If Ray is not installed.
        RecipeError: If there are several processes already.
    """
    require_package("ray", "ray")
    if PartialState().num_processes > 1:
        raise RecipeError(
            "search.backend: ray spreads trials over a cluster by itself; start one process."
        )


def _train(prepared: Prepared, place: RunContext, rows: list[LeaderboardRow]) -> Trained:
    prepared, gentle = harmless_start(prepared, place)
    tuned = prepared.tuning.run()
    prepared, delivered = deliver(prepared, tuned, place.display)
    decided = {choice.name for choice in gentle}
    choices = [c for c in prepared.choices if c.name not in decided] + gentle + delivered
    choices += tuned.choices
    if tuned.few_shot is not None:
        rows = [*rows, *_heads(tuned.few_shot, prepared)]
        names = [head.name for head in tuned.few_shot.compared]
        choices.append(Choice("head", names, tuned.few_shot.name, tuned.few_shot.reason))
    return Trained(prepared.recipe, prepared.loaded, prepared.tuning, tuned, choices, rows)


def _heads(found: FewShot, prepared: Prepared) -> list[LeaderboardRow]:
    """The heads that were compared, as rows of the leaderboard."""
    return [
        LeaderboardRow(
            name=f"head: {head.name}",
            kind="probe",
            model=prepared.loaded.checkpoint.name,
            state="finished" if head.score is not None else "left out",
            score=Estimate(value=head.score) if head.score is not None else None,
            reason="" if head.linear else "compared alone: no linear layer answers so",
        )
        for head in found.compared
    ]
