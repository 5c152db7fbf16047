"""Recognises what a source is and has it read."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import datasets

from hf_vft.data.folders import read_class_folders
from hf_vft.data.table import Table
from hf_vft.data.tabular import read_rows, rows_to_table
from hf_vft.errors import DataError
from hf_vft.recipe import DataConfig

Source: TypeAlias = str | Path | datasets.Dataset | datasets.DatasetDict

METADATA_NAMES = ("metadata.csv", "metadata.jsonl")


def describe_source(source: Source) -> str:
    """What the source is called in reports."""
    return str(source) if isinstance(source, str | Path) else f"a datasets.{type(source).__name__}"


def read_source(source: Source, config: DataConfig, cache_dir: Path | None) -> Table:
    """Read any source into a table; no picture is decoded.

    Raises:
        DataError: One line, if it is not there, not understood, or lacks what is needed.
    """
    path = Path(str(source))
    if path.is_dir():
        return _read_folder(path, config)
    raise DataError(f"{source!r} is neither a file or folder nor a Hub dataset (user/name).")


def _read_folder(root: Path, config: DataConfig, *, contained: bool = False) -> Table:
    metadata = [root / name for name in METADATA_NAMES if (root / name).is_file()]
    if metadata:
        return rows_to_table(read_rows(metadata[0]), config, base=root, contained=contained)
    return read_class_folders(root)
