"""Parquet files of the log, and what is true when a process dies between two of them.

A part is written once, whole, under a name that is derived from what it was made of, and is
never changed. So after a kill a row may be on disk twice, but always in a way that shows:

- A part ``part-ID`` holds the rows of journal ``ID``: as soon as it is there, the journal's rows
  of this partition no longer count.
- A merged part lists the parts it replaces in its metadata: as soon as it is there, these no
  longer count.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hf_vft.errors import LogError
from hf_vft.records.schema import check_version, is_hash, schema_of

_REPLACES = b"hf_vft.replaces"
_LISTINGS = 100  # of a folder that others write to

_DAMAGE = (pa.ArrowException, OSError, ValueError, TypeError, RecursionError)
"""What pyarrow and json raise for it, behind a sound footer too."""


@dataclass(frozen=True, order=True)
class Partition:
    """The place of the rows of one table, model and day; labels have no model."""

    table: str
    model: str
    day: date

    @classmethod
    def of_row(cls, table: str, row: dict[str, Any]) -> Partition:
        """The partition to which a stored row belongs.

        Raises:
            ValueError: If it names a model that no folder can be called after.
        """
        day = datetime.fromtimestamp(row["ts_utc"] / 1e6, UTC).date()
        model = row["model_hash"] if table != "labels" else ""
        if model and not is_hash(model):
            raise ValueError("no hash of a model")
        return cls(table, model, day)

    @classmethod
    def of_folder(cls, root: Path, folder: Path) -> Partition:
        """The partition whose folder this is.

        Raises:
            LogError: If it is none: what lies there would count for nothing, or twice.
        """
        try:
            table, *keys = folder.relative_to(root).parts
            values = dict(key.split("=", 1) for key in keys)
            partition = cls(table, values.get("model", ""), date.fromisoformat(values["date"]))
        except (ValueError, KeyError):
            partition = None
        if partition is None or partition.folder(root) != folder:
            model = "" if folder.relative_to(root).parts[:1] == ("labels",) else "model=HASH/"
            raise LogError(
                f"{folder}: not a folder of a production log, as {model}date=2026-01-31 would be; "
                "move it away."
            )
        return partition

    def folder(self, root: Path) -> Path:
        """The folder, relative to the log's."""
        model = [f"model={self.model}"] if self.model else []
        return root.joinpath(self.table, *model, f"date={self.day.isoformat()}")


@dataclass(frozen=True)
class LogPart:
    """A Parquet file of a partition, and the names of those it replaces."""

    path: Path
    rows: int
    replaces: frozenset[str]

    @property
    def name(self) -> str:
        """The key from which the file name was derived."""
        return self.path.stem.removeprefix("part-")


@dataclass(frozen=True)
class Contents:
    """The parts of a partition.

    Attributes:
        parts: Those that count.
        replaced: Those that a merge has replaced and not yet deleted.
        known: Names whose rows are in ``parts``, journals included.
    """

    parts: tuple[LogPart, ...]
    replaced: tuple[LogPart, ...]
    known: frozenset[str]


def partitions(root: Path, table: str) -> list[Partition]:
    """The partitions of a table that are on disk, in order."""
    folders = {path.parent for path in (root / table).rglob("part-*.parquet")}
    return sorted(Partition.of_folder(root, folder) for folder in folders)


def contents(root: Path, partition: Partition) -> Contents:
    """The parts of a partition that count.

    Raises:
        LogError: If a part is damaged, or newer than this hf-vft, or the folder does not come to
            rest.
    """
    opened = _opened(partition.folder(root))
    parts = [opened[path] for path in sorted(opened)]
    replaced = frozenset[str]().union(*(part.replaces for part in parts))
    return Contents(
        parts=tuple(part for part in parts if part.name not in replaced),
        replaced=tuple(part for part in parts if part.name in replaced),
        known=replaced | {part.name for part in parts},
    )


def _opened(folder: Path) -> dict[Path, LogPart]:
    """Its parts by their path, while writers add some and a compaction replaces some.

    What vanishes between listing and opening was replaced by a part that was there before, so
    the next listing has it.
    """
    opened: dict[Path, LogPart] = {}
    for _ in range(_LISTINGS):
        new = [path for path in folder.glob("part-*.parquet") if path not in opened]
        if not new:
            return opened
        for path in new:
            with suppress(FileNotFoundError):
                opened[path] = _open(path)
    raise LogError(f"{folder}: changes faster than it can be read; try again.")


def _open(path: Path) -> LogPart:
    try:
        metadata = pq.read_metadata(path)
        texts = metadata.metadata or {}
        replaces = frozenset(map(str, json.loads(texts.get(_REPLACES, b"[]"))))
    except FileNotFoundError:
        raise  # a compaction was here
    except _DAMAGE as error:
        raise _damaged(path, error) from None
    check_version(texts, path)
    return LogPart(path, metadata.num_rows, replaces)


def _damaged(path: Path, error: BaseException) -> LogError:
    lines = str(error).splitlines() or [type(error).__name__]
    return LogError(f"{path}: damaged ({lines[0][:200]}); move it away.")


def read_part(path: Path, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A part's rows; columns that it does not have are left out.

    Args:
        path: Of the part.
        table: Whose part it is.
        columns: Only these.

    Raises:
        FileNotFoundError: If a compaction has replaced it meanwhile.
        LogError: If it is damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            if columns is not None:
                columns = [name for name in file.schema_arrow.names if name in columns]
            rows = file.read(columns=columns).replace_schema_metadata(None)
        nothing = schema_of(table).remove_metadata().empty_table()
        pa.concat_tables([nothing, rows.slice(0, 0)], promote_options="permissive")  # of one kind
        return rows
    except FileNotFoundError:
        raise
    except _DAMAGE as error:
        raise _damaged(path, error) from None


def write_part(
    root: Path, partition: Partition, name: str, rows: pa.Table, replaces: Iterable[str] = ()
) -> None:
    """Write a part whole or not at all."""
    folder = partition.folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{uuid.uuid4().hex}.tmp"
    metadata = dict(schema_of(partition.table).metadata)
    metadata[_REPLACES] = json.dumps(sorted(replaces)).encode()
    with temporary.open("wb") as stream:
        pq.write_table(
            rows.replace_schema_metadata(metadata),
            stream,
            compression="zstd",
            use_dictionary=[f.name for f in rows.schema if pa.types.is_string(f.type)],
        )
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(folder / f"part-{name}.parquet")
