"""Every file of a production log, with what a stranger or a broken disk may put there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_vft.errors import LogError, VftError
from hf_vft.records import ProductionLog
from hf_vft.records.journal import journals
from hf_vft.records.schema import schema_of
from tests.records.rows import row

USES: dict[str, Callable[[ProductionLog], Any]] = {
    "predictions": lambda log: log.read(),
    "columns": lambda log: log.read(columns=["confidence", "predicted"]),
    "labels": lambda log: log.read_labels(),
    "embeddings": lambda log: log.read_embeddings(),
    "compaction": lambda log: log.compact(),
}


@pytest.fixture
def log(tmp_path: Path) -> ProductionLog:
    """Two parts of each table, so that a compaction merges them."""
    found = ProductionLog(tmp_path / "log")
    for number in range(2):
        with found.writer() as writer:
            writer.append([row(number, embedding=[1.0, 2.0])])
            writer.append_labels([{"request_id": f"r{number}", "label": "a", "source": "s"}])
    return found


def used(log: ProductionLog) -> None:
    """Everything that reads it, twice: a compaction that gives up harms nothing."""
    said: list[str] = []
    for _ in range(2):
        for use in USES.values():
            try:
                use(log)
            except VftError as error:
                said.append(str(error))
    assert all("\n" not in text and len(text) < 800 for text in said), said


def stated(table: str, **metadata: str) -> pa.Table:
    """A part without rows that says something of itself."""
    schema = schema_of(table)
    said = {**schema.metadata, **{f"hf_vft.{k}".encode(): v.encode() for k, v in metadata.items()}}
    return schema.with_metadata(said).empty_table()


def other_kinds(table: str) -> pa.Table:
    """A part whose columns are of other kinds, in schema 1."""
    names = schema_of(table).names
    columns = {name: pa.array([[1]]) for name in names}
    return pa.table(columns).replace_schema_metadata(schema_of(table).metadata)


PARTS: dict[str, Callable[[str], bytes | pa.Table]] = {
    "empty": lambda table: b"",
    "noise": lambda table: b"PAR1" + bytes(range(256)) * 4 + b"PAR1",
    "a footer without end": lambda table: b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1",
    "of no log": lambda table: pa.table({"a": [1]}),
    "newer": lambda table: stated(table, schema_version="2"),
    "a version of 400 digits": lambda table: stated(table, schema_version="9" * 400),
    "a version that is none": lambda table: stated(table, schema_version="<b>"),
    "replaces: no JSON": lambda table: stated(table, replaces="["),
    "replaces: a number": lambda table: stated(table, replaces="7"),
    "replaces: nested": lambda table: stated(table, replaces="[" * 100_000),
    "replaces: 400 digits": lambda table: stated(table, replaces=f"[{'9' * 400}]"),
    "other columns": lambda table: pa.table({"a": [1]}).replace_schema_metadata(
        schema_of(table).metadata
    ),
    "other kinds": other_kinds,
}


@pytest.mark.parametrize("table", ["predictions", "labels", "embeddings"])
@pytest.mark.parametrize("kind", sorted(PARTS))
def test_whatever_a_part_holds_is_read_or_refused_in_a_line(
    log: ProductionLog, table: str, kind: str
) -> None:
    path = min((log.folder / table).rglob("part-*.parquet"))
    made = PARTS[kind](table)
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        pq.write_table(made, path)
    used(log)


def test_a_folder_in_the_place_of_a_part_is_refused_in_a_line(log: ProductionLog) -> None:
    path = min((log.folder / "predictions").rglob("part-*.parquet"))
    path.unlink()
    path.mkdir()
    with pytest.raises(LogError, match="move it away"):
        log.read()
    used(log)


GOOD = {"request_id": "r9", "ts_utc": 1_775_000_000_000_000, "model_hash": "m1"}


def line(row: Any, table: str = "predictions") -> bytes:
    return json.dumps([table, row]).encode() + b"\n"


DAMAGED_LINES = {
    "nothing": b"\n",
    "no JSON": b'["predictions",}\n',
    "no row": line(7),
    "an empty row": line({}),
    "zeros in its beginning": bytes(64) + line(GOOD),
    "another table": line(GOOD, "pictures"),
    "time is text": line(GOOD | {"ts_utc": "<b>"}),
    "time of 400 digits": line(GOOD | {"ts_utc": int("9" * 400)}),
    "time is nested": b'["predictions",{"ts_utc":' + b"[" * 100_000 + b"\n",
    "time is no number": line(GOOD | {"ts_utc": float("nan")}),
    "model leads out": line(GOOD | {"model_hash": "../../../out"}),
    "model is a number": line(GOOD | {"model_hash": 7}),
    "confidence is text": line(GOOD | {"confidence": "<b>"}),
    "width of 400 digits": line(GOOD | {"width": int("9" * 400)}),
    "probabilities are an object": line(GOOD | {"probabilities": {"a": 1}}),
    "embedding is no base64": line(GOOD | {"embedding": "%%%"}, "embeddings"),
    "embedding is missing": line(GOOD, "embeddings"),
    "embedding of half a number": line(GOOD | {"embedding": "AAAA"}, "embeddings"),
}


@pytest.mark.parametrize("kind", sorted(DAMAGED_LINES))
def test_a_damaged_line_of_a_journal_is_named_and_loses_nothing(tmp_path: Path, kind: str) -> None:
    log = ProductionLog(tmp_path / "log")
    writer = log.writer()
    writer.append([row(0, embedding=[1.0, 2.0])])
    [path] = journals(log.folder)
    whole = path.read_bytes()
    text = DAMAGED_LINES[kind].replace(b'["predictions", ', b'["predictions",')
    path.write_bytes(whole + text.replace(b'["embeddings", ', b'["embeddings",'))
    table = "embeddings" if "embedding" in kind else "predictions"
    with pytest.raises(LogError, match="damaged") as caught:
        USES[table](log)
    assert path.name in str(caught.value)
    del writer
    used(log)
    assert not list(tmp_path.rglob("out"))
    path.write_bytes(whole)
    assert list(log.read()["request_id"]) == ["r0"]
