"""The page about who may do what: what it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    line
    for line in (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| What holds", "| ---"))
]


def test_the_page_has_sentences() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:50])
def test_each_sentence_names_code_and_a_test_that_are_there(row: str) -> None:
    named = re.findall(r"`([\w/]+\.py)` `([\w.]+)`", row)
    assert len(named) == 2, row
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        for part in name.split("."):
            found = [node for node in tree.body if getattr(node, "name", None) == part]
            assert found, f"{file}: {name}"
            tree = found[0]  # type: ignore[assignment]
    assert named[1][0].startswith("tests/")
    assert named[1][1].startswith("test_")
