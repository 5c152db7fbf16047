"""The one way from a source of labelled images to checked, divided datasets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from hf_vft.data.annotated_boxes import clean_objects, fit_declared, refuse_format
from hf_vft.data.bit_depth import above_notes, page_notes, settle_bit_depth
from hf_vft.data.box_frames import turn_boxes
from hf_vft.data.damaged import damage_in_a_line
from hf_vft.data.good_parts import divide_good_parts
from hf_vft.data.groups import groups_of
from hf_vft.data.images import Decoder
from hf_vft.data.label_types import KINDS, LabelKind
from hf_vft.data.labels import class_order
from hf_vft.data.sources.decide_columns import FROM_SOURCE
from hf_vft.data.sources.read_source import describe_source, read_source
from hf_vft.data.sources.reading import Reading
from hf_vft.data.sources.table import Table
from hf_vft.data.splits import SPLITS, Rows, complete_splits
from hf_vft.data.verify import DecodeCheck, Progress, verify_images
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from hf_vft.records.vocabulary import read_vocabulary
from hf_vft.utils.text import counted, few, quoted

OnRead = Callable[[Reading | None, Sequence[str]], object]
"""Called with the interpretation of a source, and one line per doubtful thing."""


@dataclass(frozen=True)
class Rejected:
    """An image that was left out.

    Attributes:
        file: Its name, as in the column ``file``.
        reason: Why, in a few words.
    """

    file: str
    reason: str


@dataclass(frozen=True)
class ImageData:
    """Images that all decode, divided.

    Attributes:
        splits: ``train``, ``validation``, ``test`` in this order. Columns: ``image``
            (``datasets.Image(decode=False)``: bytes and path), ``label`` (as ``kind`` stores
            it; a ``datasets.ClassLabel`` for one class an image), ``file`` (the name shown to
            people), ``group`` (only with a group column) and the other columns of the source.
        labels: Class names; the index is the id.
        rejected: What was left out.
        notes: One plain line per doubtful thing.
        fingerprint: Hash of the images, their names, labels and splits; not of where they lie.
        source: What was read.
        columns: By field of the recipe, which column of the source was taken; ``source`` where it
            was none.
        hashes: SHA-256 of each image's file, by split, in the order of the rows.
        kind: What a label is.
        reading: The interpretation of the source.
        decoder: How the files are decoded, here and wherever a model of these images is used.
        bit_depth_reason: Why at that bit depth.
    """

    splits: dict[str, datasets.Dataset]
    labels: list[str]
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fingerprint: str = ""
    source: str = ""
    columns: dict[str, Any] = field(default_factory=dict)
    hashes: dict[str, list[str]] = field(default_factory=dict)
    kind: LabelKind = KINDS["class"]
    reading: Reading | None = None
    decoder: Decoder = field(default_factory=Decoder)
    bit_depth_reason: str = ""

    def members(self, split: str) -> np.ndarray:
        """Count of each class in each image of a split, ``int [N, C]``."""
        return self.kind.members(self.splits[split]["label"], len(self.labels))

    def groups(self, split: str) -> list[Any] | None:
        """The group of each image of a split; None where the data names none."""
        return groups_of(self.splits[split])


@dataclass(frozen=True)
class LabelledImages:
    """Images that all decode, as one set.

    Attributes:
        images: With the columns that the splits of `ImageData` have.
        rejected: What was left out.
        notes: One plain line per doubtful thing.
        hashes: SHA-256 of each image's file, in the order of the rows.
        reading: The interpretation of the source.
    """

    images: datasets.Dataset
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    reading: Reading | None = None

    def select(self, rows: Sequence[int]) -> LabelledImages:
        """Only these images; what was left out and noted stays."""
        return replace(
            self,
            images=self.images.select(rows),
            hashes=[self.hashes[row] for row in rows],
        )


@damage_in_a_line
def load_data(
    source: str | Path | datasets.Dataset | datasets.DatasetDict,
    config: DataConfig,
    *,
    seed: int,
    kind: str | None = None,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    on_read: OnRead | None = None,
) -> ImageData:
    """Read, check and divide labelled images.

    Args:
        source: A folder of class folders (with or without split folders), a folder with
            ``metadata.csv`` or ``metadata.jsonl``, a folder with the annotations of COCO, Pascal
            VOC or YOLO, a CSV, JSON Lines or Parquet file that names or holds images, a zip of
            any of these, a dataset saved to disk, a dataset on the Hub (``user/name``), or a
            dataset in memory.
        config: Columns, sizes of the splits to be made, limits.
        seed: Of the splits to be made.
        kind: What the labels have to be, a key of :data:`hf_vft.data.label_types.KINDS`; None takes
            what is there.
        cache_dir: Where results of checking, and unpacked archives, are kept.
        progress: Called with the number of images checked and of all.
        on_read: Called with what the source was read as, before anything of it can be refused.

    Returns:
        The splits; what was left out; what deserves a look.

    Raises:
        DataError: One line, before any training: what is wrong with the data and what to do.
    """
    table = _without_unlabelled_splits(read_source(source, config, cache_dir, kind=kind))
    if on_read is not None:
        on_read(table.reading, table.notes)
    checks, rejected, usable_rows = _usable(table, config, cache_dir, progress)
    table = _cleaned(table, checks)
    classes = _classes(table)
    _refuse_losses(table, usable_rows, rejected)
    everything = _with_columns(table, classes, config)
    keys = [table.kind.key(table.labels[row]) for row in usable_rows]
    rows = Rows(
        members=table.kind.members(everything.select(usable_rows)["label"], len(classes)),
        classes=classes,
        labels=keys,
        hashes=[str(checks[row].sha256) for row in usable_rows],
        groups=[table.groups[row] for row in usable_rows] if table.groups is not None else None,
        splits=[table.splits[row] for row in usable_rows] if table.splits is not None else None,
    )
    divide = divide_good_parts if table.kind.learns_first_class else complete_splits
    splits, notes = divide(rows, config, seed)
    usable = [checks[row] for row in usable_rows]
    depth = settle_bit_depth(usable, config.bit_depth)
    notes += [*page_notes(usable), *depth.notes]
    rows_of = {
        split: [row for row, name in zip(usable_rows, splits, strict=True) if name == split]
        for split in SPLITS
    }
    return ImageData(
        splits={split: everything.select(chosen) for split, chosen in rows_of.items()},
        hashes={split: [str(checks[row].sha256) for row in rows_of[split]] for split in SPLITS},
        labels=classes,
        rejected=rejected,
        notes=[*table.notes, *_unseen_notes(table, classes), *notes],
        fingerprint=_fingerprint(
            [table.files[row] for row in usable_rows], rows.hashes, keys, splits
        ),
        source=describe_source(source),
        columns={
            f"{role}_column": table.columns.get(role, FROM_SOURCE)
            for role in ("image", "label", "split")
        }
        | {"label_columns": table.flags},
        kind=table.kind,
        reading=table.reading,
        decoder=replace(Decoder.of(config), bit_depth=depth.bits),
        bit_depth_reason=depth.reason,
    )


def load_labelled(
    source: str | Path | datasets.Dataset | datasets.DatasetDict,
    config: DataConfig,
    *,
    labels: Sequence[str],
    kind: str = "class",
    split: str | None = None,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    on_read: OnRead | None = None,
) -> LabelledImages:
    """Read and check labelled images to measure a model on; nothing is divided.

    Args:
        source: As for `load_data`.
        config: Columns and limits.
        labels: The model's class names; not every one has to be there.
        kind: What a label has to be.
        split: Only this one of the source; all images by default.
        cache_dir: Where results of checking, and unpacked archives, are kept.
        progress: Called with the number of images checked and of all.
        on_read: Called with what the source was read as, before anything of it can be refused.

    Raises:
        DataError: If no usable image of the model's classes is left.
    """
    table = _without_unlabelled_splits(read_source(source, config, cache_dir, kind=kind))
    if on_read is not None:
        on_read(table.reading, table.notes)
    if split is not None:
        rows = [row for row, name in enumerate(table.splits or ()) if name == split]
        if not rows:
            present = quoted(sorted(set(table.splits or ()))) or "none"
            raise DataError(f"{describe_source(source)}: no split {split!r}; there are {present}.")
        table = table.select(rows)
    checks, rejected, usable = _usable(table, config, cache_dir, progress)
    table = _cleaned(table, checks)
    if not usable:
        raise DataError(f"{describe_source(source)}: there is no usable image with a label.")
    usable, strange = _known_rows(table, usable, labels)
    if not usable:
        raise DataError(
            f"{describe_source(source)}: no label is a class of the model. {strange} It knows "
            f"{quoted(labels)}."
        )
    images = _with_columns(table, list(labels), config).select(usable)
    hashes = [str(checks[row].sha256) for row in usable]
    cut_off = above_notes([checks[row] for row in usable], Decoder.of(config).bit_depth)
    notes = [*table.notes, *cut_off, *([strange] if strange else [])]
    return LabelledImages(images, rejected, notes, hashes, table.reading)


def _usable(
    table: Table, config: DataConfig, cache_dir: Path | None, progress: Progress | None
) -> tuple[Sequence[DecodeCheck], list[Rejected], list[int]]:
    """What checking found, what is left out, and the rows that are kept, by name."""
    checks = verify_images(
        table.images, decoder=Decoder.of(config), cache_dir=cache_dir, progress=progress
    )
    rejected = _rejected(table, checks)
    if rejected and config.strict:
        raise DataError(
            f"{rejected[0].file}: {rejected[0].reason} ({len(rejected)} unusable in all); set "
            "data.strict to false to leave them out."
        )
    left_out = {item.file for item in rejected}
    usable = sorted(
        (row for row, file in enumerate(table.files) if file not in left_out),
        key=table.files.__getitem__,
    )
    return checks, rejected, usable


def _known_rows(table: Table, rows: Sequence[int], labels: Sequence[str]) -> tuple[list[int], str]:
    """The rows whose labels are classes of the model, and a sentence on those that are not."""
    vocabulary = read_vocabulary(_names(table, rows), labels)
    strange = vocabulary.kept_out | set(vocabulary.new)
    known = [row for row in rows if strange.isdisjoint(_names(table, [row]))]
    notes = [vocabulary.sentence()]
    if vocabulary.new:
        named = few([f"{quoted([name])} ({n:,})" for name, n in vocabulary.new.items()])
        notes.append(f"Left out as well, with classes that the model was not made for: {named}.")
    return known, " ".join(filter(None, notes))


def _classes(table: Table) -> list[str]:
    """Class names in the order of their ids."""
    if table.kind.learns_first_class and table.class_names is not None:
        return table.class_names  # what is to be found need not have been seen
    fewest = table.kind.fewest_classes
    return class_order(_names(table, range(len(table.files))), table.class_names, fewest=fewest)


def _names(table: Table, rows: Iterable[int]) -> Iterator[str]:
    """The class names in the labels of some rows, those without a label left out."""
    for row in rows:
        if table.labels[row] is not None:
            yield from table.kind.names(table.labels[row])


def _cleaned(table: Table, checks: Sequence[DecodeCheck]) -> Table:
    """The table with boxes that lie within their images, and notes on those that did not."""
    if table.kind.name != "boxes":
        return table
    sizes = [check.size for check in checks]
    labels, scaled = fit_declared(table.labels, sizes)
    labels, turned = turn_boxes(labels, sizes, [check.orientation for check in checks])
    refuse_format(labels, sizes)
    labels, notes = clean_objects(labels, sizes)
    return replace(table, labels=labels, notes=[*table.notes, *scaled, *turned, *notes])


def _unseen_notes(table: Table, classes: list[str]) -> list[str]:
    unseen = [name for name in table.class_names or () if name not in classes]
    return [f"Not used, because without images: classes {quoted(unseen)}."] if unseen else []


def _without_unlabelled_splits(table: Table) -> Table:
    """Leave out splits in which no image has a label, as challenges publish their test set."""
    if table.splits is None:
        return table
    labelled = {s for s, label in zip(table.splits, table.labels, strict=True) if label is not None}
    without = [split for split in SPLITS if split in set(table.splits) - labelled]
    if not without or not labelled:
        return table
    rows = [row for row, split in enumerate(table.splits) if split in labelled]
    return table.select(rows, f"Not used, because without labels: {' and '.join(without)}.")


def _refuse_losses(table: Table, usable: Sequence[int], rejected: Sequence[Rejected]) -> None:
    """Stop where leaving images out has emptied the data, a class or a split."""
    if not rejected:
        return
    example = f"the first, {rejected[0].file}: {rejected[0].reason}"
    if not usable:
        raise DataError(f"None of {counted(len(table.files), 'image')} is usable; {example}.")
    classes = table.labels if table.kind.exclusive else None
    for noun, column in (("class", classes), ("split", table.splits)):
        if column is None:
            continue
        lost = set(column) - {column[row] for row in usable} - {None}
        if lost:
            name = min(map(str, lost))
            file = next(i for i in rejected if column[table.files.index(i.file)] == name)
            raise DataError(
                f"No usable image is left of {noun} {name!r}, e.g. {file.file}: {file.reason}."
            )


def _rejected(table: Table, checks: Sequence[DecodeCheck]) -> list[Rejected]:
    rejected = []
    for file, label, check in zip(table.files, table.labels, checks, strict=True):
        if check.reason is not None:
            rejected.append(Rejected(file, check.reason))
        elif label is None:
            rejected.append(Rejected(file, "no label"))
    return sorted(rejected, key=lambda item: item.file)


def _with_columns(table: Table, classes: list[str], config: DataConfig) -> datasets.Dataset:
    """The images beside their columns; the images themselves are not copied.

    Raises:
        DataError: If a slice column is none of them: it plays another part, or holds no values.
    """
    for name in config.slice_columns:
        if name not in table.extras and (name != "group" or table.groups is None):
            raise DataError(
                f"data.slice_columns: {name!r} cannot be sliced by; choose from "
                f"{quoted(sorted(table.extras)) or 'no column: there is none'}."
            )
    ids = {name: number for number, name in enumerate(classes)}
    columns = {
        "file": table.files,
        **({"group": table.groups} if table.groups is not None else {}),
        **table.extras,
    }
    features = datasets.Dataset.from_dict(columns).features
    features = datasets.Features({"label": table.kind.feature(classes), **features})
    labels = [table.kind.encode(label, ids) for label in table.labels]
    beside = datasets.Dataset.from_dict({"label": labels, **columns}, features=features)
    return datasets.concatenate_datasets([table.images, beside], axis=1)


def _fingerprint(*columns: Sequence[str]) -> str:
    """A hash that does not depend on the order of the rows."""
    lines = sorted("\0".join(row) for row in zip(*columns, strict=True))
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
