"""Recognises what a source is and has it read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import datasets
from huggingface_hub.constants import HF_HOME

from hf_vft.data.archives import unpack
from hf_vft.data.columns import NONE, refuse_columns
from hf_vft.data.folders import (
    is_picture_name,
    read_class_folders,
    visible_entries,
    visible_files,
    visible_folders,
)
from hf_vft.data.metadata import has_metadata, read_metadata
from hf_vft.data.stored import Stored, is_saved, joined, load_hub, load_parquet, load_saved
from hf_vft.data.table import Table, canonical_split
from hf_vft.data.tabular import rows_to_table
from hf_vft.data.textfiles import TEXT_SUFFIXES, read_columns, to_rows
from hf_vft.errors import DataError
from hf_vft.recipe import DataConfig

Source: TypeAlias = str | Path | datasets.Dataset | datasets.DatasetDict

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_KINDS = "a folder, a CSV, JSON Lines or Parquet file, or a zip file"


def describe_source(source: Source) -> str:
    """What the source is called in reports."""
    return str(source) if isinstance(source, str | Path) else f"a datasets.{type(source).__name__}"


def read_source(source: Source, config: DataConfig, cache_dir: Path | None) -> Table:
    """Read any source into a table; no picture is decoded.

    Args:
        source: See :func:`hf_vft.data.load.load_data`.
        config: Which columns.
        cache_dir: Where archives are unpacked and datasets are kept; default: beside the other
            files of Hugging Face libraries.

    Raises:
        DataError: One line, if it is not there, not understood, or lacks what is needed.
    """
    if not isinstance(source, str | Path):
        table = _read_stored(source, config, base=None)
    else:
        path = Path(source).expanduser()
        if path.is_dir():
            table = _read_folder(path, config, cache_dir)
        elif path.is_file():
            table = _read_file(path, config, cache_dir)
        elif isinstance(source, str) and _HUB_ID.fullmatch(source):
            table = _read_stored(load_hub(source, config.subset, cache_dir), config, base=None)
        else:
            raise DataError(
                f"There is no {str(source)!r}: give {_KINDS}, or the name of a dataset on the "
                "Hub (user/name)."
            )
    return replace(table, splits=None) if config.split_column == NONE else table


def _read_folder(
    root: Path, config: DataConfig, cache_dir: Path | None, *, contained: bool = False
) -> Table:
    if is_saved(root):
        return _read_stored(load_saved(root), config, base=None, contained=contained)
    if has_metadata(root):
        return read_metadata(root, config, contained=contained)
    files = list(visible_files(root))
    if _suffixes(files, ".parquet") and not any(map(is_picture_name, files)):
        stored = load_parquet(root, cache_dir)
        return _read_stored(stored, config, base=root, contained=contained)
    inner = visible_entries(root)
    wrapped = len(inner) == 1 and inner[0].is_dir() and canonical_split(inner[0].name) is None
    if wrapped and visible_folders(inner[0]):
        return _read_folder(inner[0], config, cache_dir, contained=contained)
    refuse_columns(config, f"{root}, a folder of class folders,")
    return read_class_folders(root)


def _read_file(path: Path, config: DataConfig, cache_dir: Path | None) -> Table:
    suffix = path.suffix.casefold()
    if suffix == ".zip":
        store = cache_dir or Path(HF_HOME) / "hf-vft"
        return _read_folder(unpack(path, store / "archives"), config, cache_dir, contained=True)
    if suffix in TEXT_SUFFIXES:
        return rows_to_table(to_rows(read_columns(path)), config, base=path.parent)
    if suffix == ".parquet":
        return _read_stored(load_parquet(path, cache_dir), config, base=path.parent)
    raise DataError(f"{path} is not a source of labelled pictures: give {_KINDS}.")


def _read_stored(
    stored: Stored, config: DataConfig, *, base: Path | None, contained: bool = False
) -> Table:
    rows, splits, notes = joined(stored)
    if not len(rows):
        raise DataError("The dataset has no rows.")
    table = rows_to_table(rows, config, base=base, contained=contained, splits=splits)
    return replace(table, notes=notes + table.notes)


def _suffixes(files: Sequence[Path], suffix: str) -> bool:
    return any(file.suffix.casefold() == suffix for file in files)
