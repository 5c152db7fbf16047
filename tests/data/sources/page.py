"""The table of docs/data-formats.md: ``python -m tests.data.sources.page`` writes it anew."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from hf_vft.data.sources.read_source import read_source
from hf_vft.errors import AmbiguousSourceError, DataError
from hf_vft.recipe.schema import DataConfig
from tests.data.sources.shape_cases import SHAPES
from tests.data.sources.shapes import Shape, write

PAGE = Path(__file__).parents[3] / "docs" / "data-formats.md"
_BEGIN, _END = "<!-- table: made by tests/data/sources/page.py -->", "<!-- end of table -->"


def told(shape: Shape) -> tuple[str, str]:
    """What becomes of a shape (read, asked or refused), and what is said."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "data")
        root.mkdir()
        write(root, shape.files)
        config = DataConfig(**shape.config)
        try:
            table = read_source(root / shape.open, config, Path(folder, "cache"))
        except AmbiguousSourceError as error:
            return "asked", _placeless(str(error), folder)
        except DataError as error:
            return "refused", _placeless(str(error), folder)
        assert table.reading is not None
        return "read", _placeless(table.reading.statement, folder)


def _placeless(text: str, folder: str) -> str:
    return text.replace(f"{folder}/data", "DATA").replace(folder, "DATA")


def rows() -> Iterator[str]:
    """The lines of the table, grouped by kind."""
    yield "| Shape | Becomes | What is said | Tried as written by |"
    yield "| --- | --- | --- | --- |"
    for kind, shapes in groupby(sorted(SHAPES, key=lambda one: one.kind), lambda one: one.kind):
        yield f"| **{kind}** | | | |"
        for shape in shapes:
            what, text = told(shape)
            settings = ", ".join(f"data.{name}={value}" for name, value in shape.config.items())
            name = f"{shape.name} (with {settings})" if settings else shape.name
            yield f"| {_cell(name)} | {what} | {_cell(text)} | {shape.tool} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def page(old: str) -> str:
    """The page with its table made anew."""
    before, _, rest = old.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{chr(10).join(rows())}\n{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
