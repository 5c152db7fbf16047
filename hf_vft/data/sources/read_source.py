"""Recognises what a source is and has it read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import datasets
from huggingface_hub.constants import HF_HOME

from hf_vft.data.labels import natural_key
from hf_vft.data.sources.archives import unpack
from hf_vft.data.sources.check_source import KINDS_OF_SOURCE, check_hub_dataset
from hf_vft.data.sources.coco import load_coco, read_coco
from hf_vft.data.sources.decide_columns import FROM_SOURCE, NONE, refuse_columns
from hf_vft.data.sources.find_files import Finder
from hf_vft.data.sources.folder_tables import metadata_files
from hf_vft.data.sources.formats import format_names, recognised
from hf_vft.data.sources.good_parts import KIND as GOOD_PARTS
from hf_vft.data.sources.good_parts import good_parts
from hf_vft.data.sources.lfs_pointers import refuse_pointers
from hf_vft.data.sources.listing import Listing, unwrapped
from hf_vft.data.sources.numbered_labels import with_names_of_numbers
from hf_vft.data.sources.plain_folders import given_of_file, read_described
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.reading import Guess, LeftOut
from hf_vft.data.sources.saved_datasets import (
    Stored,
    is_saved,
    joined,
    load_hub,
    load_parquet,
    load_saved,
)
from hf_vft.data.sources.split_lists import divided_by_lists
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tabular import Given, rows_to_table
from hf_vft.data.sources.textfiles import TEXT_SUFFIXES
from hf_vft.data.sources.tools.tfrecord import is_tfrecord_name, read_tfrecord
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.text import quoted

Source: TypeAlias = str | Path | datasets.Dataset | datasets.DatasetDict


def describe_source(source: Source) -> str:
    """The name of the source in reports."""
    return str(source) if isinstance(source, str | Path) else f"a datasets.{type(source).__name__}"


def read_source(
    source: Source,
    config: DataConfig,
    cache_dir: Path | None,
    *,
    kind: str | None = None,
    labelled: bool = True,
) -> Table:
    """Read any source into a table; no image is decoded.

    Args:
        source: See :func:`hf_vft.data.load.load_data`.
        config: Which columns.
        cache_dir: Where archives are unpacked and datasets are kept; default: beside the other
            files of Hugging Face libraries.
        kind: What the labels have to be, a key of :data:`hf_vft.data.label_types.KINDS`; None takes
            what is there.
        labelled: Whether a table without labels is an error; if not, its labels are None.

    Raises:
        DataError: One line, if it is not there, not understood, or lacks what is needed.
    """
    wanted = "class" if kind == GOOD_PARTS else kind
    how = ReadOptions(config, cache_dir, wanted, labelled=labelled)
    if not isinstance(source, str | Path):
        table = _read_stored(source, how, base=None)
    else:
        path = Path(source).expanduser()
        if path.is_dir():
            table = _read_folder(Listing.of(path), how)
        elif path.is_file():
            table = _read_file(path, how)
        else:
            stored_in = cache_dir / "datasets" if cache_dir else None
            check_hub_dataset(str(source), stored_in)
            table = _read_stored(load_hub(str(source), config.subset, stored_in), how, base=None)
    if wanted is not None and table.kind.name != wanted:
        raise DataError(
            f"{describe_source(source)}: {table.kind.reason}, which does not fit the task."
        )
    if config.split_column == NONE:
        table = replace(table, splits=None)
    table = with_names_of_numbers(table, config.classes)
    if labelled or (kind == GOOD_PARTS and any(label is not None for label in table.labels)):
        table = good_parts(table, config, describe_source(source), kind=kind)
    return _described(table)


def _described(table: Table) -> Table:
    """With what was found in it told in its reading."""
    if table.reading is None:
        return table
    present = {n for label in table.labels if label is not None for n in table.kind.names(label)}
    fixed = [name for name in table.class_names or () if name in present]
    classes = [*fixed, *sorted(present - set(fixed), key=natural_key)]
    reading = table.reading.counted(classes, table.splits, len(table.files), table.kind)
    return replace(table, reading=reading)


def _read_folder(everything: Listing, how: ReadOptions) -> Table:
    listing = unwrapped(everything)
    refuse_pointers(listing)
    if how.config.leave_out:
        rest, gone = listing.without(how.config.leave_out)
        return _with_left_out(_read_divided(rest, how), gone)
    return _read_divided(listing, how)


def _with_left_out(table: Table, number: int) -> Table:
    if not number or table.reading is None:
        return table
    gone = LeftOut("data.leave_out", "as asked", number, "file")
    reading = replace(table.reading, left_out=(gone, *table.reading.left_out))
    return replace(table, reading=reading)


def _read_divided(listing: Listing, how: ReadOptions) -> Table:
    table = _read_listing(listing, how)
    if table.splits is None and how.config.split_column in ("auto", FROM_SOURCE):
        return divided_by_lists(table, listing)
    return table


def _read_listing(listing: Listing, how: ReadOptions) -> Table:
    if is_saved(listing.root):
        return _read_stored(load_saved(listing.root), how, base=None)
    if not listing.files and not listing.empty:
        raise DataError(f"{listing.name} is empty.")
    if how.config.format not in (None, *format_names()):
        raise DataError(
            f"data.format: no format {how.config.format!r}; there are {quoted(format_names())}."
        )
    if listing.ending(".parquet") and not listing.images and not metadata_files(listing):
        return _read_stored(load_parquet(listing.root, how.cache_dir), how, base=listing.root)
    asked = how.config.table is not None or how.config.format == "table"
    if not asked and not metadata_files(listing):
        marked = _read_annotations(listing, how)
        if marked is not None:
            return marked
    return read_described(listing, how)


def _read_annotations(listing: Listing, how: ReadOptions) -> Table | None:
    """What an annotation tool wrote; None where no tool did."""
    candidates = recognised(listing, how)
    if not candidates:
        return None
    (chosen, evidence), *others = candidates
    if not chosen.has_attributes:
        refuse_columns(how.config, f"{listing.name}, a folder of annotated images,")
    table = chosen.read(listing, evidence, how)
    if not others:
        return table
    titles = " and ".join(other.title for other, _ in others)
    reason = f"Annotations of {chosen.title} are read, those of {titles} are not"
    note = f"{reason}: set data.format={others[0][0].name} for the others."
    reading = table.reading and replace(
        table.reading,
        guesses=(*table.reading.guesses, Guess("data.format", chosen.name, reason)),
    )
    return replace(table, notes=[*table.notes, note], reading=reading)


def _read_file(path: Path, how: ReadOptions) -> Table:
    suffix = path.suffix.casefold()
    if suffix == ".zip":
        store = (how.cache_dir or Path(HF_HOME) / "hf-vft") / "archives"
        inside = Listing.of(unpack(path, store), shown=str(path))
        return _read_folder(inside, replace(how, contained=True))
    coco = load_coco(path) if suffix == ".json" else None
    if coco is not None:
        # COCO itself has its files in a folder "annotations" beside the images.
        beside = path.parent.name.casefold() == "annotations"
        listing = Listing.of(path.parent.parent if beside else path.parent)
        name = path.relative_to(listing.root).as_posix()
        return read_coco(listing, {name: coco}, how)
    if is_tfrecord_name(path.name):
        maps = [file.name for file in path.parent.glob("*.pbtxt")]
        return read_tfrecord(Listing(path.parent, (path.name, *maps)), [path.name], how)
    if suffix in TEXT_SUFFIXES:
        return rows_to_table(given_of_file(path, how), how)
    if suffix == ".parquet":
        return _read_stored(load_parquet(path, how.cache_dir), how, base=path.parent)
    if suffix in (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"):
        raise DataError(f"{path} is an archive other than a zip: unpack it, and give the folder.")
    raise DataError(f"{path} is not a source of labelled images: give {KINDS_OF_SOURCE}.")


def _read_stored(stored: Stored, how: ReadOptions, *, base: Path | None) -> Table:
    rows, splits, notes = joined(stored)
    if not len(rows):
        raise DataError("The dataset has no rows.")
    source_rows = Given(
        rows, "the dataset", Finder(base, contained=how.contained) if base else None
    )
    source_rows = replace(
        source_rows, splits=splits, split_source="its own splits", notes=tuple(notes)
    )
    return rows_to_table(source_rows, how)
