"""Reads CSV and JSON files into columns; nothing in a CSV is read as a number."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from hf_vft.data.decoding.files import one_line
from hf_vft.data.sources.column_names import ID_NAMES, IMAGE_NAMES, plain_name
from hf_vft.data.sources.encoding import guess_note, read_text
from hf_vft.data.sources.folder_words import split_in_words
from hf_vft.data.sources.image_lists import list_columns
from hf_vft.data.sources.json_tables import rows_of
from hf_vft.data.sources.listing import has_image_suffix
from hf_vft.errors import DataError
from hf_vft.utils.text import counted

TEXT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt")
_MOST_TITLES, _HEAD = 20, 4000
_ANSWERS = {"accept", "reject", "ignore"}
TOO_DEEP = "lists in lists, too many for the reader of JSON"
_SKU = ("image", "x1", "y1", "x2", "y2", "class", "width", "height")
_MAKESENSE = ("class", "x", "y", "width", "height", "image", "", "")
_RETINANET = ("image", "x1", "y1", "x2", "y2", "class")
_AUTOML = ("split", "image", "label", "x1", "y1", "", "", "x2", "y2", "", "")


@dataclass(frozen=True)
class FileTable:
    """The content of a file as a table.

    Attributes:
        columns: Name to values; a missing value is None.
        notes: What is doubtful about how it was read.
    """

    columns: dict[str, list[Any]]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), []))


def read_columns(file: Path) -> dict[str, list[Any]]:
    """Read a CSV, TSV, JSON Lines or JSON file.

    Returns:
        Name to values; a missing value is None.

    Raises:
        DataError: If it cannot be read; names the line where it can.
    """
    return read_file_table(file).columns


def read_file_table(file: Path, encoding: str | None = None, shown: str | None = None) -> FileTable:
    """Read a CSV, TSV, JSON, JSON Lines, text or Parquet file, with what was concluded on the way.

    Args:
        file: To read.
        encoding: What the recipe says; None finds out.
        shown: What it is called in messages.

    Raises:
        DataError: If it cannot be read; names the line where it can.
    """
    name = shown or str(file)
    suffix = file.suffix.casefold()
    if suffix == ".parquet":
        return FileTable(_parquet_columns(file, name))
    read = read_text(file, encoding, name)
    if suffix in (".csv", ".tsv"):
        table = _parse_csv(read.text, name)
    elif suffix == ".txt":
        table = _parse_list(read.text, name)
    else:
        table = FileTable(_parse_json(read.text, file, name))
    if not table.rows:
        raise DataError(f"{name} has no rows.")
    _refuse_instructions(table.columns, name)
    table = _accepted(table, name)
    note = guess_note(name, read)
    return FileTable(table.columns, (*table.notes, *([note] if note else [])))


def _parquet_columns(file: Path, name: str) -> dict[str, list[Any]]:
    try:
        fields = pq.read_schema(file)
        if any(pa.types.is_struct(kind) or pa.types.is_binary(kind) for kind in fields.types):
            raise DataError(f"{name} holds images itself: give the file alone.")
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{name} cannot be read as Parquet: {one_line(error)}.") from None
    if not table.num_rows:
        raise DataError(f"{name} has no rows.")
    return {str(column): values for column, values in table.to_pydict().items()}


def read_csv_records(file: Path, shown: str | None = None) -> list[list[str]]:
    """The lines of a CSV file that may have no header.

    Raises:
        DataError: If it cannot be read.
    """
    name = shown or str(file)
    lines = io.StringIO(read_text(file, shown=name).text, newline="")
    try:
        return list(csv.reader(lines, skipinitialspace=True))
    except csv.Error as error:
        raise DataError(f"{name}: {error}.") from None


def to_rows(columns: dict[str, list[Any]]) -> datasets.Dataset:
    """The columns as a dataset; a column of mixed types becomes text."""
    return datasets.Dataset(pa.table({name: _array(values) for name, values in columns.items()}))


def _parse_list(text: str, file: str) -> FileTable:
    """A list without a header; else a table that is called a text, as databases export them."""
    try:
        return FileTable(list_columns(text, file))
    except DataError:
        header = text.partition("\n")[0]
        names = {plain_name(name) for name in re.split(r"[,;\t|]", header)}
        if len(names) < 2 or not names & (IMAGE_NAMES | ID_NAMES):
            raise
        return _parse_csv(text, file)


def _parse_csv(text: str, file: str) -> FileTable:
    header, _, rest = text.partition("\n")
    if header.strip().casefold().startswith("sep="):  # Excel's own line
        text, header = rest, rest.partition("\n")[0]
    delimiter = max(",;\t|", key=header.count)
    if delimiter not in header:  # a title above the header
        delimiter = max(",;\t|", key=text[:_HEAD].count)
    # Lines end as files' lines do: a U+2028 within a label is none.
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        records = [(reader.line_num, record) for record in reader if any(map(str.strip, record))]
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: {error}.") from None
    records, notes = _without_title(records, file)
    names = [name.strip() for name in records.pop(0)[1]] if records else []
    if any(has_image_suffix(name) for name in names):
        records = [(1, names), *records]
        names = _names_without_header(names, [record for _, record in records])
        notes += (
            f"{file} seems to have no header: its first line names an image, so its columns are "
            f"read as {', '.join(filter(None, names))}.",
        )
    _refuse_twins(names, file)
    width = len(names)
    for line, record in records:
        if len(record) != width:
            _refuse_width(record, width, f"{file}, line {line}", delimiter)
    columns = {
        name: [_cell(record[at]) if at < len(record) else None for _, record in records]
        for at, name in enumerate(names)
        if name
    }
    return FileTable(columns, notes)


def _refuse_instructions(columns: dict[str, list[Any]], file: str) -> None:
    """Stop at what a vision language model is told and answers; its answers are no classes."""
    chats = [name for name in ("conversations", "messages") if name in columns]
    if chats or {"prefix", "suffix"} <= set(columns):
        raise DataError(
            f"{file} holds instructions for a vision language model, which are not read: write a "
            "table with the name and the label of each image, or export COCO or YOLO from the tool."
        )


def _accepted(found: FileTable, file: str) -> FileTable:
    """Without the rows that a person rejected or passed over, as Prodigy keeps them."""
    answers = found.columns.get("answer", [])
    if not set(answers) <= _ANSWERS or set(answers) <= {"accept"}:
        return found
    kept = [row for row, answer in enumerate(answers) if answer == "accept"]
    if not kept:
        raise DataError(f"{file}: no row has the answer 'accept', so none tells a label.")
    columns = {name: [values[row] for row in kept] for name, values in found.columns.items()}
    number = counted(len(answers) - len(kept), "row")
    note = f"Not used: {number} of {file} whose answer is not 'accept'."
    return FileTable(columns, (*found.notes, note))


def _without_title(
    records: list[tuple[int, list[str]]], file: str
) -> tuple[list[tuple[int, list[str]]], tuple[str, ...]]:
    """The lines from the header on: above it, a spreadsheet may have a title in a single cell."""
    filled = [sum(1 for value in record if value.strip()) for _, record in records[:_MOST_TITLES]]
    above = next((at for at, number in enumerate(filled) if number > 1), 0)
    if not above or any(has_image_suffix(value) for value in records[above][1]):
        return records, ()
    note = f"{file} has its header in line {records[above][0]}; what stands above is not read."
    return records[above:], (note,)


def _cell(text: str) -> str | None:
    """The value of a cell; spreadsheets write ``="007"`` for a text of digits."""
    if text.startswith('="') and text.endswith('"') and len(text) > 2:
        text = text[2:-1]
    return text or None


def _names_without_header(first: Sequence[str], records: Sequence[Sequence[str]]) -> list[str]:
    """The columns of a table whose first line is ``first``, and all lines are ``records``."""
    if len(first) == len(_RETINANET) and has_image_suffix(first[0]):
        return list(_RETINANET)
    if len(first) == len(_AUTOML) and has_image_suffix(first[1]):
        return list(_AUTOML)
    if len(first) == len(_SKU) and has_image_suffix(first[0]):
        return list(_SKU)
    if len(first) == len(_MAKESENSE) and has_image_suffix(first[5]):
        return list(_MAKESENSE)
    image = next(at for at, value in enumerate(first) if has_image_suffix(value))
    if len(first) == 2:
        return ["image", "label"] if image == 0 else ["label", "image"]
    others = [at for at in range(len(first)) if at != image]
    splits = [at for at in others if all(map(split_in_words, _values(records, at)))]
    rest = [at for at in others if at not in splits[:1]]
    names = {image: "image", **dict.fromkeys(splits[:1], "split")}
    names |= {rest[0]: "label"} if splits and len(rest) == 1 else {}
    return [names.get(at, f"column {at + 1}") for at in range(len(first))]


def _values(records: Sequence[Sequence[str]], at: int) -> set[str]:
    return {record[at].strip() if at < len(record) else "" for record in records}


def _refuse_twins(names: Sequence[str], file: str) -> None:
    named = [name for name in names if name]
    if not named:
        raise DataError(f"{file}: no column has a name.")
    if len(set(named)) < len(named):
        raise DataError(f"{file}: two columns have the same name.")


def _refuse_width(record: Sequence[str], width: int, where: str, delimiter: str) -> None:
    """Rows may be shorter or longer by empty values at the end, and by nothing else."""
    if len(record) > width and not any(value.strip() for value in record[width:]):
        return
    raise DataError(
        f"{where}: {len(record)} values for {width} columns; values that contain {delimiter!r} "
        "need quotes."
    )


def _parse_json(text: str, file: Path, name: str) -> dict[str, list[Any]]:
    if file.suffix.casefold() == ".json":
        records = rows_of(_json(text, name))
    else:
        records = [
            _json(line, f"{name}, line {number}")
            for number, line in enumerate(text.split("\n"), start=1)
            if line.strip()
        ]
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DataError(f'{name}: every row must be an object such as {{"file_name": …}}.')
    names = list(dict.fromkeys(name for record in records for name in record))
    return {name: _choices([record.get(name) for record in records]) for name in names}


def _choices(values: list[Any]) -> list[Any]:
    """Label Studio's ``{"choices": [...]}`` beside single texts: lists of labels."""
    if not any(isinstance(value, dict) and set(value) == {"choices"} for value in values):
        return values
    plain = [v["choices"] if isinstance(v, dict) and set(v) == {"choices"} else v for v in values]
    return [[value] if isinstance(value, str) else value for value in plain]


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}).") from None
    except RecursionError:
        raise DataError(f"{where}: {TOO_DEEP}.") from None


def _array(values: list[Any]) -> pa.Array:
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        array = pa.array([None if value is None else str(value) for value in values])
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array
