"""Datasets in the formats of the ``datasets`` library: on disk, as Parquet, on the Hub."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import datasets
import pyarrow as pa
from datasets.exceptions import DatasetsError

from hf_vft.data.sources.folder_words import split_in_words
from hf_vft.data.sources.folders import visible_files
from hf_vft.data.sources.table import canonical_split
from hf_vft.errors import DataError
from hf_vft.utils.text import quoted

Stored: TypeAlias = datasets.Dataset | datasets.DatasetDict

_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\S*\.parquet")
"""The Hub's name for a part of a split."""

_FAILURES = (
    OSError,  # also the Hub's own errors, and a connection that fails
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    DatasetsError,
    pa.ArrowException,
)


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by ``save_to_disk``."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )


def load_saved(folder: Path) -> Stored:
    """Open what ``save_to_disk`` wrote; the images stay on disk.

    Raises:
        DataError: If it is damaged, or names files that are not in it.
    """
    _check_saved(folder)
    return _loaded(lambda: datasets.load_from_disk(str(folder)), f"{folder} cannot be opened")


def load_parquet(path: Path, cache_dir: Path | None) -> Stored:
    """Open a Parquet file, or a folder of them laid out as on the Hub.

    Of a folder, the Parquet files that are seen in it are read and nothing else: given the folder,
    ``datasets`` would read and fetch whatever a README in it says.
    """
    cache = str(cache_dir / "datasets") if cache_dir else None
    files = _by_split(path) if path.is_dir() else [path]

    def load() -> Stored:
        names: Any = (
            {split: [_literal(file) for file in of_split] for split, of_split in files.items()}
            if isinstance(files, dict)
            else [_literal(file) for file in files]
        )
        return datasets.load_dataset("parquet", data_files=names, cache_dir=cache)

    return _loaded(load, f"{path} cannot be read as Parquet")


def _by_split(folder: Path) -> dict[str, list[Path]]:
    """The Parquet files of a folder by the split that their names tell, as on the Hub."""
    by_split: dict[str, list[Path]] = {}
    for file in visible_files(folder):
        if file.suffix.casefold() == ".parquet":
            by_split.setdefault(_split_of(file.relative_to(folder)), []).append(file)
    return by_split


def _split_of(file: Path) -> str:
    if shard := _SHARD.fullmatch(file.name):
        return shard[1]
    meanings = (split_in_words(part) for part in (file.stem, *reversed(file.parent.parts)))
    return next((words[0] for words in meanings if words), "train")


def _literal(file: Path) -> str:
    """A path in which nothing is a pattern, or an address, to ``datasets``.

    Raises:
        DataError: If it would be an address however it is written.
    """
    if "::" in str(file) or "://" in str(file):
        raise DataError(f"{file}: rename it; a Parquet file's name may not look like an address.")
    return glob.escape(str(file.absolute()))


def _check_saved(folder: Path) -> None:
    """Refuse a saved dataset whose lists of files lead out of its folder.

    Raises:
        DataError: If they do, or cannot be read.
    """
    splits: Any = [""]  # a dataset without splits lies in the folder itself
    if (folder / "dataset_dict.json").is_file():
        splits = _listed(_json(folder / "dataset_dict.json"), "splits")
    for split in splits:
        files = _listed(_json(folder / split / "state.json"), "_data_files", "filename")
        if not _is_name(split) or not all(map(_is_name, files)):
            raise DataError(f"{folder}: names files outside of its folder; refused.")


def _is_name(text: str) -> bool:
    """Whether a text names something in a folder, and nothing elsewhere."""
    return Path(text).name == text and text != ".." and "\0" not in text


def _listed(tree: object, key: str, field: str | None = None) -> list[str]:
    """The texts of a list in a JSON object, or those of a field of each of its entries.

    Raises:
        DataError: If they are not there.
    """
    values = tree.get(key) if isinstance(tree, dict) else None
    if field is not None and isinstance(values, list):
        values = [value.get(field) if isinstance(value, dict) else None for value in values]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise DataError(f"a saved dataset has no list {key!r} of texts.")
    return values


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise DataError(f"{file} cannot be read.") from None


def load_hub(repo_id: str, subset: str | None, cache_dir: Path | None) -> Stored:
    """Download a dataset from the Hub."""
    cache = str(cache_dir) if cache_dir else None
    return _loaded(
        lambda: datasets.load_dataset(repo_id, subset, cache_dir=cache),
        f"{repo_id!r} is not a file or folder here and cannot be loaded from the Hub",
    )


def joined(stored: Stored) -> tuple[datasets.Dataset, list[str] | None, list[str]]:
    """All rows in one dataset, the split of each, and notes.

    A single split, whatever it is called but ``test`` or ``validation``, counts as undivided.

    Raises:
        DataError: If no split has a usual name, or their columns differ.
    """
    if isinstance(stored, datasets.Dataset):
        return stored, None, []
    if not isinstance(stored, datasets.DatasetDict):
        raise DataError(
            f"A {type(stored).__name__} cannot be read twice or divided: load it without streaming."
        )
    named = {name: canonical_split(name) for name in stored}
    if len(named) == 1 and set(named.values()) <= {None, "train"}:
        return next(iter(stored.values())), None, []
    used = [name for name, split in named.items() if split is not None]
    if not used:
        raise DataError(f"None of the splits {quoted(named)} is a train split.")
    unused = [name for name in named if name not in used]
    notes = [f"Not used: splits {quoted(unused)}."] if unused else []
    together = _loaded(
        lambda: datasets.concatenate_datasets([stored[name] for name in used]),
        "the splits do not have the same columns",
    )
    return together, [str(named[name]) for name in used for _ in range(len(stored[name]))], notes


def _loaded(load: Callable[[], Stored], complaint: str) -> Stored:
    try:
        return load()
    except _FAILURES as error:
        detail = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError(f"{complaint}: {detail}") from None
