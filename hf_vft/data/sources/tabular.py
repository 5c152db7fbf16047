"""Brings a table of any make into the one form: which row is which image, of which class."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from hf_vft.data.label_types import KINDS
from hf_vft.data.sources.box_columns import box_corners, box_struct, read_box_rows
from hf_vft.data.sources.column_facts import ColumnFacts, gather
from hf_vft.data.sources.decide_columns import (
    Columns,
    decide_columns,
    image_column,
    require_label,
    split_value,
)
from hf_vft.data.sources.find_files import Finder, FoundFiles, short_names
from hf_vft.data.sources.folder_roles import FolderRoles, roles_of
from hf_vft.data.sources.label_columns import Labels, read_labels, text_values
from hf_vft.data.sources.label_evidence import FOLDER, of_twins
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.reading import Guess, LeftOut, Reading
from hf_vft.data.sources.repeated_rows import one_row_each
from hf_vft.data.sources.table import Table, image_rows
from hf_vft.errors import DataError
from hf_vft.utils.text import quoted

_RESERVED = ("image", "label", "file", "group")  # columns of the result
_SAMPLE = 50


@dataclass(frozen=True)
class Given:
    """A table before it is understood.

    Attributes:
        rows: One row for each image, label or box.
        where: What it is called in messages.
        finder: Finds the files that it names; None where it holds the images.
        splits: Split of each row where the source itself is divided.
        split_source: What says so.
        notes: What is doubtful about how it was read.
        left_out: What is not read besides.
    """

    rows: datasets.Dataset
    where: str
    finder: Finder | None = None
    splits: list[str] | None = None
    split_source: str = ""
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class _Images:
    """The images of the rows, and what their places tell."""

    rows: datasets.Dataset
    files: list[str]
    matched: str = ""
    roles: FolderRoles | None = None


def rows_to_table(given: Given, how: ReadOptions) -> Table:
    """Bring a table into the one form.

    Args:
        given: The table.
        how: Which columns; see :func:`hf_vft.data.sources.decide_columns.decide_columns`.

    Raises:
        DataError: One line about the column or value that does not fit.
    """
    rows, config = given.rows, how.config
    facts = gather(rows)
    share = _share_of_files(facts, given.finder)
    chosen = image_column(facts, config, share)
    named = given.finder is not None and facts[chosen.name].is_scalar
    images = _named(given, chosen.name) if named else _held(given, chosen.name, how)
    folders = images.roles.classes if images.roles is not None else []
    twins = of_twins(rows, facts, config) if box_corners(facts) is None else None
    if twins is not None:
        config = config.model_copy(update={"label_column": twins.value})
    columns = decide_columns(
        facts, config, chosen, kind=how.kind, where=given.where, folders=folders
    )
    splits, split_source = _splits(given, columns, images)
    labels, source = _labels(given, how, columns, facts, images)
    extras, unused = _extra_columns(rows, columns)
    notes = [*given.notes, *labels.notes]
    if columns.label is not None and labels.kind.name != "boxes":
        struct = box_struct(rows.features)
        notes += [_boxes_too(name, columns.label) for name in struct if name in unused]
        unused = [name for name in unused if name not in struct]
    if unused:
        notes.append(f"Not used: columns {quoted(unused)}.")
    guesses = (*columns.guesses, *([twins] if twins is not None else []), *labels.guesses)
    table = Table(
        images=images.rows,
        files=images.files,
        labels=labels.values,
        kind=labels.kind,
        splits=splits,
        groups=text_values(rows, columns.group) if columns.group is not None else None,
        extras=extras,
        class_names=labels.class_names,
        notes=notes,
        columns=_roles(columns, source),
        flags=list(columns.flags),
        reading=Reading(given.where, source, split_source, images.matched, given.left_out, guesses),
    )
    return one_row_each(table, how.kind)


def table_in(file: Path | str) -> str:
    """The name of a table in the statement of what was read."""
    return f"the table {posixpath.basename(str(file))}"


def _share_of_files(facts: Mapping[str, ColumnFacts], finder: Finder | None) -> Any:
    if finder is None:
        return None
    return lambda name: finder.share(list(facts[name].counts)[:_SAMPLE])


def _roles(columns: Columns, source: str) -> dict[str, str]:
    roles = {
        role: name
        for role in ("image", "label", "split")
        if (name := getattr(columns, role)) is not None
    }
    return roles | ({"label": FOLDER} if source == "the folder names" else {})


def _named(table: Given, column: str) -> _Images:
    """Files and images of rows that name files."""
    names = text_values(table.rows, column)
    if None in names:
        raise DataError(f"Column {column!r}, row {names.index(None) + 1}: no file is named.")
    texts = cast("list[str]", names)
    finder = table.finder or Finder(Path())
    matched: FoundFiles = finder.all(texts)
    finder.refuse_if_none(matched, texts, table.where)
    files = short_names(matched.paths, finder.base.as_posix())
    for row in matched.missing:  # as written, which is what a person looks for
        files[row] = files[row] if not files[row].startswith("../") else texts[row]
    roles = roles_of(files)
    return _Images(image_rows(matched.paths), files, matched.matched, roles)


def _held(table: Given, column: str, how: ReadOptions) -> _Images:
    """The image column alone, not decoded."""
    images = table.rows.select_columns([column])
    if column != "image":
        images = images.rename_column(column, "image")
    try:
        images = images.cast_column("image", datasets.Image(decode=False))
    except (pa.ArrowException, TypeError, ValueError, KeyError):
        raise DataError(
            f"Column {column!r} holds no images but {table.rows.features[column]}."
        ) from None
    if how.contained and _fields(images, "bytes", pc.is_null).count(True):
        raise DataError("The dataset names files outside the archive; refused.")
    return _Images(images, _row_names(images, table.splits))


def _fields(
    images: datasets.Dataset, field: str, function: Callable[..., Any] | None = None
) -> list[Any]:
    """One field of every image, or a function of it, without holding all images at once."""
    values_of_rows: list[Any] = []
    for batch in images.with_format("arrow").iter(1000):
        values = pc.struct_field(batch["image"], field)
        values_of_rows += (values if function is None else function(values)).to_pylist()
    return values_of_rows


def _row_names(images: datasets.Dataset, splits: Sequence[str] | None) -> list[str]:
    """A name per row: the file's own where they are all there and different."""
    paths = _fields(images, "path")
    if None not in paths and len(set(paths)) == len(paths):
        absolute = all(posixpath.isabs(path) for path in paths)
        return short_names(paths, "/") if absolute else paths
    prefixes = splits or ["row"] * len(paths)
    return [f"{prefix}/{row:07d}" for row, prefix in enumerate(prefixes)]


def _splits(table: Given, columns: Columns, images: _Images) -> tuple[list[str] | None, str]:
    """The split of each row, and what says so."""
    if columns.split is not None:
        return _split_values(table.rows, columns.split), f"column {columns.split!r}"
    if table.splits is not None:
        return table.splits, table.split_source
    if images.roles is not None and images.roles.splits is not None:
        return images.roles.splits, "the folders"
    return None, ""


def _split_values(rows: datasets.Dataset, column: str) -> list[str]:
    values = text_values(rows, column)
    unknown = sorted({value or "" for value in values if split_value(column, value) is None})
    if unknown:
        raise DataError(
            f"Column {column!r} holds {quoted(unknown[:5])}, which is none of train, "
            "validation, test: name another data.split_column, or 'none' to divide anew."
        )
    return [str(split_value(column, value)) for value in values]


def _labels(
    table: Given,
    how: ReadOptions,
    columns: Columns,
    facts: Mapping[str, ColumnFacts],
    images: _Images,
) -> tuple[Labels, str]:
    """The label of each row, and where it comes from, in words."""
    rows = table.rows
    if columns.boxes is not None:
        names = text_values(rows, columns.boxes.label)
        boxes = read_box_rows(rows, columns.boxes, images.files, names, how.config)
        values = [boxes[file] for file in images.files]
        corners = ", ".join(columns.boxes.corners)
        source = f"column {columns.boxes.label!r}, with corners in {corners}"
        return Labels(KINDS["boxes"], values, None), source
    if columns.labelled:
        what = f"column {columns.label!r}" if columns.label else "columns of 0 and 1"
        return read_labels(rows, columns, facts, how.config, how.kind), what
    others = [name for name in rows.column_names if name != columns.image]
    roles = images.roles
    from_folders = roles is not None and roles.labels is not None and how.kind in (None, "class")
    if from_folders and roles is not None and (how.labelled or how.config.label_column == FOLDER):
        note = "No column holds labels, so the names of the folders are the labels."
        guess = Guess("data.label_column", FOLDER, note.removesuffix("."))
        notes = [] if how.config.label_column == FOLDER else [note]
        labels = Labels(KINDS["class"], list(roles.labels or []), None, (guess,), notes)
        return labels, "the folder names"
    if how.labelled:
        require_label(others)
    return Labels(KINDS["class"], [None] * len(images.files)), ""


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
    played = {columns.image, columns.label, columns.split, *columns.flags}
    if columns.boxes is not None:
        played |= {*columns.boxes.corners, columns.boxes.label, *(columns.boxes.size or ())}
    for name, feature in rows.features.items():
        if name in played:
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
