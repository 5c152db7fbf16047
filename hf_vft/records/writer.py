"""How rows get into the log."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from hf_vft.errors import LogError
from hf_vft.outputs import keep
from hf_vft.records.journal import Journal
from hf_vft.records.schema import SCHEMA_VERSION, check_identifier, check_slices, stored
from hf_vft.run import write_json

MARKER = "production-log.json"
IMAGES = "images"
ROLL_ROWS = 2000
"""Lines of a journal before it becomes parts, in the background."""


class LogWriter:
    """Appends to a log. Threads may share it; after a fork each process gets its own journal.

    Made by `ProductionLog.writer`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        slices: Sequence[str],
        roll_rows: int,
        sync: bool,
        roll_seconds: float | None = None,
    ) -> None:
        self.folder = folder
        self.slices = check_slices(slices)
        self._roll_rows = roll_rows
        self._roll_seconds = roll_seconds
        self._timer: threading.Timer | None = None
        self._sync = sync
        self._process = os.getpid()
        self._journal: Journal | None = None
        self._rolling: list[Future[None]] = []
        self._roller = ThreadPoolExecutor(1, "hf-vft-log")
        self._mutex = threading.Lock()

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write predictions. When it returns, ``kill -9`` no longer loses them.

        Args:
            rows: Columns of `hf_vft.records.PREDICTIONS` and the slice columns. What is missing is
                null. ``embedding``, a vector, goes into the table of embeddings.

        Raises:
            LogError: If a row does not fit, in which case none is written, or the disk is full.
        """
        lines = []
        for row in rows:
            whole = dict(row)
            embedding = whole.pop("embedding", None)
            lines.append(("predictions", stored("predictions", whole, self.slices)))
            if embedding is not None:
                beside = {name: whole[name] for name in ("request_id", "ts_utc", "model_hash")}
                lines.append(
                    ("embeddings", stored("embeddings", beside | {"embedding": embedding}))
                )
        self._write(lines)

    def append_labels(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write labels, as durable as predictions.

        Args:
            rows: ``request_id``, ``label`` (or ``boxes``), ``source``, and ``ts_utc``, which is
                now if it is missing.

        Raises:
            LogError: As for `append`.
        """
        now = datetime.now(UTC)
        self._write([("labels", stored("labels", {"ts_utc": now, **row})) for row in rows])

    def keep_image(self, request_id: str, content: bytes, suffix: str) -> Path:
        """Keep an image beside its row, for the monitor to show; only where policy allows it.

        Args:
            request_id: Of its row.
            content: The file as it came.
            suffix: Of the file, without the dot.

        Raises:
            LogError: If an argument cannot be part of a file name, or the disk is full.
        """
        check_identifier(request_id)
        check_identifier(suffix)
        target = self.folder / IMAGES / request_id[:2] / f"{request_id}.{suffix.lower()}"
        temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(target)
        except OSError as error:
            raise LogError(f"{self.folder}: cannot be written ({error}).") from None
        return target

    def close(self) -> None:
        """Turn the journal into parts. Appending afterwards starts a new one.

        Raises:
            LogError: If that failed. The rows are safe, and a compaction tries again.
        """
        with self._mutex:
            self._own()
            self._roll()
            rolling, self._rolling = self._rolling, []
            for done in rolling:
                try:
                    done.result()
                except OSError as error:
                    raise LogError(f"{self.folder}: cannot be written ({error}).") from None

    def _write(self, lines: Sequence[tuple[str, dict[str, Any]]]) -> None:
        if not lines:
            return
        with self._mutex:
            self._own()
            try:
                if self._journal is None:
                    keep(self.folder)  # what is logged now must not go with what was scored anew
                    self._mark()
                    self._journal = Journal(self.folder, sync=self._sync)
                    self._wait_to_roll()
                self._journal.append(lines)
            except OSError as error:
                raise LogError(f"{self.folder}: cannot be written ({error}).") from None
            if self._journal.rows >= self._roll_rows:
                self._roll()

    def _own(self) -> None:
        """After a fork, leave what belongs to the other process alone."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._journal, self._rolling, self._timer = None, [], None
            self._roller = ThreadPoolExecutor(1, "hf-vft-log")

    def _wait_to_roll(self) -> None:
        """A service of few answers shows them to other readers too, before it is stopped."""
        if self._roll_seconds is not None:
            self._timer = threading.Timer(self._roll_seconds, self._roll_in_time)
            self._timer.daemon = True
            self._timer.start()

    def _roll_in_time(self) -> None:
        with self._mutex:
            if self._process == os.getpid() and self._timer is threading.current_thread():
                self._roll()

    def _roll(self) -> None:
        """Whoever appends does not wait for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._journal is not None:
            self._rolling = [done for done in self._rolling if not _succeeded(done)]
            self._rolling.append(self._roller.submit(self._journal.roll))
            self._journal = None

    def _mark(self) -> None:
        if not (self.folder / MARKER).is_file():
            content = {"format": "hf-vft production log", "schema_version": SCHEMA_VERSION}
            write_json(self.folder / MARKER, content)


def _succeeded(rolling: Future[None]) -> bool:
    return rolling.done() and rolling.exception() is None
