"""The tables in a folder that describe its images, such as labels.csv or one for each split."""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from hf_vft.data.sources.box_columns import box_corners
from hf_vft.data.sources.column_facts import ColumnFacts, gather
from hf_vft.data.sources.column_names import IMAGE_NAMES, LABEL_NAMES, plain_name
from hf_vft.data.sources.decide_columns import ImageColumn, decide_columns, image_column
from hf_vft.data.sources.find_files import Finder
from hf_vft.data.sources.listing import Listing, split_of_path
from hf_vft.data.sources.open_images import with_class_names
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.reading import LeftOut, Option, ask
from hf_vft.data.sources.split_tables import splits_of
from hf_vft.data.sources.table import canonical_split
from hf_vft.data.sources.tabular import Given, table_in
from hf_vft.data.sources.textfiles import TEXT_SUFFIXES, FileTable, read_file_table, to_rows
from hf_vft.errors import AmbiguousSourceError, DataError
from hf_vft.utils.text import quoted

METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_MOST_TABLES = 60
_SAMPLE = 40
_TABLES = (".csv", ".tsv")
_ARE_FILES = 0.5


@dataclass(frozen=True)
class FolderTable:
    """A file with a row for each image, label or box.

    Attributes:
        file: From the root.
        content: Its columns.
        image: The column that names the images.
        split: What its name or folder tells; None where they do not.
        labelled: Whether a column holds labels, as far as can be told.
        certain: Whether the label column has a usual name.
    """

    file: str
    content: FileTable
    image: str
    split: str | None
    labelled: bool
    certain: bool = False


@dataclass(frozen=True)
class FolderTables:
    """The tables that are read, and those that are not.

    Attributes:
        tables: One, or one for each split.
        left_out: Others that name images.
        unlabelled: Those in which no column is known to hold labels.
        unreadable: Why files that are called like tables could not be read, or do not help.
    """

    tables: tuple[FolderTable, ...]
    left_out: tuple[LeftOut, ...] = ()
    unlabelled: tuple[FolderTable, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def certain(self) -> bool:
        """Whether usual names say which column holds the labels."""
        return all(table.certain for table in self.tables)


def metadata_files(listing: Listing) -> list[str]:
    """The ``metadata.csv``, or another of `METADATA_NAMES`, of the folder or its split folders."""
    files = set(listing.files)
    root = [name for name in METADATA_NAMES if name in files]
    if root:
        return root[:1]
    by_folder: dict[str, str] = {}
    for file in listing.files:
        folder, name = posixpath.split(file)
        split = split_of_path([folder]) if folder and "/" not in folder else None
        if name in METADATA_NAMES and split is not None:
            by_folder.setdefault(split, file)
    return list(by_folder.values())


def find_tables(listing: Listing, how: ReadOptions) -> FolderTables | None:
    """The tables of a folder that name its images; None where there are none, nor any damaged.

    Raises:
        AmbiguousSourceError: If several tables could be meant.
        DataError: If the table that the recipe names cannot be read.
    """
    files, asked = _candidates(listing, how)
    tables: list[FolderTable] = []
    unreadable: list[str] = []
    for file in files:
        try:
            content = _content(listing, file, how)
        except DataError as error:
            if asked:
                raise
            unreadable += [str(error)] if file.casefold().endswith(_TABLES) else []
            continue
        table = _opened(content, listing, file, how, asked=asked)
        if isinstance(table, str):
            unreadable.append(table)
        elif table is not None:
            tables.append(table)
    if not tables:
        return FolderTables((), unreadable=tuple(unreadable)) if unreadable else None
    return _chosen(_judged_together(tables, how), listing, asked=asked)


def _is_called(file: str, wanted: str) -> bool:
    """Whether a path or its last part is as wanted, or fits it as a pattern."""
    names = (file, posixpath.basename(file))
    return wanted in names or any(fnmatchcase(name, wanted) for name in names)


def _content(listing: Listing, file: str, how: ReadOptions) -> FileTable:
    read = read_file_table(listing.path(file), how.config.encoding, shown=file)
    return with_class_names(read, posixpath.basename(file), lambda: listing)


def _candidates(listing: Listing, how: ReadOptions) -> tuple[list[str], bool]:
    if how.config.table is not None:
        wanted = how.config.table
        files = [f for f in listing.files if _is_called(f, wanted)]
        if not files:
            raise DataError(f"data.table: there is no {wanted!r} in {listing.name}.")
        return files, True
    named = metadata_files(listing)
    if named:
        return named, True
    endings = (*TEXT_SUFFIXES, ".parquet")
    files = [file for file in listing.ending(*endings) if file.count("/") <= 3]
    texts = {file for file in files if file.casefold().endswith(".txt")}
    if len(texts) > _MOST_TABLES:  # a text for each image is no list of them
        files = [file for file in files if file not in texts or "/" not in file]
    if len(files) > _MOST_TABLES:  # a file for each image is no table
        files = [f for f in files if "/" not in f and not f.endswith((".json", ".txt"))]
    return files[:_MOST_TABLES], False


def _opened(
    content: FileTable, listing: Listing, file: str, how: ReadOptions, *, asked: bool
) -> FolderTable | str | None:
    """A file as a table of images; None where it is something else, or why it is none of these."""
    facts = gather(to_rows(content.columns))
    finder = finder_for(listing, file, how)

    def share(name: str) -> float:
        return finder.share(list(facts[name].counts)[:_SAMPLE])

    try:
        image = image_column(facts, how.config, share)
    except DataError:
        if asked:
            raise
        return None
    if not asked and share(image.name) < _ARE_FILES:
        usual = facts[image.name].plain in IMAGE_NAMES and not _is_sample(file)
        return _none_there(file, facts[image.name]) if usual and content.rows > 1 else None
    usual = any(facts[name].plain in LABEL_NAMES for name in facts if name != image.name)
    usual = usual or box_corners(facts) is not None
    labelled = usual or how.config.label_column != "auto" or _holds_labels(facts, image, how, file)
    if splits_of(file, content.columns, image.name) is not None:
        usual = labelled = False
    folder, name = posixpath.split(file)
    split = split_of_path(folder.split("/")) or split_of_path([posixpath.splitext(name)[0]])
    return FolderTable(file, content, image.name, split, labelled, usual)


def _none_there(file: str, images: ColumnFacts) -> str:
    first = next(iter(images.counts), "")
    return (
        f"{file} seems to name images in column {images.name!r}, but {first!r} and most others are "
        "not here: put them below this folder, under these names."
    )


def _holds_labels(
    facts: Mapping[str, ColumnFacts], image: ImageColumn, how: ReadOptions, file: str
) -> bool:
    try:
        return decide_columns(facts, how.config, image, kind=how.kind, where=file).labelled
    except AmbiguousSourceError:
        return True
    except DataError:
        return False


def _judged_together(candidates: Sequence[FolderTable], how: ReadOptions) -> list[FolderTable]:
    """A file may hold one class alone; what its columns are shows beside those of its sisters."""
    sisters: dict[tuple[str, ...], list[FolderTable]] = defaultdict(list)
    for table in candidates:
        sisters[tuple(table.content.columns)].append(table)
    labelled: set[str] = set()
    for names, tables in sisters.items():
        if len(tables) < 2 or any(table.labelled for table in tables):
            continue
        joined = {n: [v for table in tables for v in table.content.columns[n]] for n in names}
        image = ImageColumn(tables[0].image)
        if _holds_labels(gather(to_rows(joined)), image, how, tables[0].file):
            labelled |= {table.file for table in tables}
    named = any(table.certain and _label_names(table) for table in candidates)
    return [
        replace(t, labelled=(t.labelled or t.file in labelled) and not (named and _bare_boxes(t)))
        for t in candidates
    ]


def _label_names(table: FolderTable) -> list[str]:
    return [name for name in table.content.columns if plain_name(name) in LABEL_NAMES]


def _bare_boxes(table: FolderTable) -> bool:
    """Whether a table has boxes but no class for them, as one of images to be tested has."""
    bare = not _label_names(table)
    return bare and box_corners(gather(to_rows(table.content.columns))) is not None


def _are_parts(tables: Sequence[FolderTable]) -> bool:
    """Whether tables have the same columns and no image in common: one for each class, say."""
    names = [set(map(str, table.content.columns[table.image])) for table in tables]
    same = len({tuple(table.content.columns) for table in tables}) == 1
    return same and len(set().union(*names)) == sum(map(len, names))


def finder_for(listing: Listing, file: str, how: ReadOptions) -> Finder:
    """Finds images by names that are relative to the folder of a file."""
    folder = posixpath.dirname(file)
    split = split_of_path([posixpath.splitext(posixpath.basename(file))[0]])
    hint = _folder_of_split(listing, split) if split is not None else ""
    return Finder(listing.path(folder), listing, folder, how.contained, hint)


def _folder_of_split(listing: Listing, split: str) -> str:
    tops = sorted({file.split("/", 1)[0] for file in listing.images if "/" in file})
    folders = [top for top in tops if split_of_path([top]) == split]
    return folders[0] if len(folders) == 1 else ""


def _chosen(tables: Sequence[FolderTable], listing: Listing, *, asked: bool) -> FolderTables:
    columns = {tuple(t.content.columns) for t in tables if t.labelled}
    labelled = [
        t
        for t in tables
        if asked or (tuple(t.content.columns) in columns and not _is_sample(t.file))
    ]
    rest = [table for table in tables if table not in labelled]
    left_out = tuple(
        LeftOut(table.file, _why_not(table), table.content.rows, "row") for table in rest
    )
    if not labelled:
        return FolderTables((), left_out, tuple(t for t in rest if not _is_sample(t.file)))
    if len(labelled) == 1:
        table = labelled[0]
        return FolderTables((table,), left_out)
    splits = Counter(table.split for table in labelled)
    if None not in splits and max(splits.values()) == 1:
        return FolderTables(tuple(labelled), left_out)
    if set(splits) == {None} and _are_parts(labelled):
        return FolderTables(tuple(labelled), left_out)
    raise ask(
        listing.name,
        f"{len(labelled)} tables name its images.",
        _table_options(labelled),
    )


def _why_not(table: FolderTable) -> str:
    divides = splits_of(table.file, table.content.columns, table.image) is not None
    return "a table of splits" if divides else "a table without labels"


def _table_options(tables: Sequence[FolderTable]) -> list[Option]:
    """Each table, or each group of them that differ in the name of a split alone."""
    groups: dict[str, list[FolderTable]] = defaultdict(list)
    for table in tables:
        groups[_without_split(table.file)].append(table)
    if len(groups) == len(tables):
        groups = {table.file: [table] for table in tables}
    return [
        Option(f"{sum(table.content.rows for table in group):,} rows", f"data.table={name}")
        for name, group in list(groups.items())[:6]
    ]


def _without_split(file: str) -> str:
    """``images_family_*.txt`` for ``images_family_train.txt``."""
    folder, name = posixpath.split(file)
    parts = re.split(r"([^\W_]+)", name)
    starred = ["*" if canonical_split(part) else part for part in parts]
    return posixpath.join(folder, re.sub(r"\*[_-]\*", "*", "".join(starred)))


def _is_sample(file: str) -> bool:
    name = posixpath.basename(file).casefold()
    return "submission" in name or name.startswith("sample_sub")


def given_of(chosen: FolderTables, listing: Listing, how: ReadOptions) -> Given:
    """The tables as one, with names from the root and the split of each row."""
    notes = tuple(note for table in chosen.tables for note in table.content.notes)
    if len(chosen.tables) == 1:
        [table] = chosen.tables
        return Given(
            to_rows(table.content.columns),
            table_in(table.file),
            finder_for(listing, table.file, how),
            notes=notes,
            left_out=chosen.left_out,
        )
    columns, splits = _together(chosen.tables, listing, how)
    divided = all(table.split is not None for table in chosen.tables)
    return Given(
        to_rows(columns),
        f"the tables {', '.join(table.file for table in chosen.tables)}",
        Finder(listing.root, listing, "", how.contained),
        splits if divided else None,
        "the names of these files" if divided else "",
        notes,
        chosen.left_out,
    )


def _together(
    tables: Sequence[FolderTable], listing: Listing, how: ReadOptions
) -> tuple[dict[str, list[Any]], list[str]]:
    """The columns of all tables under each other; names of images are from the root."""
    order = list(dict.fromkeys(name for table in tables for name in table.content.columns))
    joined: dict[str, list[Any]] = defaultdict(list)
    splits: list[str] = []
    for table in tables:
        columns: Mapping[str, list[Any]] = table.content.columns
        names = _from_root(table, listing, how)
        for name in order:
            part = names if name == table.image else columns.get(name)
            joined[name] += part if part is not None else [None] * table.content.rows
        splits += [str(table.split)] * table.content.rows
    images = {table.image for table in tables}
    if len(images) > 1:
        raise DataError(
            f"{listing.name}: the tables of the splits name the images in {quoted(images)}: use "
            "one name."
        )
    return dict(joined), splits


def _from_root(table: FolderTable, listing: Listing, how: ReadOptions) -> list[str | None]:
    finder = finder_for(listing, table.file, how)
    folder = posixpath.dirname(table.file)
    names: list[str | None] = []
    prefix = listing.root.as_posix().rstrip("/") + "/"
    for value in table.content.columns[table.image]:
        if value is None:
            names.append(None)
            continue
        match = finder.one(str(value))
        inside = match.file is not None and match.file.startswith(prefix)
        joined = posixpath.normpath(posixpath.join(folder, str(value)))
        names.append(match.file[len(prefix) :] if inside and match.file else joined)
    return names
