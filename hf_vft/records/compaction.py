"""Few large files instead of many small ones, without a moment at which a row is missing."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from filelock import FileLock, Timeout

from hf_vft.errors import LogError
from hf_vft.records.journal import JOURNALS, if_abandoned, journals, roll
from hf_vft.records.parquet_parts import (
    Contents,
    Partition,
    contents,
    partitions,
    read_part,
    write_part,
)
from hf_vft.records.schema import TABLES

LARGE = 100_000  # rows; larger parts are left as they are
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")
_STALE = 3600  # seconds after which an unfinished file has no writer any more


@dataclass(frozen=True)
class Compacted:
    """The result of a compaction.

    Attributes:
        journals: Of killed writers, turned into parts.
        before: Parts before.
        after: Parts after.
    """

    journals: int
    before: int
    after: int


def compact(root: Path) -> Compacted:
    """See `hf_vft.records.ProductionLog.compact`."""
    (root / JOURNALS).mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / JOURNALS / "compaction.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LogError(f"{root}: another compaction is running.") from None
    try:
        # Before any merge: a part must not vanish while its journal could still be read.
        rolled = sum(_rolled(root, path) for path in journals(root))
        _remove_stale(root)
        before = after = 0
        for table in TABLES:
            for partition in partitions(root, table):
                stored = contents(root, partition)
                before += len(stored.parts) + len(stored.replaced)
                after += _merge(root, partition, stored)
        return Compacted(rolled, before, after)
    finally:
        lock.release()


def _rolled(root: Path, path: Path) -> bool:
    with if_abandoned(path) as mine:
        if mine:
            roll(root, path)
        return mine


def _merge(root: Path, partition: Partition, stored: Contents) -> int:
    """Merge the small parts; returns how many parts are left."""
    small = [part for part in stored.parts if part.rows < LARGE]
    gone = list(stored.replaced)
    left = len(stored.parts)
    if len(small) > 1:
        rows = pa.concat_tables(
            [read_part(part.path, partition.table) for part in small], promote_options="permissive"
        ).sort_by("ts_utc")
        # A journal that still lies there must stay known, or its rows would count again.
        known = {path.stem for path in journals(root)} & stored.known
        names = {part.name for part in small} | known
        write_part(root, partition, uuid.uuid4().hex, rows, names)
        gone += small
        left += 1 - len(small)
    for part in gone:
        part.path.unlink(missing_ok=True)
    return left


def _remove_stale(root: Path) -> None:
    for path in root.rglob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name) and time.time() - path.stat().st_mtime > _STALE:
            path.unlink(missing_ok=True)
