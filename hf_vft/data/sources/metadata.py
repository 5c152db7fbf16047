"""Reads a folder whose pictures are described by ``metadata.csv`` or ``metadata.jsonl``."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from pathlib import Path
from typing import Any

from hf_vft.data.sources.columns import find_columns
from hf_vft.data.sources.how import How
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.table import Table, canonical_split
from hf_vft.data.sources.tabular import rows_to_table
from hf_vft.data.sources.textfiles import read_columns, to_rows
from hf_vft.data.wording import counted
from hf_vft.recipe import DataConfig

METADATA_NAMES = ("metadata.csv", "metadata.jsonl")


def has_metadata(listing: Listing) -> bool:
    """Whether the folder, or a split folder in it, has a metadata file."""
    return _file_in(listing) is not None or bool(_files_in_splits(listing))


def read_metadata(listing: Listing, how: How) -> Table:
    """Read the rows of the metadata file at the root, or of those in the split folders.

    Raises:
        DataError: If a file cannot be read or lacks a column.
    """
    root = listing.root
    file = _file_in(listing)
    if file is not None:
        columns, splits = read_columns(root / file), None
    else:
        files = {split: root / name for split, name in _files_in_splits(listing).items()}
        columns, splits = _read_split_files(files, how.config)
    table = rows_to_table(
        to_rows(columns),
        how.config,
        base=root,
        contained=how.contained,
        splits=splits,
        kind=how.kind,
        needs_labels=how.labelled,
    )
    named = set(table.files)
    unnamed = [image for image in listing.images if image not in named]
    if not unnamed:
        return table
    number = counted(len(unnamed), "picture")
    note = f"Not used, because the metadata does not name them: {number}, e.g. {min(unnamed)}."
    return replace(table, notes=[*table.notes, note])


def _file_in(listing: Listing, folder: str = "") -> str | None:
    there = set(listing.by_folder.get(folder, []))
    names = [posixpath.join(folder, name) for name in METADATA_NAMES]
    return next((name for name in names if name in there), None)


def _files_in_splits(listing: Listing) -> dict[str, str]:
    tops = {file.split("/", 1)[0] for file in listing.files if "/" in file}
    found = {top: _file_in(listing, top) for top in sorted(tops) if canonical_split(top)}
    return {str(canonical_split(top)): file for top, file in found.items() if file is not None}


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
