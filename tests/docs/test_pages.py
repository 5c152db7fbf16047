"""The generated pages are current, and the run folder that they describe is a real one's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hf_vft
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


def test_the_page_of_python_has_what_hf_vft_exports_and_says_where_else_a_name_is_from() -> None:
    page = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    called, rest = page.split("\n## Results\n")
    parts = rest.split("\n## Parts\n")[1].split("\n## Errors\n")[0]
    exported = {name for name in hf_vft.__all__ if name not in ("__version__", "VftError")}
    assert {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)", called, re.M)} == exported
    for name in re.findall(r"^::: (\S+)", parts, re.M):
        assert f"From `{name.rpartition('.')[0]}`" in parts
