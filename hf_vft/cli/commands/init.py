"""``hf-vft init``: a first recipe from five answers."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

QUESTIONS = {
    "data": "Where are the images? A folder, a zip, a table, or a dataset's Hub id",
    "label": "Which column holds the labels? Empty: it is found",
    "group": "Which column says what images share (part, patient, place)? Empty: none",
    "model": "Which backbone, a Hub id or a folder? Empty: it is chosen",
    "time_budget": "How long may a search for the best model take, such as 20m? Empty: no search",
}


def init(
    data: Annotated[
        str | None, typer.Argument(help="A folder, a zip, a table, or a dataset's Hub id.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column that holds the labels.")] = None,
    group: Annotated[
        str | None, typer.Option(help="The column of what images share: part, patient, place.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The backbone: a Hub id or a folder.")] = None,
    time_budget: Annotated[
        str | None, typer.Option(help="Search for the best model within this time: 20m, 1h30m.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The recipe to write.")] = Path("recipe.yaml"),
) -> None:
    """Write a commented recipe; at a terminal, what no option says is asked for.

    Example: hf-vft init photos/ --label defect --group part_id --out recipe.yaml
    """
    from hf_vft.errors import OutputError, RecipeError
    from hf_vft.recipe.starter import Answers, starter_recipe
    from hf_vft.run import write_text

    if out.exists():
        raise OutputError(f"{out}: already exists; move it away or choose another --out.")
    given = {"data": data, "label": label, "group": group, "model": model}
    given["time_budget"] = time_budget
    if sys.stdin.isatty() and sys.stderr.isatty():
        for name, question in QUESTIONS.items():
            while given[name] is None or (name == "data" and not given[name]):
                given[name] = typer.prompt(question, default="", show_default=False, err=True)
    chosen = {name: (value or "").strip() or None for name, value in given.items()}
    images = chosen.pop("data")
    if images is None:
        raise RecipeError(
            "data.path: no images were named, and there is no terminal to ask at; give them: "
            "hf-vft init photos/."
        )
    answers = Answers(images, **chosen)
    write_text(out, starter_recipe(answers, file=shlex.quote(str(out))))
    typer.echo(f"Recipe: {out}")
    typer.echo(f"Next:   hf-vft fit --recipe {shlex.quote(str(out))}")
