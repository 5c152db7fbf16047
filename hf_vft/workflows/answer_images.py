"""Answers for a folder of any size, in a table that a person can open.

Each answered image is a line of a journal beside the table before the next batch begins, so a
killed run goes on where it stopped. The table itself appears at the end, whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hf_vft.answers import answer_kind
from hf_vft.data.sources.folders import is_image_name, visible_files
from hf_vft.errors import DataError, OutputError
from hf_vft.inference.answer_tables import FORMATS, Columns, write_table
from hf_vft.inference.log_rows import Recorder
from hf_vft.inference.predictor import FileAnswer, Predictor
from hf_vft.outputs import claim
from hf_vft.run import RunDirectory, write_file
from hf_vft.serving.abstention import Abstention, abstention
from hf_vft.utils.progress import Display, Silent
from hf_vft.utils.text import counted

BATCH = 16


@dataclass(frozen=True)
class AnsweredImages:
    """The table that was written, and its counts.

    Attributes:
        file: The table.
        images: Its rows.
        errors: Rows of images that could not be read.
        unsure: Rows whose confidence is below the abstention threshold, or that an alarm
            contradicts; None where the task has no such threshold.
        kept: Rows that an earlier, stopped call had answered.
        alarms: Rows with an alarm; None where the run has no threshold by cost.
    """

    file: Path
    images: int
    errors: int
    unsure: int | None
    kept: int
    alarms: int | None = None


def answer_images(
    run_path: str | Path,
    images: Iterable[str | Path],
    out: str | Path,
    *,
    batch_size: int = BATCH,
    display: Display | None = None,
) -> AnsweredImages:
    """Answer images with a run's model and write a table with a row for each, sorted by name.

    A call that was killed is continued by the next one with the same ``out``: images that have not
    changed since, answered by the same model, are not answered again.

    Args:
        run_path: A run folder.
        images: Image files, or folders that are searched for images.
        out: Of the table; its ending, .csv, .parquet or .jsonl, says the format.
        batch_size: Images at a time.
        display: Where progress is shown.

    Raises:
        DataError: If there is no image.
        OutputError: If the ending is another one, if a file that hf-vft did not write is in the
            way, or if another process writes this table.
        VftError: If the run is not finished.
    """
    display, path = display or Silent(), Path(out)
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"{path}: the name has to end in {', '.join(FORMATS[:-1])} or .jsonl.")
    run = RunDirectory.open(run_path)
    names = _names(images)
    journal_file = path.with_name(f".{path.name}.answered")
    claim(path.parent, (path.name, journal_file.name), command="predict")
    with _held(path):
        predictor = Predictor(run)
        limit = abstention(run) if answer_kind(predictor.task.name).abstains else None
        columns = Columns.of(predictor.task, predictor.labels, alarms=bool(predictor.alarms))
        journal = _Journal(journal_file, _identity(predictor, limit))
        try:
            already = _answer(journal, predictor, columns, limit, names, batch_size, display)
            failed = unsure = alarms = 0

            def rows() -> Iterator[dict[str, Any]]:
                nonlocal failed, unsure, alarms
                for name in names:
                    row = journal.row(name)
                    failed += row["error"] is not None
                    unsure += row.get("sure") is False
                    alarms += bool(row.get("alarms"))
                    yield row

            write_file(path, lambda temporary: write_table(temporary, path, rows(), columns))
        finally:
            journal.close()
        journal_file.unlink()
    return AnsweredImages(
        path,
        len(names),
        failed,
        unsure if limit else None,
        already,
        alarms if predictor.alarms else None,
    )


def _names(images: Iterable[str | Path]) -> list[str]:
    """Paths of the images as they were asked for, each once, sorted."""
    names: set[str] = set()
    for path in map(Path, images):
        if path.is_dir():
            inside = {str(file) for file in visible_files(path) if is_image_name(file)}
            if not inside:
                raise DataError(f"{path}: there is no image in it.")
            names |= inside
        elif path.exists():
            names.add(str(path))
        else:
            raise DataError(f"{path}: there is no such file or folder.")
    return sorted(names)


def _answer(
    journal: _Journal,
    predictor: Predictor,
    columns: Columns,
    limit: Abstention | None,
    names: Sequence[str],
    batch_size: int,
    display: Display,
) -> int:
    """Answer what the journal does not hold; returns how many rows it held."""
    left = [name for name in names if not journal.holds(name)]
    already = done = len(names) - len(left)
    if already:
        display.say(f"{counted(already, 'image')} of {len(names):,} were answered before.")
    display.start("answering", len(names))
    todo = iter(left)
    while batch := list(islice(todo, batch_size)):
        states = [_state(name) for name in batch]  # before the files are read
        answers = predictor.answer_files(map(Path, batch), batch_size=batch_size)
        journal.add(
            (name, state, _row(columns, answer, limit, predictor))
            for name, state, answer in zip(batch, states, answers, strict=True)
        )
        done += len(batch)
        display.advance(done)
    return already


def _row(
    columns: Columns, answer: FileAnswer, limit: Abstention | None, predictor: Predictor
) -> dict[str, Any]:
    row = columns.row(answer)
    if limit is not None and answer.prediction is not None:
        found = answer.prediction
        doubt = predictor.alarms.doubt(found.scores, predictor.labels, found.labels[0])
        row["sure"] = found.confidence >= limit.threshold and not doubt
    return row


def _identity(predictor: Predictor, limit: Abstention | None) -> dict[str, Any]:
    """What answers depend on besides the image."""
    return {
        **Recorder(predictor).identity,
        "labels": predictor.labels,
        "temperature": predictor.temperature,
        "thresholds": list(predictor.calibration.thresholds),
        "abstention": limit.threshold if limit else None,
        "alarms": predictor.alarms.rules,
    }


def _state(name: str) -> list[int]:
    """Size and time of a file, by which a changed one is known; empty if it is gone."""
    try:
        status = Path(name).stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """One process at a time for a table."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError(f"{path}: another process is writing it; choose another --out.") from None
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


class _Journal:
    """Rows in the order of their answers, found again by the name of the image.

    In memory is where each row begins, not the rows. A line that was cut off is none.

    Args:
        file: Of the journal, there from an earlier call or not.
        identity: Its first line; rows of another identity are forgotten.
    """

    def __init__(self, file: Path, identity: dict[str, Any]) -> None:
        self._starts: dict[str, int] = {}
        self._stream = file.open("a+b")
        end = self._read(identity)
        self._stream.truncate(end)
        if end == 0:
            self._append([identity])

    def holds(self, name: str) -> bool:
        """Whether there is a row of an image that has not changed since."""
        return name in self._starts and self._line(name)[1] == _state(name)

    def row(self, name: str) -> dict[str, Any]:
        """The row of an image."""
        row: dict[str, Any] = self._line(name)[2]
        return row

    def add(self, rows: Iterable[tuple[str, list[int], dict[str, Any]]]) -> None:
        """Keep rows; when this returns they are on the disk."""
        new_rows = list(rows)
        starts = self._append(new_rows)
        self._starts |= dict(zip((name for name, _, _ in new_rows), starts, strict=True))

    def close(self) -> None:
        """Nothing is lost by it."""
        self._stream.close()

    def _line(self, name: str) -> Any:
        self._stream.seek(self._starts[name])
        return json.loads(self._stream.readline())

    def _append(self, values: Sequence[Any]) -> list[int]:
        start = self._stream.seek(0, os.SEEK_END)
        lines = [json.dumps(value).encode("ascii") + b"\n" for value in values]
        self._stream.write(b"".join(lines))
        self._stream.flush()
        os.fsync(self._stream.fileno())
        ends = [0]
        for line in lines:
            ends.append(ends[-1] + len(line))
        return [start + end for end in ends[:-1]]

    def _read(self, identity: dict[str, Any]) -> int:
        """Where the last whole line ends; 0 if the rows are those of something else."""
        self._stream.seek(0)
        end = 0
        parse: Callable[[bytes], Any] = json.loads
        for line in chain(self._stream):
            if not line.endswith(b"\n"):
                break
            try:
                value = parse(line)
            except ValueError:  # zeros of a file system that lost power
                break
            if end == 0:
                if value != identity:
                    return 0
            else:
                self._starts[value[0]] = end
            end += len(line)
        return end
