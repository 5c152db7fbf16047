"""``hf-vft fit``: from images to a model with proof."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_vft.cli.launch import is_first, launch
from hf_vft.cli.shortcuts import shortcuts
from hf_vft.errors import RecipeError
from hf_vft.utils.cache import default_cache

if TYPE_CHECKING:
    from hf_vft.recipe.schema import Recipe
    from hf_vft.run import RunDirectory


def fit(
    data: Annotated[
        str | None,
        typer.Argument(help="A folder, a zip, a CSV/JSONL/Parquet file, or a dataset's Hub id."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="A recipe of `hf-vft recipes`, or a YAML file.", show_default="staged"),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Change a field of the recipe."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The column that holds the labels: data.label_column.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The backbone, a Hub id or a folder: model.candidates."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="The score to choose the weights by, such as accuracy: training.metric."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("run"),
    time_budget: Annotated[
        str | None,
        typer.Option(help="Search for the best model within this time: 90s, 20m, 1h30m."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")] = False,
    num_processes: Annotated[
        int, typer.Option(min=1, help="Train on so many processes of this machine.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
) -> None:
    """Fine-tune a model on your images and prove what it is worth.

    Example: hf-vft fit photos/ --out run

    Example: hf-vft fit photos/ --time-budget 20m --set search.max_latency_ms=30

    Example: hf-vft fit photos/ --label diagnosis --model my/vit --metric balanced_accuracy
    """
    if num_processes > 1 and "LOCAL_RANK" not in os.environ:
        words = _without_option(sys.argv[1:], "--num-processes")
        raise typer.Exit(launch(num_processes, words))

    # What can be wrong without a look at a single image is said before the slow imports.
    from hf_vft.data.sources.check_source import check_present
    from hf_vft.recipe.schema import DEFAULT, load_recipe

    chosen: Recipe | None = None
    budget = _budget(time_budget)
    settings = shortcuts(label, model, metric) | ({"data.path": data} if data else {})
    if not resume or settings or recipe or change or budget:
        chosen = load_recipe(recipe or DEFAULT, [*budget, *(change or [])]).replaced(settings)
    if chosen is not None and chosen.data.path is not None:
        check_present(chosen.data.path, default_cache() / "data" / "datasets")

    from hf_vft.automl.time_budget import process_started
    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.cli.memory import suit_the_device
    from hf_vft.cli.questions import asking
    from hf_vft.cli.scores import print_scores
    from hf_vft.workflows.fit import fit as run_fit

    quiet_libraries()
    suit_the_device()

    def fitted(answers: dict[str, Any]) -> "RunDirectory":
        settled = None if chosen is None else chosen.replaced(answers)
        with ConsoleDisplay() as display:
            return run_fit(settled, out, resume=resume, display=display, started=process_started())

    run = asking(fitted)
    if is_first():
        print_scores(run, as_json=as_json)


def _budget(time_budget: str | None) -> list[str]:
    """As a change of the recipe; a bare number could be seconds or minutes.

    Raises:
        RecipeError: If it has no unit.
    """
    if time_budget is None:
        return []
    if time_budget.replace(".", "", 1).isdigit():
        raise RecipeError(
            f"--time-budget {time_budget}: give a unit, such as {time_budget}m or {time_budget}s."
        )
    return [f"search.time_budget={time_budget}"]


def _without_option(words: list[str], option: str) -> list[str]:
    arguments: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == option:
            skip = True
        elif not word.startswith(f"{option}="):
            arguments.append(word)
    return arguments
