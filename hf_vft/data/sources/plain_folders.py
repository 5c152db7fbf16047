"""Folders without annotations of a tool: tables that name the images, or class folders."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from pathlib import Path

from hf_vft.data.sources.channels import refuse_channels
from hf_vft.data.sources.class_folders import FolderPlan, decide_folders
from hf_vft.data.sources.decide_columns import refuse_columns
from hf_vft.data.sources.find_files import Finder
from hf_vft.data.sources.folder_tables import (
    FolderTables,
    find_tables,
    given_of,
    metadata_files,
)
from hf_vft.data.sources.folder_words import is_mask_name, is_unit
from hf_vft.data.sources.formats import unread
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.open_images import with_class_names
from hf_vft.data.sources.read_class_folders import read_class_folders
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.reading import LeftOut, Option, ask
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tabular import Given, rows_to_table, table_in
from hf_vft.data.sources.textfiles import read_file_table, to_rows
from hf_vft.errors import AmbiguousSourceError, DataError
from hf_vft.utils.text import counted, few, quoted

_ASIDE = frozenset({"csv", "csvs", "meta", "metadata", "tables", "lists", "splits"})
_AS_FOLDERS = "data.format=folders"


def read_described(listing: Listing, how: ReadOptions) -> Table:
    """Read a folder by the tables in it, or as class folders.

    Where both are there and say different things, the person is asked.

    Raises:
        AmbiguousSourceError: If tables and folders could both hold the labels.
        DataError: If neither does.
    """
    form = how.config.format
    tables = find_tables(listing, how) if form in (None, "table") else None
    if form == "table" and (tables is None or not tables.tables):
        raise DataError(f"{listing.name}: no table in it names its images.")
    if tables is None or not tables.tables:
        return _class_folders(listing, how, tables)
    plan = None
    if form is None and how.config.table is None and not metadata_files(listing):
        plan = _plan_or_none(listing, how)
    classes = {place.label for place in plan.places} if plan is not None else set()
    if plan is None or len(classes) < 2 or all(map(is_unit, classes)):
        return _with_unnamed(rows_to_table(given_of(tables, listing, how), how), listing)
    return _one_of_both(listing, tables, plan, how)


def given_of_file(path: Path, how: ReadOptions) -> Given:
    """The rows of one file, whose images lie below it, or beside its folder of tables."""
    content = read_file_table(path, how.config.encoding)
    base = path.parent
    finder = Finder(base, contained=how.contained)
    if is_mask_name(base.name) or base.name.casefold() in _ASIDE:
        finder = Finder(base, Listing.of(base.parent), base.name, how.contained)
    content = with_class_names(content, path.name, lambda: finder.tree)
    return Given(to_rows(content.columns), table_in(path), finder, notes=content.notes)


def _class_folders(listing: Listing, how: ReadOptions, tables: FolderTables | None) -> Table:
    refuse_columns(how.config, f"{listing.name}, a folder of class folders,")
    try:
        if how.config.leave_out is None:
            refuse_channels(listing)
        plan = decide_folders(listing, how.config)
        if len({place.label for place in plan.places}) > 1:
            table = read_class_folders(listing, plan)
            return replace(table, notes=[*table.notes, *_unlabelled_notes(tables)])
        error = _without_labels(tables, listing)
        if error is None:
            return read_class_folders(listing, plan)
    except AmbiguousSourceError:
        raise
    except DataError:
        error = _without_labels(tables, listing) if how.config.format is None else None
        if error is None:
            raise
    raise error


def _unlabelled_notes(tables: FolderTables | None) -> list[str]:
    """That tables are about the images as well, where no column of them is known for labels."""
    if tables is None or not tables.unlabelled:
        return []
    table = max(tables.unlabelled, key=lambda candidate: candidate.content.rows)
    others = [name for name in table.content.columns if name != table.image]
    if not others:
        return []
    return [
        f"Not used: {table.file}, which names images, too; if it holds their labels, set "
        f"data.label_column to one of {quoted(others)}."
    ]


def _without_labels(tables: FolderTables | None, listing: Listing) -> DataError | None:
    """The refusal of a folder whose only hope is what is not read; None without such a hope."""
    other = unread(listing)
    if other is not None:
        return DataError(f"{listing.name}: {other}")
    if tables is None:
        return None
    if not tables.unlabelled:
        return DataError(f"{listing.name}: {tables.unreadable[0]}") if tables.unreadable else None
    table = max(tables.unlabelled, key=lambda candidate: candidate.content.rows)
    others = [name for name in table.content.columns if name != table.image]
    return DataError(
        f"{listing.name}: {table.file} names its images, but no column is known to hold their "
        f"labels: set data.label_column to one of {quoted(others)}."
        if others
        else f"{listing.name}: {table.file} names its images, but holds nothing else: add a column "
        "of labels."
    )


def _plan_or_none(listing: Listing, how: ReadOptions) -> FolderPlan | None:
    try:
        return decide_folders(listing, how.config)
    except DataError:
        return None


def _one_of_both(
    listing: Listing, tables: FolderTables, plan: FolderPlan, how: ReadOptions
) -> Table:
    """The table where the folders say the same or the table is not about them; else a question."""
    names = ", ".join(posixpath.basename(table.file) for table in tables.tables)
    classes = sorted({place.label for place in plan.places})
    folders = Option(f"class folders {few(classes, 3)}", _AS_FOLDERS)
    try:
        table = rows_to_table(given_of(tables, listing, how), how)
    except AmbiguousSourceError as error:
        options = [Option(title, setting) for title, setting in error.options]
        question = f"{names} and the folders could both hold the labels."
        raise ask(listing.name, question, [*options, folders]) from None
    label_of = {place.folder: place.label for place in plan.places}
    by_folder = [label_of.get(posixpath.dirname(file)) for file in _files_in(table, listing)]
    if len(table.files) * 2 < len(listing.images) or all(label is None for label in table.labels):
        by_folders = read_class_folders(listing, plan)
        aside = LeftOut(names, "names few of the images", len(table.files), "row")
        reading = by_folders.reading and replace(
            by_folders.reading, left_out=(*by_folders.reading.left_out, aside)
        )
        return replace(by_folders, reading=reading)
    pairs = {(str(a), b) for a, b in zip(table.labels, by_folder, strict=True) if a is not None}
    same = len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    if same and _only_numbers(tables, table):
        return read_class_folders(listing, plan)
    if same:
        return _with_unnamed(table, listing)
    if tables.certain:
        note = (
            f"The labels are those of {names}, not the folders ({few(classes, 3)}); set "
            f"{_AS_FOLDERS} for the folders."
        )
        return _with_unnamed(replace(table, notes=[*table.notes, note]), listing)
    column = table.reading.labels if table.reading is not None else "a column"
    raise ask(
        listing.name,
        f"{names} and the folders both hold labels, and they differ.",
        [Option(f"{column} of {names}", "data.format=table"), folders],
    )


def _files_in(table: Table, listing: Listing) -> list[str]:
    """The images of a table from the root of a listing; those elsewhere as the table has them."""
    prefix = f"{listing.root.as_posix().rstrip('/')}/"
    paths = (str(row["path"]) for row in table.images["image"][:])
    return [
        path[len(prefix) :] if path.startswith(prefix) else file
        for path, file in zip(paths, table.files, strict=True)
    ]


def _only_numbers(tables: FolderTables, table: Table) -> bool:
    """Whether lists number the classes whose names the folders tell."""
    lists = all(table.file.casefold().endswith(".txt") for table in tables.tables)
    return lists and all(str(label).isdecimal() for label in table.labels if label is not None)


def _with_unnamed(table: Table, listing: Listing) -> Table:
    """With a note on images that the table does not name."""
    named = set(_files_in(table, listing))
    unnamed = [image for image in listing.images if image not in named]
    if not unnamed:
        return table
    number = counted(len(unnamed), "image")
    note = f"Not used, because the metadata does not name them: {number}, e.g. {min(unnamed)}."
    return replace(table, notes=[*table.notes, note])
