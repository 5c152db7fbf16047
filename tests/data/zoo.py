"""The zoo of bad input, and what people are told: ``python -m tests.data.zoo`` prints it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import datasets
from rich.console import Console
from rich.table import Table

from hf_vft.data.images import decode_image
from hf_vft.data.load import load_data
from hf_vft.errors import DataError
from tests.data.zoo_files import CONVERTED, REJECTED, OddFile
from tests.data.zoo_sources import CASES, Case


def told_of_image(odd_file: OddFile, folder: Path) -> str:
    """What becomes of one file."""
    path = folder / odd_file.name
    odd_file.make(path)
    try:
        image = decode_image(path)
    except DataError as error:
        return f"left out: {error}"
    return f"converted: {image.mode}, {image.width} × {image.height}"


def told_of_source(case: Case, folder: Path) -> str:
    """What becomes of one source."""
    source = case.make(folder)
    try:
        data = load_data(source, case.config, seed=0, cache_dir=folder / ".cache")
    except DataError as error:
        return f"error: {error}".replace(str(folder), "DATA")
    lines = [f"left out: {item.file}: {item.reason}" for item in data.rejected]
    return "\n".join([*lines, *(f"note: {note}" for note in data.notes)])


def main() -> None:
    datasets.disable_progress_bars()
    table = Table("kind", "what the user is told", show_lines=True)
    for odd_file in CONVERTED + REJECTED:
        with tempfile.TemporaryDirectory() as folder:
            table.add_row(odd_file.kind, told_of_image(odd_file, Path(folder)))
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            table.add_row(case.kind, told_of_source(case, Path(folder)))
    console = Console(file=sys.stdout, width=140, markup=False, emoji=False)
    console.print(table, markup=False)


if __name__ == "__main__":
    main()
