"""Recognises what a source is and has it read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import datasets
from huggingface_hub.constants import HF_HOME

from hf_vft.data.sources.annotations import Folder
from hf_vft.data.sources.archives import unpack
from hf_vft.data.sources.coco import coco_files, load_coco, read_coco
from hf_vft.data.sources.columns import NONE, refuse_columns
from hf_vft.data.sources.folders import read_class_folders, visible_entries, visible_folders
from hf_vft.data.sources.metadata import has_metadata, read_metadata
from hf_vft.data.sources.stored import Stored, is_saved, joined, load_hub, load_parquet, load_saved
from hf_vft.data.sources.table import Table, canonical_split
from hf_vft.data.sources.tabular import rows_to_table
from hf_vft.data.sources.textfiles import TEXT_SUFFIXES, read_columns, to_rows
from hf_vft.data.sources.voc import read_voc, voc_files
from hf_vft.data.sources.yolo import has_names, read_yolo, yolo_labels
from hf_vft.errors import DataError
from hf_vft.recipe import DataConfig

Source: TypeAlias = str | Path | datasets.Dataset | datasets.DatasetDict

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_KINDS = "a folder, a CSV, JSON Lines or Parquet file, or a zip file"


def describe_source(source: Source) -> str:
    """What the source is called in reports."""
    return str(source) if isinstance(source, str | Path) else f"a datasets.{type(source).__name__}"


def read_source(
    source: Source,
    config: DataConfig,
    cache_dir: Path | None,
    *,
    kind: str | None = None,
    labelled: bool = True,
) -> Table:
    """Read any source into a table; no picture is decoded.

    Args:
        source: See :func:`hf_vft.data.load.load_data`.
        config: Which columns.
        cache_dir: Where archives are unpacked and datasets are kept; default: beside the other
            files of Hugging Face libraries.
        kind: What the labels have to be, a key of :data:`hf_vft.data.kinds.KINDS`; None takes
            what is there.
        labelled: Whether a table without labels is an error; if not, its labels are None.

    Raises:
        DataError: One line, if it is not there, not understood, or lacks what is needed.
    """
    how = Reading(config, cache_dir, kind, labelled=labelled)
    if not isinstance(source, str | Path):
        table = _read_stored(source, how, base=None)
    else:
        path = Path(source).expanduser()
        if path.is_dir():
            table = _read_folder(path, how)
        elif path.is_file():
            table = _read_file(path, how)
        elif isinstance(source, str) and _HUB_ID.fullmatch(source):
            table = _read_stored(load_hub(source, config.subset, cache_dir), how, base=None)
        else:
            raise DataError(
                f"There is no {str(source)!r}: give {_KINDS}, or the name of a dataset on the "
                "Hub (user/name)."
            )
    if kind is not None and table.kind.name != kind:
        raise DataError(
            f"{describe_source(source)}: {table.kind.reason}, which does not fit the task."
        )
    return replace(table, splits=None) if config.split_column == NONE else table


@dataclass(frozen=True)
class Reading:
    """How a source is read.

    Attributes:
        config: Which columns.
        cache_dir: Where archives are unpacked and datasets are kept.
        kind: What the labels have to be; None takes what is there.
        contained: Whether no file outside of the source may be named.
        labelled: Whether labels have to be there.
    """

    config: DataConfig
    cache_dir: Path | None
    kind: str | None
    contained: bool = False
    labelled: bool = True


def _read_folder(root: Path, how: Reading) -> Table:
    if is_saved(root):
        return _read_stored(load_saved(root), how, base=None)
    if has_metadata(root):
        return read_metadata(
            root, how.config, contained=how.contained, kind=how.kind, labelled=how.labelled
        )
    folder = Folder(root)
    if folder.ending(".parquet") and not folder.pictures:
        return _read_stored(load_parquet(root, how.cache_dir), how, base=root)
    inner = visible_entries(root)
    wrapped = len(inner) == 1 and inner[0].is_dir() and canonical_split(inner[0].name) is None
    if wrapped and visible_folders(inner[0]):
        return _read_folder(inner[0], how)
    marked = _read_annotations(folder) if how.kind in (None, "boxes") else None
    if marked is not None:
        refuse_columns(how.config, f"{root}, a folder of annotated pictures,")
        return marked
    refuse_columns(how.config, f"{root}, a folder of class folders,")
    return read_class_folders(root)


def _read_annotations(folder: Folder) -> Table | None:
    """Boxes from the files of an annotation tool; None where there are none."""
    if coco := coco_files(folder):
        return read_coco(folder, coco)
    if voc := voc_files(folder):
        return read_voc(folder, voc)
    labels = yolo_labels(folder)
    return read_yolo(folder, labels) if labels and has_names(folder) else None


def _read_file(path: Path, how: Reading) -> Table:
    suffix = path.suffix.casefold()
    if suffix == ".zip":
        store = (how.cache_dir or Path(HF_HOME) / "hf-vft") / "archives"
        return _read_folder(unpack(path, store), replace(how, contained=True))
    coco = load_coco(path) if suffix == ".json" else None
    if coco is not None:
        # COCO itself has its files in a folder "annotations" beside the pictures.
        beside = path.parent.name.casefold() == "annotations"
        return read_coco(Folder(path.parent.parent if beside else path.parent), {path: coco})
    if suffix in TEXT_SUFFIXES:
        rows = to_rows(read_columns(path))
        return rows_to_table(
            rows, how.config, base=path.parent, kind=how.kind, needs_labels=how.labelled
        )
    if suffix == ".parquet":
        return _read_stored(load_parquet(path, how.cache_dir), how, base=path.parent)
    raise DataError(f"{path} is not a source of labelled pictures: give {_KINDS}.")


def _read_stored(stored: Stored, how: Reading, *, base: Path | None) -> Table:
    rows, splits, notes = joined(stored)
    if not len(rows):
        raise DataError("The dataset has no rows.")
    table = rows_to_table(
        rows,
        how.config,
        base=base,
        contained=how.contained,
        splits=splits,
        kind=how.kind,
        needs_labels=how.labelled,
    )
    return replace(table, notes=notes + table.notes)
