"""Every recipe that comes with hf-vft."""

from pathlib import Path

import pytest
import yaml

from hf_vft.errors import RecipeError
from hf_vft.recipe.schema import Recipe, bundled_recipes, load_recipe, parse_recipe

RECIPES = bundled_recipes()


def sections(tree: dict, prefix: tuple[str, ...] = ()):
    """The path of every mapping in a recipe."""
    yield prefix
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from sections(value, (*prefix, key))


def test_the_default_and_the_quick_one_are_there():
    assert {"staged", "quickstart"} <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_it_loads_by_name_and_says_what_it_is_for(name: str):
    recipe = load_recipe(name)
    assert recipe.description.endswith(".")
    assert recipe.data.path is None, "a recipe is about any images"


@pytest.mark.parametrize("name", RECIPES)
def test_it_survives_being_written_and_read(name: str, tmp_path: Path):
    recipe = load_recipe(name)
    copy = tmp_path / "copy.yaml"
    copy.write_text(recipe.to_yaml())
    assert load_recipe(copy) == recipe


@pytest.mark.parametrize("name", RECIPES)
def test_an_unknown_key_anywhere_is_refused(name: str):
    tree = yaml.safe_load(RECIPES[name].read_text())
    for path in sections(tree):
        changed = yaml.safe_load(RECIPES[name].read_text())
        node = changed
        for key in path:
            node = node[key]
        node["learning_rte"] = 1
        with pytest.raises(RecipeError, match="learning_rte"):
            parse_recipe(changed)


@pytest.mark.parametrize("name", RECIPES)
def test_the_file_names_only_fields_that_exist(name: str):
    tree = yaml.safe_load(RECIPES[name].read_text())
    assert set(tree) <= set(Recipe.model_fields)
