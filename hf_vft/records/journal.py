"""The journal of one writer: a line a row, on disk before ``append`` returns.

A line is ``["table", {row}]``. What a killed process was writing is a last line without its
end, which readers leave out. A journal belongs to the process that holds its lock; the lock of
a killed process is free.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout

from hf_vft.errors import LogError
from hf_vft.records.parquet_parts import Partition, contents, write_part
from hf_vft.records.schema import TABLES, schema_of

Row = dict[str, Any]
JOURNALS = "journal"
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
_NOTHING = np.empty(0, dtype="<f2")


class Journal:
    """An open journal; its file is made with the first line.

    Args:
        root: The log's folder.
        sync: Wait until the disk has it, which a power cut survives too.
    """

    def __init__(self, root: Path, *, sync: bool = False) -> None:
        self.root = root
        self.path = root / JOURNALS / f"{uuid.uuid4().hex}.jsonl"
        self.rows = 0
        self._sync = sync
        self._lock = _lock_of(self.path)
        self._lock.acquire()
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._file = os.open(self.path, flags, 0o644)
        except OSError:
            self._lock.release()
            raise

    def append(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Write rows of tables; all of them are there when it returns, or none."""
        lines = [encode(table, row) for table, row in rows]
        start = os.fstat(self._file).st_size
        data = memoryview(b"".join(lines))
        try:
            while data:
                data = data[os.write(self._file, data) :]
            if self._sync:
                os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, start)
            raise
        self.rows += len(lines)

    def roll(self) -> None:
        """Close it and turn it into parts."""
        os.close(self._file)
        try:
            roll(self.root, self.path)
        finally:
            self._lock.release()
            _lock_file(self.path).unlink(missing_ok=True)


def encode(table: str, row: Row) -> bytes:
    """A stored row as a line."""
    if table == "embeddings":
        row = row | {"embedding": base64.b64encode(row["embedding"].tobytes()).decode()}
    text = json.dumps([table, row], ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def read_journal(path: Path, tables: Sequence[str] = tuple(TABLES)) -> dict[Partition, list[Row]]:
    """The rows of a journal that are whole, by where they belong.

    Raises:
        FileNotFoundError: If it has become parts meanwhile.
        LogError: If a line in its middle is damaged.
    """
    known = tuple(f'["{table}",'.encode() for table in TABLES)
    starts = tuple(f'["{table}",'.encode() for table in tables)
    rows: dict[Partition, list[Row]] = {}
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.endswith(b"\n"):
                continue
            if line.startswith(starts):
                try:
                    table, row = json.loads(line)
                    rows.setdefault(Partition.of_row(table, row), []).append(row)
                    continue
                except _DAMAGE:
                    pass
            elif line.startswith(known):
                continue
            raise LogError(f"{path}: line {number} is damaged; remove the line.")
    return rows


def as_part(partition: Partition, rows: Sequence[Row], path: Path) -> pa.Table:
    """Rows of a journal as a part holds them.

    Raises:
        LogError: If one is no row of the table.
    """
    try:
        return as_table(partition, rows)
    except (*_DAMAGE, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise LogError(
            f"{path}: a line of {partition.table} is damaged ({reason}); remove the line."
        ) from None


def as_table(partition: Partition, rows: Sequence[Row]) -> pa.Table:
    """Stored rows as a part holds them."""
    columns = TABLES[partition.table]
    slices = sorted({name for row in rows for name in row} - set(columns))
    if partition.table != "embeddings":
        return pa.Table.from_pylist(list(rows), schema=schema_of(partition.table, slices))
    values = [
        np.frombuffer(base64.b64decode(row["embedding"], validate=True), dtype="<f2")
        for row in rows
    ]
    ends = np.cumsum([0, *map(len, values)], dtype=np.int32)
    vectors = pa.ListArray.from_arrays(ends, pa.array(np.concatenate([*values, _NOTHING])))
    beside = [{name: row[name] for name in row if name != "embedding"} for row in rows]
    table = pa.Table.from_pylist(beside, schema=schema_of("embeddings"))
    return table.set_column(table.column_names.index("embedding"), "embedding", vectors)


def roll(root: Path, path: Path) -> None:
    """Turn a journal whose lock is held into parts, however far a killed process came with it."""
    for partition, rows in read_journal(path).items():
        if path.stem not in contents(root, partition).known:
            write_part(root, partition, path.stem, as_part(partition, rows, path))
    path.unlink()


def journals(root: Path) -> list[Path]:
    """The journals that are on disk."""
    return sorted((root / JOURNALS).glob("*.jsonl"))


@contextmanager
def if_abandoned(path: Path) -> Iterator[bool]:
    """Hold a journal whose writer is gone; yields False if it is in use or gone itself."""
    lock = _lock_of(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield path.exists()
    finally:
        lock.release()
        with suppress(OSError):
            _lock_file(path).unlink()


def _lock_of(path: Path) -> FileLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Any thread of the process may append and roll.
    return FileLock(_lock_file(path), thread_local=False)


def _lock_file(path: Path) -> Path:
    return path.with_suffix(".lock")
