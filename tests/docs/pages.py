"""The generated pages: ``python -m tests.docs.pages`` (``make docs-pages``) writes them again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.docs import cli_page, errors_page, fields_page, layers_page, log_page, run_folder_page

DOCS = Path(__file__).parents[2] / "docs"

PAGES: dict[str, Callable[[], str]] = {
    "reference/cli.md": cli_page.page,
    "reference/recipe.md": fields_page.recipe_page,
    "reference/policy.md": fields_page.policy_page,
    "reference/run-folder.md": run_folder_page.page,
    "reference/log-schema.md": log_page.page,
    "reference/errors.md": errors_page.page,
    "assets/layers.svg": layers_page.svg,
}
"""File below docs/, and what it holds."""


if __name__ == "__main__":
    for name, make in PAGES.items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")
