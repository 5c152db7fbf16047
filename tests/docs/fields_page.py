"""docs/reference/recipe.md and policy.md, from the schemas of recipes and policies."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

from pydantic import BaseModel

from hf_vft.monitoring.policy import Policy, bundled_policies
from hf_vft.pretraining.recipe import (
    BackboneConfig,
    ImagesConfig,
    PretrainingConfig,
    PretrainRecipe,
    SizePhase,
)
from hf_vft.recipe.schema import LoraRecipe, Recipe, StageConfig, bundled_recipes, load_recipe
from tests.docs.markdown import fields_table, is_section

RECIPES = """# Recipe fields

A recipe is strict YAML: a field that does not exist is refused, and the message names the right
ones. `auto` is decided from the data and the device; `choices.json` holds what was chosen and
why, and `recipe.yaml` of a finished run has no `auto` left. Any field can be set with `--set
A.B=C`; a stage is named by its `name` (`--set stages.all.epochs=30`)."""

POLICIES = """# Policy fields

A policy says from which evidence on the monitor says something, and what is done about it. [How
the monitor decides](../explanation/how-the-monitor-decides.md) explains the rule. `effects` and
`harm` of a file are laid over the defaults, so that a policy names only what it changes."""


def recipe_page() -> str:
    """The page on recipes, and on those of a pre-training."""
    lines = [RECIPES, "", "## Bundled recipes", "", "| Recipe | For |", "| --- | --- |"]
    lines += [f"| `{name}` | {load_recipe(name).description} |" for name in bundled_recipes()]
    lines += ["", "## The recipe", "", *fields_table(Recipe)]
    for name in Recipe.model_fields:
        if is_section(Recipe, name):
            lines += _section(type(getattr(Recipe(), name)), name)
        elif name == "stages":
            lines += _section(StageConfig, "stages.NAME")
    lines += _section(LoraRecipe, "model.lora")
    lines += [
        "",
        "## Recipes of a pre-training",
        "",
        "`hf-vft pretrain` reads recipes of their own kind.",
    ]
    lines += ["", *fields_table(PretrainRecipe)]
    for title, model in (
        ("backbone", BackboneConfig),
        ("images", ImagesConfig),
        ("training", PretrainingConfig),
    ):
        lines += _section(model, title, level=3)
    lines += _section(SizePhase, "training.sizes", level=3)
    return "\n".join(lines) + "\n"


def policy_page() -> str:
    """The page on policies."""
    lines = [POLICIES, "", "| Policy | For |", "| --- | --- |"]
    for name, path in bundled_policies().items():
        from hf_vft.monitoring.policy import load_policy

        lines.append(f"| `{name}` | {load_policy(path).description} |")
    lines += ["", "## The policy", "", *fields_table(Policy)]
    for name in Policy.model_fields:
        if is_section(Policy, name):
            lines += _section(type(getattr(Policy(), name)), name)
    return "\n".join(lines) + "\n"


def _section(model: type[BaseModel], name: str, level: int = 2) -> Iterator[str]:
    yield from ("", f"{'#' * level} {name}", "")
    if model.__doc__:
        yield from (" ".join(cleandoc(model.__doc__).split("\n\n")[0].split()), "")
    yield from fields_table(model, f"{name}.")
