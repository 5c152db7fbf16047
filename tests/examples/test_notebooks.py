"""The notebooks of examples/ run at a tiny size, and hold no output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs a checkout")

QUICK: dict[str, Any] = {
    "image.size": 32,
    "stages.all.epochs": 1,
    "evaluation.bootstrap": 20,
    "evaluation.stress": False,
    "training.num_workers": 0,
}
TINY: dict[str, dict[str, Any]] = {
    "own_trainer_script": {"IMAGES": 240, "SIZE": 32, "EPOCHS": 1},
    "defects_from_folder_to_drift": {
        "IMAGES": 240,
        "SIZE": 40,
        "CHANGES": {**QUICK, "probe.folds": 2},
        "STREAM": {"days": 10, "per_day": 12},
    },
    "detection": {"IMAGES": 48, "SIZE": 32, "EPOCHS": 1, "CHANGES": {**QUICK, "image.size": 64}},
}
"""What takes the place of the values in the cell that is tagged ``parameters``."""


@pytest.mark.parametrize("name", TINY)
def test_a_notebook_is_valid_and_holds_no_output(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_a_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(read(name).cells):
        if cell.cell_type != "code":
            continue
        exec(compile(cell.source, f"{name}, cell {number}", "exec"), space)
        if "parameters" in cell.metadata.get("tags", []):
            assert set(TINY[name]) <= set(space)
            space |= TINY[name]


def test_every_notebook_is_in_the_list() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(TINY)
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"({name}.ipynb)" in page for name in TINY)


def read(name: str) -> Any:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
