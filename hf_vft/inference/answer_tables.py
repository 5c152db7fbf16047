"""Answers as rows of a table: CSV, Parquet or JSON Lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hf_vft.answers import answer_kind
from hf_vft.inference.predictor import FileAnswer
from hf_vft.records import join_names
from hf_vft.tasks import Task
from hf_vft.utils.spreadsheets import as_cell

FORMATS = (".csv", ".parquet", ".jsonl")
SCORE = "score_"
"""Before the name of a class in the name of its column."""

SIDES = ("xmin", "ymin", "xmax", "ymax")
"""Of a box, in pixels of the image."""

_ROWS = 2_000
"""Rows that are held at a time."""

_BOX = pa.struct(
    [
        ("label", pa.string()),
        ("score", pa.float64()),
        ("box", pa.struct([(side, pa.float64()) for side in SIDES])),
    ]
)


@dataclass(frozen=True)
class Columns:
    """The columns of a table of answers.

    Attributes:
        labels: The classes, in the order of their ids.
        exclusive: Whether an image has one class; else ``labels`` stands in place of ``label`` and
            there is no ``sure``.
        boxes: Whether there is a column of boxes.
        scored: Whether an answer is a score with a place, and has no confidence.
        alarms: Whether the run has thresholds by cost.
    """

    labels: tuple[str, ...]
    exclusive: bool
    boxes: bool
    scored: bool = False
    alarms: bool = False

    @classmethod
    def of(cls, task: Task, labels: Sequence[str], *, alarms: bool = False) -> Columns:
        """Those of a task's answers, with or without alarms."""
        kind = answer_kind(task.name)
        return cls(tuple(labels), kind.exclusive, kind.boxes, kind.scored, alarms)

    @property
    def schema(self) -> pa.Schema:
        """Names and types."""
        answer = (
            [("label", pa.string()), ("confidence", pa.float64()), ("sure", pa.bool_())]
            if self.exclusive
            else [("labels", pa.list_(pa.string())), ("confidence", pa.float64())]
        )
        if self.scored:
            numbers = ("anomaly_score", *SIDES)
            answer = [("label", pa.string()), *((name, pa.float64()) for name in numbers)]
        if self.alarms:
            answer += [("alarms", pa.list_(pa.string())), ("alarm_reason", pa.string())]
        scores = [
            (f"{SCORE}{label}", pa.float64()) for label in (() if self.scored else self.labels)
        ]
        boxes = [("boxes", pa.list_(_BOX))] if self.boxes else []
        ends = [("note", pa.string()), ("error", pa.string())]
        return pa.schema([("file", pa.string()), *answer, *scores, *boxes, *ends])

    def row(self, answer: FileAnswer) -> dict[str, Any]:
        """A row; all but ``file`` and ``error`` are None where the image could not be read."""
        row: dict[str, Any] = dict.fromkeys(self.schema.names)
        row |= {"file": printable(answer.file), "error": answer.error, "note": answer.note or None}
        prediction = answer.prediction
        if prediction is None:
            return row
        row |= (
            {"label": prediction.labels[0]}
            if self.exclusive
            else {"labels": list(prediction.labels)}
        )
        if not self.scored:
            row["confidence"] = round(prediction.confidence, 6)
            scores = zip(self.labels, prediction.scores, strict=True)
            row |= {f"{SCORE}{label}": round(float(score), 6) for label, score in scores}
        if self.alarms:
            raised = answer.alarms or ()
            row["alarms"] = [alarm.label for alarm in raised]
            row["alarm_reason"] = " ".join(alarm.reason for alarm in raised) or None
        if self.boxes:
            row["boxes"] = [box.as_dict() for box in prediction.answered]
        if prediction.region is not None:
            row |= {"anomaly_score": round(prediction.region.score, 6)}
            row |= prediction.region.as_dict()["box"]
        return row


def printable(name: str) -> str:
    r"""A file name as UTF-8 can hold it; bytes that are no text become ``\xff``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def write_table(file: Path, named: Path, rows: Iterable[dict[str, Any]], columns: Columns) -> None:
    """Write rows; a few thousand are in memory at a time.

    Args:
        file: Where to.
        named: Its ending says the format: one of `FORMATS`.
        rows: In order.
        columns: Of the table.
    """
    {".csv": _csv, ".parquet": _parquet, ".jsonl": _jsonl}[named.suffix.lower()](
        file, iter(rows), columns
    )


def _csv(file: Path, rows: Iterator[dict[str, Any]], columns: Columns) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([as_cell(name) for name in columns.schema.names])
        writer.writerows([as_cell(_cell(value)) for value in row.values()] for row in rows)


def _cell(value: object) -> Any:
    """Several labels joined as the production log joins them; boxes as JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, list):
        return value
    if all(isinstance(item, str) for item in value) and value:
        return join_names(value)
    return json.dumps(value, ensure_ascii=False) if value else ""


def _jsonl(file: Path, rows: Iterator[dict[str, Any]], columns: Columns) -> None:
    with file.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def _parquet(file: Path, rows: Iterator[dict[str, Any]], columns: Columns) -> None:
    with pq.ParquetWriter(file, columns.schema) as writer:
        while part := list(islice(rows, _ROWS)):
            writer.write_table(pa.Table.from_pylist(part, schema=columns.schema))
