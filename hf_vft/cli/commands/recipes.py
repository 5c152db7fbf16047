"""``hf-vft recipes``: what there is, and what it says."""

import json
from typing import Annotated

import typer


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this one, ready to edit.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List the recipes that come with hf-vft, or print one.

    Example: hf-vft recipes staged > mine.yaml && hf-vft fit photos/ --recipe mine.yaml
    """
    from hf_vft.recipe.schema import bundled_recipes, load_recipe

    known = bundled_recipes()
    if name is None:
        described = {key: load_recipe(key).description for key in known}
        width = max(len(key) for key in known)
        lines = [f"{key:<{width}}  {text}" for key, text in described.items()]
        typer.echo(json.dumps(described, indent=2) if as_json else "\n".join(lines))
        return
    recipe = load_recipe(name)
    if as_json:
        typer.echo(recipe.model_dump_json(indent=2))
    elif name in known:
        typer.echo(known[name].read_text(encoding="utf-8"), nl=False)
    else:
        typer.echo(recipe.to_yaml(), nl=False)
