"""Every shape is read as what it is, or refused in one line that names the way on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hf_vft.data.annotated_boxes import clean_objects, fit_declared
from hf_vft.data.label_types import KINDS
from hf_vft.data.sources.read_source import read_source
from hf_vft.data.sources.table import Table
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from tests.data.sources.page import PAGE, page
from tests.data.sources.shape_cases import SHAPES
from tests.data.sources.shapes import IMAGE, Shape, write


def difference(shape: Shape, folder: Path) -> str:
    """What a shape is read as in place of what it is; empty where it is right."""
    root = folder / "data"
    root.mkdir()
    write(root, shape.files)
    config = DataConfig(**shape.config)
    try:
        table = read_source(root / shape.open, config, folder / "cache")
        if table.kind.name == "boxes":
            sizes = [IMAGE] * len(table.files)
            labels, _ = clean_objects(fit_declared(table.labels, sizes)[0], sizes)
            table = replace(table, labels=labels)
    except DataError as error:
        message = str(error)
        refused = shape.labels is None and shape.error in message and "\n" not in message
        return "" if refused else f"refused: {message}"
    return _of_table(shape, table)


def _of_table(shape: Shape, table: Table) -> str:
    assert table.reading is not None
    told = "\n".join([table.reading.statement, *table.reading.guessed(), *table.notes])
    if shape.labels is None:
        return f"read: {told}"
    splits = dict(table.reading.counts) if table.splits is not None else {}
    found: list[tuple[str, Any, Any]] = [
        ("kind", table.kind.name, shape.what),
        ("labels", table.reading.classes, shape.labels),
        ("splits", splits, dict(shape.splits)),
    ]
    if shape.first is not None:
        file, label = shape.first
        found.append(("first", _label(table, file), label))
    wrong = [
        f"{name} {there!r}, not {wanted!r}" for name, there, wanted in found if there != wanted
    ]
    wrong += [f"nothing says {part!r}" for part in shape.says if part not in told]
    return "; ".join([*wrong, told] if wrong else [])


def _label(table: Table, file: str) -> Any:
    label = table.labels[table.files.index(file)]
    if table.kind is KINDS["boxes"]:
        return tuple(round(side, 3) for side in label.boxes[0]), label.categories[0]
    return table.kind.text(table.kind.names(label))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.kind}: {shape.name}")
def test_a_shape_is_read_as_what_it_is(shape: Shape, tmp_path: Path) -> None:
    assert difference(shape, tmp_path) == ""


def test_the_page_on_formats_says_what_is_so() -> None:
    """``python -m tests.data.sources.page`` brings it up to date."""
    old = PAGE.read_text(encoding="utf-8")
    assert page(old) == old
