"""Datasets in the formats of the ``datasets`` library: on disk, as Parquet, on the Hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import datasets
import pyarrow as pa
from datasets.exceptions import DatasetsError

from hf_vft.data.sources.table import canonical_split
from hf_vft.data.wording import quoted
from hf_vft.errors import DataError

Stored: TypeAlias = datasets.Dataset | datasets.DatasetDict

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
    """Open what ``save_to_disk`` wrote; the pictures stay on disk."""
    return _loaded(lambda: datasets.load_from_disk(str(folder)), f"{folder} cannot be opened")


def load_parquet(path: Path, cache_dir: Path | None) -> Stored:
    """Open a Parquet file, or a folder of them laid out as on the Hub."""
    cache = str(cache_dir / "datasets") if cache_dir else None

    def load() -> Stored:
        if path.is_dir():
            return datasets.load_dataset(str(path), cache_dir=cache)
        return datasets.load_dataset("parquet", data_files=str(path), cache_dir=cache)

    return _loaded(load, f"{path} cannot be read as Parquet")


def load_hub(repo_id: str, subset: str | None, cache_dir: Path | None) -> Stored:
    """Download a dataset from the Hub."""
    cache = str(cache_dir / "datasets") if cache_dir else None
    return _loaded(
        lambda: datasets.load_dataset(repo_id, subset, cache_dir=cache),
        f"{repo_id!r} is no file or folder here and cannot be loaded from the Hub",
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
