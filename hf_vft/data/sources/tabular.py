"""Brings a table of any make into the one form: which row is which picture, of which class."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from hf_vft.data.kinds import KINDS
from hf_vft.data.sources.columns import Columns, box_columns, find_columns, require_label
from hf_vft.data.sources.label_columns import Labels, read_labels, text_values, with_flags
from hf_vft.data.sources.table import Table, canonical_split, image_rows
from hf_vft.data.wording import counted, quoted
from hf_vft.errors import DataError
from hf_vft.recipe import DataConfig

_RESERVED = ("image", "label", "file", "group")  # columns of the result


def rows_to_table(
    rows: datasets.Dataset,
    config: DataConfig,
    *,
    base: Path | None,
    contained: bool = False,
    splits: list[str] | None = None,
    kind: str | None = None,
    needs_labels: bool = True,
) -> Table:
    """Bring a table into the one form.

    Args:
        rows: One row per picture.
        config: Which columns; see :func:`hf_vft.data.sources.columns.find_columns`.
        base: Folder that file names are relative to; None where there is none.
        contained: Whether no row may name a file outside ``base``.
        splits: Split of each row where the source itself is divided.
        kind: What the labels have to be, a key of :data:`hf_vft.data.kinds.KINDS`; None takes
            what is there.
        needs_labels: Whether a table without labels is an error; if not, its labels are None.

    Raises:
        DataError: One line about the column or value that does not fit.
    """
    boxes = None if kind is None else kind == "boxes"
    columns = find_columns(rows.features, config, boxes=boxes)
    columns = with_flags(rows, columns, config, kind)
    if columns.split is not None:
        splits = _split_values(rows, columns.split)
    named = base is not None and _is_text(rows.features[columns.image])
    labelled = columns.label is not None or bool(columns.flags)
    if needs_labels and not labelled and (not named or kind not in (None, "class")):
        require_label([name for name in rows.column_names if name != columns.image])
    if base is not None and named:
        files, images = _named_images(rows, columns.image, base, contained)
    else:
        images = _held_images(rows, columns.image, contained)
        files = _row_names(images, splits)
    notes = []
    if labelled:
        labels = read_labels(rows, columns, config, kind)
    elif not needs_labels:
        labels = Labels(KINDS["class"], [None] * len(files))
    else:
        labels = Labels(KINDS["class"], [*_labels_from_folders(files, rows.column_names)])
        notes.append("No column holds labels, so the names of the folders are the labels.")
    if splits is None and named:
        splits = _splits_from_folders(files)
    extras, unused = _extra_columns(rows, columns)
    if columns.label is not None and labels.kind.name != "boxes":
        marked = [name for name in box_columns(rows.features) if name in unused]
        unused = [name for name in unused if name not in marked]
        notes += [_boxes_too(name, columns.label) for name in marked]
    if unused:
        notes.append(f"Not used: columns {quoted(unused)}.")
    table = Table(
        images=images,
        files=files,
        labels=labels.values,
        kind=labels.kind,
        splits=splits,
        groups=text_values(rows, columns.group) if columns.group is not None else None,
        extras=extras,
        class_names=labels.class_names,
        notes=notes,
        columns={
            role: name
            for role in ("image", "label", "split")
            if (name := getattr(columns, role)) is not None
        },
        flags=list(columns.flags),
    )
    return _without_repeats(table)


def _is_text(feature: Any) -> bool:
    return isinstance(feature, datasets.Value) and feature.dtype in ("string", "large_string")


def _named_images(
    rows: datasets.Dataset, column: str, base: Path, contained: bool
) -> tuple[list[str], datasets.Dataset]:
    """Names and pictures of rows that name files."""
    given = rows[column][:]
    if None in given:
        raise DataError(f"Column {column!r}, row {given.index(None) + 1}: no file is named.")
    if contained:
        for name in given:
            if _leads_out(name):
                raise DataError(f"{name!r} leads out of the archive; refused.")
    paths = [_locate(name, base) for name in given]
    return _short_names(paths, base), image_rows(paths)


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or "\0" in name


def _locate(name: str, base: Path) -> Path:
    """The file that a table means: as written, else with other slashes or composed accents."""
    written = base / name
    others = [
        name.strip(),
        name.strip().replace("\\", "/"),
        unicodedata.normalize("NFC", name),
        unicodedata.normalize("NFD", name),
    ]
    if "\0" in name or written.exists():
        return written
    return next((base / other for other in others if (base / other).exists()), written)


def _short_names(paths: Sequence[Path], base: Path) -> list[str]:
    """Names that do not say where the data lies: relative to the table or to what they share."""
    relative = [posixpath.relpath(path.as_posix(), base.as_posix()) for path in paths]
    if not all(name.startswith("../") for name in relative):
        return relative
    shared = posixpath.commonpath([posixpath.dirname(name) for name in relative])
    return [posixpath.relpath(name, shared) for name in relative]


def _held_images(rows: datasets.Dataset, column: str, contained: bool) -> datasets.Dataset:
    """The picture column alone, not decoded."""
    images = rows.select_columns([column])
    if column != "image":
        images = images.rename_column(column, "image")
    try:
        images = images.cast_column("image", datasets.Image(decode=False))
    except (pa.ArrowException, TypeError, ValueError, KeyError):
        raise DataError(
            f"Column {column!r} holds no pictures but {rows.features[column]}."
        ) from None
    if contained and _fields(images, "bytes", pc.is_null).count(True):
        raise DataError("The dataset names files outside the archive; refused.")
    return images


def _fields(images: datasets.Dataset, field: str, function: Any = None) -> list[Any]:
    """One field of every picture, or a function of it, without holding all pictures at once."""
    found: list[Any] = []
    for batch in images.with_format("arrow").iter(1000):
        values = pc.struct_field(batch["image"], field)
        found += (values if function is None else function(values)).to_pylist()
    return found


def _row_names(images: datasets.Dataset, splits: Sequence[str] | None) -> list[str]:
    """A name per row: the file's own where they are all there and different."""
    paths = _fields(images, "path")
    if None not in paths and len(set(paths)) == len(paths):
        absolute = all(posixpath.isabs(path) for path in paths)
        return _short_names([Path(path) for path in paths], Path("/")) if absolute else paths
    prefixes = splits or ["row"] * len(paths)
    return [f"{prefix}/{row:07d}" for row, prefix in enumerate(prefixes)]


def _labels_from_folders(files: Sequence[str], names: Sequence[str]) -> list[str | None]:
    """The folder right below the root or the split, as for a folder of class folders."""
    folders = [PurePosixPath(file).parts[:-1] for file in files]
    if all(parts and canonical_split(parts[0]) for parts in folders):
        folders = [parts[1:] for parts in folders]
    if not all(parts and parts[0] != ".." for parts in folders):
        require_label(names)
    return [parts[0] for parts in folders]


def _splits_from_folders(files: Sequence[str]) -> list[str] | None:
    parts = [PurePosixPath(file).parts for file in files]
    splits = [canonical_split(part[0]) if len(part) > 1 else None for part in parts]
    found = [split for split in splits if split is not None]
    return found if len(found) == len(files) and "train" in found else None


def _split_values(rows: datasets.Dataset, column: str) -> list[str]:
    values = text_values(rows, column)
    unknown = sorted({value or "" for value in values if canonical_split(value) is None})
    if unknown:
        raise DataError(
            f"Column {column!r} holds {quoted(unknown[:5])}, which is none of train, "
            "validation, test: name another data.split_column, or 'none' to divide anew."
        )
    return [str(canonical_split(value)) for value in values]


def _boxes_too(boxes: str, label: str) -> str:
    return (
        f"Column {label!r} holds labels and column {boxes!r} boxes: the labels are learned; for "
        "the boxes take --recipe detection."
    )


def _extra_columns(
    rows: datasets.Dataset, columns: Columns
) -> tuple[dict[str, list[Any]], list[str]]:
    """The plain columns that play no other part, and the names of those that are not used."""
    extras: dict[str, list[Any]] = {}
    unused = []
    for name, feature in rows.features.items():
        if name in (columns.image, columns.label, columns.split, *columns.flags):
            continue
        if name == columns.group and name in _RESERVED:
            continue  # the result has it as "group"
        if name in _RESERVED:
            unused.append(name)
        elif isinstance(feature, datasets.ClassLabel):
            extras[name] = text_values(rows, name)
        elif isinstance(feature, datasets.Value) and "binary" not in feature.dtype:
            extras[name] = rows[name][:]
        else:
            unused.append(name)
    return extras, unused


def _without_repeats(table: Table) -> Table:
    """Leave out rows that say of the same file the same once more.

    Raises:
        DataError: If two rows say different things of one file.
    """
    first: dict[str, int] = {}
    for row, file in enumerate(table.files):
        earlier = first.setdefault(file, row)
        for column in (table.labels, table.splits, table.groups):
            if column is not None and column[earlier] != column[row]:
                raise DataError(
                    f"{file} is named twice, once with {column[earlier]!r} and once with "
                    f"{column[row]!r}: keep one row."
                )
    if len(first) == len(table.files):
        return table
    repeats = counted(len(table.files) - len(first), "row")
    note = f"Not used, because they name a file once more: {repeats}."
    return table.select(list(first.values()), note)
