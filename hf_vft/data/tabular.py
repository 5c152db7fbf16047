"""Tables that name or hold pictures: metadata files, CSV, JSON Lines, Parquet, datasets."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa

from hf_vft.data.columns import NONE, Columns, find_columns, require_label
from hf_vft.data.table import Table, canonical_split, image_rows
from hf_vft.errors import DataError
from hf_vft.recipe import DataConfig

TEXT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
_RESERVED = ("image", "label", "file", "group")  # columns of the result


def read_rows(file: Path) -> datasets.Dataset:
    """Read a CSV, TSV, JSON Lines or JSON file; nothing in a CSV is taken for a number.

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
    return datasets.Dataset(pa.table({name: _array(values) for name, values in columns.items()}))


def rows_to_table(
    rows: datasets.Dataset,
    config: DataConfig,
    *,
    base: Path | None,
    contained: bool = False,
    splits: list[str] | None = None,
) -> Table:
    """Bring a table of any make into the one form.

    Args:
        rows: One row per picture.
        config: Which columns; see :func:`hf_vft.data.columns.find_columns`.
        base: Folder that file names are relative to; None where the rows hold the pictures.
        contained: Whether file names may not lead out of ``base``.
        splits: Split of each row where the source itself is divided.

    Raises:
        DataError: One line about the column or value that does not fit.
    """
    columns = find_columns(rows.features, config)
    notes: list[str] = []
    if config.split_column == NONE:
        splits = None
    elif columns.split is not None:
        splits = _split_values(rows, columns.split)
    if isinstance(rows.features[columns.image], datasets.Image) or base is None:
        images = _held_images(rows, columns.image)
        files = _row_names(images, splits)
    else:
        files = _file_names(rows, columns.image)
        images = image_rows([_locate(name, base, contained) for name in files])
    if columns.label is None and base is not None:
        labels: list[str | None] = _labels_from_folders(files, columns, rows.column_names)
        notes.append("The labels are the names of the folders, as no column holds labels.")
    else:
        require_label(columns, rows.column_names)
        labels = _label_values(rows, str(columns.label))
    if splits is None and columns.split is None and config.split_column != NONE and base:
        splits = _splits_from_folders(files)
    label_feature = rows.features[columns.label] if columns.label is not None else None
    class_names = label_feature.names if isinstance(label_feature, datasets.ClassLabel) else None
    extras, dropped = _extra_columns(rows, columns)
    if dropped:
        notes.append(f"Not used: columns {', '.join(map(repr, dropped))}.")
    return Table(
        images=images,
        files=files,
        labels=labels,
        splits=splits,
        groups=_text_values(rows, columns.group) if columns.group is not None else None,
        extras=extras,
        class_names=class_names,
        notes=notes,
    )


def _parse_csv(text: str, file: Path) -> dict[str, list[Any]]:
    header = text.partition("\n")[0]
    delimiter = max("\t;,", key=header.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        records = [record for record in reader if record]
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: {error}.") from None
    if len(set(names)) < len(names):
        raise DataError(f"{file}: two columns have the same name.")
    for number, record in enumerate(records, start=2):
        if len(record) != len(names):
            raise DataError(
                f"{file}, row {number}: {len(record)} values for {len(names)} columns; put "
                "quotes around values with a delimiter in them."
            )
    values = zip(*records, strict=True) if records else [()] * len(names)
    return {
        name: [value or None for value in column]
        for name, column in zip(names, values, strict=True)
    }


def _parse_json(text: str, file: Path) -> dict[str, list[Any]]:
    records = []
    if file.suffix.casefold() == ".json":
        records = _json(text, str(file))
    else:
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                records.append(_json(line, f"{file}, line {number}"))
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DataError(f'{file}: every row must be an object such as {{"image": …}}.')
    names = list(dict.fromkeys(name for record in records for name in record))
    return {name: [record.get(name) for record in records] for name in names}


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}).") from None


def _array(values: list[Any]) -> pa.Array:
    """An Arrow column; values of mixed types become text."""
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values])


def _file_names(rows: datasets.Dataset, column: str) -> list[str]:
    names = rows[column][:]
    if not all(isinstance(name, str) for name in names):
        missing = next(i for i, name in enumerate(names) if not isinstance(name, str))
        raise DataError(
            f"Column {column!r}, row {missing + 1}: no file name but {names[missing]!r}."
        )
    return [name.replace("\\", "/").strip() if os.sep == "/" else name for name in names]


def _locate(name: str, base: Path, contained: bool) -> Path:
    path = base / name
    if contained and (PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts):
        raise DataError(f"{name!r} leads out of the archive: only files in it can be named.")
    return path


def _held_images(rows: datasets.Dataset, column: str) -> datasets.Dataset:
    """The picture column alone, not decoded."""
    images = rows.select_columns([column])
    if column != "image":
        images = images.rename_column(column, "image")
    try:
        return images.cast_column("image", datasets.Image(decode=False))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError):
        kind = rows.features[column]
        raise DataError(f"Column {column!r} holds no pictures but {kind}.") from None


def _row_names(images: datasets.Dataset, splits: Sequence[str] | None) -> list[str]:
    """A name per row: the file's own where they are all there and different."""
    paths = images.data.column("image").combine_chunks().field("path").to_pylist()
    if images._indices is not None:
        paths = [paths[row] for row in images._indices.column(0).to_pylist()]
    names = [str(path).replace("\\", "/") for path in paths]
    if None not in paths and len(set(names)) == len(names):
        return names
    prefix = splits or ["row"] * len(names)
    return [f"{split}/{row:07d}" for row, split in enumerate(prefix)]


def _label_values(rows: datasets.Dataset, column: str) -> list[str | None]:
    feature = rows.features[column]
    if isinstance(feature, datasets.ClassLabel):
        names = feature.names
        return [names[v] if v is not None and v >= 0 else None for v in rows[column][:]]
    if not isinstance(feature, datasets.Value):
        raise DataError(f"Column {column!r} holds {feature}: give one label per picture.")
    return _text_values(rows, column)


def _text_values(rows: datasets.Dataset, column: str) -> list[str | None]:
    """Values as text; whole floats, as pandas makes of integers with gaps, without ``.0``."""
    values = []
    feature = rows.features[column]
    for value in rows[column][:]:
        if isinstance(feature, datasets.ClassLabel) and value is not None and value >= 0:
            value = feature.names[value]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        values.append(None if value is None or pd.isna(value) or value == "" else str(value))
    return values


def _labels_from_folders(files: list[str], columns: Columns, names: list[str]) -> list[str | None]:
    labels: list[str | None] = [PurePosixPath(file).parent.name or None for file in files]
    if None in labels:
        require_label(columns, names)
    return labels


def _splits_from_folders(files: list[str]) -> list[str] | None:
    splits = [canonical_split(PurePosixPath(file).parts[0]) for file in files]
    return [split for split in splits if split] if all(splits) else None


def _split_values(rows: datasets.Dataset, column: str) -> list[str]:
    values = _text_values(rows, column)
    unknown = sorted({str(value) for value in values if canonical_split(value) is None})
    if unknown:
        raise DataError(
            f"Column {column!r} holds {', '.join(map(repr, unknown[:5]))} beside train, validation "
            "and test: name another column with data.split_column, or 'none' to divide anew."
        )
    return [str(canonical_split(value)) for value in values]


def _extra_columns(
    rows: datasets.Dataset, columns: Columns
) -> tuple[dict[str, list[Any]], list[str]]:
    """Simple columns without another part to play, and the names of those left out."""
    used = {columns.image, columns.label, columns.split}
    extras: dict[str, list[Any]] = {}
    dropped = []
    for name, feature in rows.features.items():
        if name in used:
            continue
        if name in _RESERVED and name != columns.group:
            dropped.append(name)
        elif isinstance(feature, datasets.ClassLabel):
            extras[name] = _text_values(rows, name)
        elif isinstance(feature, datasets.Value) and "binary" not in feature.dtype:
            extras[name] = rows[name][:]
        else:
            dropped.append(name)
    extras.pop("group", None)  # the group column under its own name is there already
    return extras, dropped
