"""Reads CSV and JSON files into columns; nothing in a CSV is taken for a number."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from hf_vft.errors import DataError

TEXT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")


def read_columns(file: Path) -> dict[str, list[Any]]:
    """Read a CSV, TSV, JSON Lines or JSON file.

    Returns:
        Name to values; a missing value is None.

    Raises:
        DataError: If it cannot be read; names the line where it can.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{file} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from None
    is_csv = file.suffix.casefold() in (".csv", ".tsv")
    columns = _parse_csv(text, file) if is_csv else _parse_json(text, file)
    if not columns or not next(iter(columns.values())):
        raise DataError(f"{file} has no rows.")
    return columns


def to_rows(columns: dict[str, list[Any]]) -> datasets.Dataset:
    """The columns as a dataset; a column of mixed types becomes text."""
    return datasets.Dataset(pa.table({name: _array(values) for name, values in columns.items()}))


def _parse_csv(text: str, file: Path) -> dict[str, list[Any]]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        records = [(reader.line_num, record) for record in reader if record]
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: {error}.") from None
    if len(set(names)) < len(names):
        raise DataError(f"{file}: two columns have the same name.")
    for line, record in records:
        if len(record) != len(names):
            raise DataError(
                f"{file}, line {line}: {len(record)} values for {len(names)} columns; values that "
                f"contain {delimiter!r} need quotes."
            )
    return {
        name: [record[column] or None for _, record in records] for column, name in enumerate(names)
    }


def _parse_json(text: str, file: Path) -> dict[str, list[Any]]:
    if file.suffix.casefold() == ".json":
        records = _json(text, str(file))
    else:
        records = [
            _json(line, f"{file}, line {number}")
            for number, line in enumerate(text.split("\n"), start=1)
            if line.strip()
        ]
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DataError(f'{file}: every row must be an object such as {{"file_name": …}}.')
    names = list(dict.fromkeys(name for record in records for name in record))
    return {name: [record.get(name) for record in records] for name in names}


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}).") from None


def _array(values: list[Any]) -> pa.Array:
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        array = pa.array([None if value is None else str(value) for value in values])
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array
