"""The generated pages are current, and the run folder that they describe is a real one's."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_vft.recipe.schema import Recipe
from tests.docs.markdown import is_section
from tests.docs.pages import DOCS, PAGES
from tests.docs.run_folder_page import documented

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="needs a checkout")


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    current = (DOCS / name).read_text(encoding="utf-8")
    assert current == PAGES[name](), "run `make docs-pages`"


def test_everything_in_a_run_is_on_its_page(fitted: Path) -> None:
    paths = {path for path, _, _ in documented()}
    folders = {path.partition("/")[0] for path in paths}
    hidden = {path.name for path in fitted.iterdir() if path.name.startswith(".")}
    assert {path.name for path in fitted.iterdir()} - hidden <= folders


def test_every_section_of_the_recipe_has_its_table() -> None:
    page = PAGES["reference/recipe.md"]()
    for name in Recipe.model_fields:
        if is_section(Recipe, name):
            assert f"\n## {name}\n" in page
    assert "`stages.NAME.layer_decay`" in page
