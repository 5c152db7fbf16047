"""The production log: see `hf_vft.records`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hf_vft.errors import LogError
from hf_vft.records.compaction import Compacted, compact
from hf_vft.records.journal import JOURNALS, as_part, as_table, journals, read_journal
from hf_vft.records.parquet_parts import Partition, contents, partitions, read_part
from hf_vft.records.schema import PREDICTIONS, TABLES, check_identifier, microseconds
from hf_vft.records.writer import IMAGES, MARKER, ROLL_ROWS, LogWriter

_ATTEMPTS = 5  # a compaction may delete what a reader has just listed


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of sampled images.

    Attributes:
        request_ids: ``[N]``.
        values: ``float16 [N, D]``.
    """

    request_ids: np.ndarray
    values: np.ndarray


class ProductionLog:
    """A production log in a folder. Making the object reads and writes nothing.

    Args:
        folder: Of the log; made with the first row.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @classmethod
    def is_log(cls, folder: str | Path) -> bool:
        """Whether the folder holds a production log, rather than images."""
        return (Path(folder) / MARKER).is_file()

    @classmethod
    def open(cls, folder: str | Path) -> ProductionLog:
        """A log that is there.

        Raises:
            LogError: If the folder holds none.
        """
        if not cls.is_log(folder):
            raise LogError(f"{folder}: no production log ({MARKER} is missing).")
        return cls(folder)

    def writer(
        self,
        *,
        slices: Sequence[str] = (),
        roll_rows: int = ROLL_ROWS,
        roll_seconds: float | None = None,
        sync: bool = False,
    ) -> LogWriter:
        """A writer of its own for this process; close it, or use it in a ``with``.

        Args:
            slices: Names of the columns that the user adds.
            roll_rows: Lines of a journal before it becomes parts.
            roll_seconds: Time after which a journal becomes parts, however few its lines are: from
                then on pandas, DuckDB and ``datasets`` see them. None waits for `roll_rows`.
            sync: Wait for the disk with each call, so that a power cut loses nothing either.

        Raises:
            LogError: If a slice column has the name of another column.
        """
        return LogWriter(
            self.folder, slices=slices, roll_rows=roll_rows, roll_seconds=roll_seconds, sync=sync
        )

    def append_labels(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write labels that became known; see `LogWriter.append_labels`."""
        with self.writer() as writer:
            writer.append_labels(rows)

    def read(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Sequence[str] | None = None,
        *,
        model: str | None = None,
    ) -> pd.DataFrame:
        """Predictions in the order of time.

        Args:
            since: The first moment that counts.
            until: The first moment that no longer counts.
            columns: Only these; slice columns included.
            model: Only those of the model with this hash.

        Raises:
            LogError: If there is no such column, or a file is damaged or too new.
        """
        names = None if columns is None else list(dict.fromkeys(["ts_utc", *columns]))
        table = self._gather("predictions", since, until, names, model)
        if columns is not None:
            for name in columns:
                if name not in table.column_names:
                    table = table.append_column(name, _nothing(name, table.num_rows))
            table = table.select(list(columns))
        frame: pd.DataFrame = table.to_pandas()
        return frame

    def read_labels(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> pd.DataFrame:
        """Labels given in a time; of several for one request the last, in the order of time."""
        table = self._gather("labels", since, until)
        frame: pd.DataFrame = table.to_pandas()
        return frame.drop_duplicates("request_id", keep="last", ignore_index=True)

    def read_embeddings(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        model: str | None = None,
    ) -> Embeddings:
        """Embeddings in the order of time.

        Raises:
            LogError: If they are of different lengths, because of different models.
        """
        table = self._gather("embeddings", since, until, None, model)
        values = table["embedding"].combine_chunks()
        lengths = np.unique(pc.list_value_length(values).to_numpy(zero_copy_only=False))
        if len(lengths) > 1:
            raise LogError(f"{self.folder}: embeddings of several models; choose one of them.")
        flat = values.flatten().to_numpy(zero_copy_only=False)
        width = int(lengths[0]) if len(lengths) else 0
        return Embeddings(
            table["request_id"].to_numpy(), flat.reshape(table.num_rows, width).astype(np.float16)
        )

    def image_file(self, request_id: str) -> Path | None:
        """The image of a request, if it was kept."""
        check_identifier(request_id)
        return next((self.folder / IMAGES / request_id[:2]).glob(f"{request_id}.*"), None)

    def compact(self) -> Compacted:
        """Turn journals of killed writers into parts, and small parts into large ones.

        Raises:
            LogError: If another compaction is running.
        """
        return compact(self.folder)

    def _gather(
        self,
        table: str,
        since: datetime | None,
        until: datetime | None,
        columns: Sequence[str] | None = None,
        model: str | None = None,
    ) -> pa.Table:
        low, high = _moment(since), _moment(until)
        for attempt in range(_ATTEMPTS):
            try:
                pieces = list(self._pieces(table, low, high, columns, model))
                break
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
        empty = as_table(Partition(table, "", datetime.now(UTC).date()), [])
        if columns is not None:
            empty = empty.select([name for name in columns if name in empty.column_names])
        whole = pa.concat_tables(
            [empty.replace_schema_metadata(None), *pieces], promote_options="permissive"
        )
        return whole.sort_by("ts_utc")

    def _pieces(
        self,
        table: str,
        low: int | None,
        high: int | None,
        columns: Sequence[str] | None,
        model: str | None,
    ) -> Iterable[pa.Table]:
        def wanted(partition: Partition) -> bool:
            start = microseconds(datetime.combine(partition.day, datetime.min.time(), UTC))
            return (
                (model is None or partition.model == model)
                and (high is None or start < high)
                and (low is None or start + 86_400_000_000 > low)
            )

        # Journals first: one that becomes parts meanwhile is then read here and skipped there.
        lines: dict[Partition, dict[str, list[dict[str, Any]]]] = {}
        for path in journals(self.folder):
            try:
                journal = read_journal(path, [table])
            except FileNotFoundError:
                continue
            for partition, rows in journal.items():
                lines.setdefault(partition, {})[path.stem] = rows
        for partition in filter(wanted, sorted({*partitions(self.folder, table), *lines})):
            stored = contents(self.folder, partition)
            for part in stored.parts:
                yield _between(read_part(part.path, table, columns), low, high)
            for name, rows in lines.get(partition, {}).items():
                if name not in stored.known:
                    path = self.folder / JOURNALS / f"{name}.jsonl"
                    piece = as_part(partition, rows, path).replace_schema_metadata(None)
                    if columns is not None:
                        piece = piece.select([n for n in piece.column_names if n in columns])
                    yield _between(piece, low, high)


def _moment(moment: datetime | None) -> int | None:
    try:
        return None if moment is None else microseconds(moment)
    except (TypeError, ValueError) as error:
        raise LogError(f"{moment}: {error}.") from None


def _between(table: pa.Table, low: int | None, high: int | None) -> pa.Table:
    kind = TABLES["predictions"]["ts_utc"][0]
    if low is not None:
        table = table.filter(pc.greater_equal(table["ts_utc"], pa.scalar(low, kind)))
    if high is not None:
        table = table.filter(pc.less(table["ts_utc"], pa.scalar(high, kind)))
    return table


def _nothing(name: str, rows: int) -> pa.Array:
    if name not in PREDICTIONS:
        raise LogError(f"the log has no column {name!r}.")
    return pa.nulls(rows, PREDICTIONS[name][0])
