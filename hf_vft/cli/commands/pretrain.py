"""``hf-vft pretrain``: a backbone from formulas, without a single photograph."""

from pathlib import Path
from typing import Annotated

import typer

from hf_vft.cli.launch import is_first

DEFAULT_RECIPE = "convnextv2"


def pretrain(
    recipe: Annotated[
        str, typer.Argument(help="A recipe of recipes/pretrain, or a YAML file.")
    ] = DEFAULT_RECIPE,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Change a field of the recipe."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Checkpoints, log and model.")] = Path("pretrained"),
    minutes: Annotated[
        float | None,
        typer.Option(min=0.0, help="Stop after so long; --resume goes on."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
) -> None:
    """Pre-train a small backbone on generated shapes and surfaces.

    Example: hf-vft pretrain convnextv2 --out pretrained --minutes 30

    Example: hf-vft pretrain convnextv2 --out pretrained --resume
    """
    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.cli.pretraining import ShowProgress
    from hf_vft.pretraining.pretrain import pretrain as run_pretraining
    from hf_vft.pretraining.recipe import load_pretrain_recipe

    chosen = load_pretrain_recipe(recipe, change or [])
    quiet_libraries()
    seconds = None if minutes is None else 60 * minutes
    with ConsoleDisplay() as display:
        model = run_pretraining(
            chosen, out, resume=resume, seconds=seconds, callbacks=[ShowProgress(display)]
        )
    if is_first():
        typer.echo(f"{model}; next: hf-vft fit photos/ --set 'model.candidates=[{model}]'")
