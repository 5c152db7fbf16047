"""Reads a folder whose pictures are described by ``metadata.csv`` or ``metadata.jsonl``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hf_vft.data.sources.columns import find_columns
from hf_vft.data.sources.folders import find_split_folders, is_picture_name, visible_files
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tabular import rows_to_table
from hf_vft.data.sources.textfiles import read_columns, to_rows
from hf_vft.data.wording import counted
from hf_vft.recipe import DataConfig

METADATA_NAMES = ("metadata.csv", "metadata.jsonl")


def has_metadata(root: Path) -> bool:
    """Whether the folder, or a split folder in it, has a metadata file."""
    return _file_in(root) is not None or bool(_files_in_splits(root))


def read_metadata(
    root: Path,
    config: DataConfig,
    *,
    contained: bool = False,
    kind: str | None = None,
    labelled: bool = True,
) -> Table:
    """Read the rows of the metadata file at the root, or of those in the split folders.

    Args:
        root: The folder.
        config: Which columns.
        contained: Whether file names may not lead out of ``root``.
        kind: What the labels have to be; None takes what is there.
        labelled: Whether labels have to be there.

    Raises:
        DataError: If a file cannot be read or lacks a column.
    """
    file = _file_in(root)
    if file is not None:
        columns, splits = read_columns(file), None
    else:
        columns, splits = _read_split_files(_files_in_splits(root), config)
    table = rows_to_table(
        to_rows(columns),
        config,
        base=root,
        contained=contained,
        splits=splits,
        kind=kind,
        needs_labels=labelled,
    )
    named = set(table.files)
    unnamed = [
        path.relative_to(root).as_posix()
        for path in visible_files(root)
        if is_picture_name(path) and path.relative_to(root).as_posix() not in named
    ]
    if not unnamed:
        return table
    number = counted(len(unnamed), "picture")
    note = f"Not used, because the metadata does not name them: {number}, e.g. {min(unnamed)}."
    return replace(table, notes=[*table.notes, note])


def _file_in(folder: Path) -> Path | None:
    found = [folder / name for name in METADATA_NAMES if (folder / name).is_file()]
    return found[0] if found else None


def _files_in_splits(root: Path) -> dict[str, Path]:
    found = {split: _file_in(folder) for split, folder in find_split_folders(root).items()}
    return {split: file for split, file in found.items() if file is not None}


def _read_split_files(
    files: dict[str, Path], config: DataConfig
) -> tuple[dict[str, list[Any]], list[str]]:
    """One table of all, with file names from the root and the split of each row."""
    parts = {split: read_columns(file) for split, file in files.items()}
    names = list(dict.fromkeys(name for part in parts.values() for name in part))
    joined: dict[str, list[Any]] = {name: [] for name in names}
    splits: list[str] = []
    for split, part in parts.items():
        image = find_columns(to_rows(part).features, config).image
        length = len(part[image])
        folder = files[split].parent.name
        part[image] = [name and f"{folder}/{name}" for name in part[image]]
        for name in names:
            joined[name] += part.get(name, [None] * length)
        splits += [split] * length
    return joined, splits
