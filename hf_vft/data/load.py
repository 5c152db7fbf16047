"""The one way from a source of labelled pictures to checked, divided datasets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import datasets
import numpy as np

from hf_vft.data.labels import class_order
from hf_vft.data.sources import describe_source, read_source
from hf_vft.data.splits import SPLITS, divide, merge_units, shares_to_make
from hf_vft.data.table import Table
from hf_vft.data.verify import Check, Progress, verify_images
from hf_vft.errors import DataError
from hf_vft.recipe import DataConfig


@dataclass(frozen=True)
class Rejected:
    """A picture that was left out.

    Attributes:
        file: Its name, as in the column ``file``.
        reason: Why, in a few words.
    """

    file: str
    reason: str


@dataclass(frozen=True)
class ImageData:
    """Pictures that all decode, divided.

    Attributes:
        splits: ``train``, ``validation``, ``test`` in this order. Columns: ``image``
            (``datasets.Image(decode=False)``: bytes and path), ``label``
            (``datasets.ClassLabel``), ``file`` (the name shown to people), ``group`` (only with
            a group column) and the other columns of the source.
        labels: Class names; the index is the id.
        rejected: What was left out.
        notes: One plain line per doubtful thing.
        fingerprint: Hash of the pictures, their names, labels and splits; not of where they lie.
        source: What was read.
    """

    splits: dict[str, datasets.Dataset]
    labels: list[str]
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fingerprint: str = ""
    source: str = ""


def load_data(
    source: str | Path | datasets.Dataset | datasets.DatasetDict,
    config: DataConfig,
    *,
    seed: int,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> ImageData:
    """Read, check and divide labelled pictures.

    Args:
        source: A folder of class folders (with or without split folders), a folder with
            ``metadata.csv`` or ``metadata.jsonl``, a CSV, JSON Lines or Parquet file that names
            or holds pictures, a zip of any of these, a dataset saved to disk, a dataset on the
            Hub (``user/name``), or a dataset in memory.
        config: Columns, sizes of the splits to be made, limits.
        seed: Of the splits to be made.
        cache_dir: Where results of checking, and unpacked archives, are kept.
        progress: Called with the number of pictures checked and of all.

    Returns:
        The splits; what was left out; what deserves a look.

    Raises:
        DataError: One line, before any training: what is wrong with the data and what to do.
    """
    table = read_source(source, config, cache_dir)
    checks = verify_images(
        table.images, max_pixels=config.max_pixels, cache_dir=cache_dir, progress=progress
    )
    rejected = _rejected(table, checks)
    if rejected and config.strict:
        raise DataError(
            f"{rejected[0].file}: {rejected[0].reason}. {len(rejected)} unusable in all; set "
            "data.strict to false to leave them out."
        )
    left_out = {item.file for item in rejected}
    rows = sorted(
        (row for row, file in enumerate(table.files) if file not in left_out),
        key=table.files.__getitem__,
    )
    if not rows:
        raise DataError(
            f"None of the {len(table.files)} pictures is usable; the first, {rejected[0].file}: "
            f"{rejected[0].reason}."
        )
    classes = class_order((str(table.labels[row]) for row in rows), table.class_names)
    labels = np.array([classes.index(str(table.labels[row])) for row in rows])
    hashes = [str(checks[row].sha256) for row in rows]
    groups = [table.groups[row] for row in rows] if table.groups else [None] * len(rows)
    present = [table.splits[row] for row in rows] if table.splits else ["train"] * len(rows)
    assigned, notes = _complete(labels, groups, hashes, present, config, seed)
    everything = _with_columns(table, classes)
    return ImageData(
        splits={
            name: everything.select(
                [row for row, s in zip(rows, assigned, strict=True) if s == name]
            )
            for name in SPLITS
        },
        labels=classes,
        rejected=rejected,
        notes=table.notes + notes,
        fingerprint=_fingerprint(table, rows, hashes, assigned),
        source=describe_source(source),
    )


def _complete(
    labels: np.ndarray,
    groups: Sequence[str | None],
    hashes: Sequence[str],
    present: Sequence[str],
    config: DataConfig,
    seed: int,
) -> tuple[list[str], list[str]]:
    shares = shares_to_make(
        sorted(set(present), key=SPLITS.index) if set(present) != {"train"} else ["train"],
        validation_size=config.validation_size,
        test_size=config.test_size,
    )
    assigned = np.array(present, dtype="<U10")
    notes = []
    if shares:
        pool = np.flatnonzero(assigned == "train").tolist()
        units = merge_units([groups[i] for i in pool], [hashes[i] for i in pool])
        assigned[pool] = divide(labels[pool], units, shares, seed)
        notes.append(f"Made from the training pictures: {', '.join(shares)}.")
    return assigned.tolist(), notes


def _rejected(table: Table, checks: Sequence[Check]) -> list[Rejected]:
    found = []
    for file, label, check in zip(table.files, table.labels, checks, strict=True):
        if check.reason is not None:
            found.append(Rejected(file, check.reason))
        elif label is None:
            found.append(Rejected(file, "no label"))
    return sorted(found, key=lambda item: item.file)


def _with_columns(table: Table, classes: list[str]) -> datasets.Dataset:
    """The pictures beside their columns; the pictures themselves are not copied."""
    ids = {name: number for number, name in enumerate(classes)}
    columns = {
        "label": [ids.get(str(label)) for label in table.labels],
        "file": table.files,
        **({"group": table.groups} if table.groups is not None else {}),
        **table.extras,
    }
    beside = datasets.Dataset.from_dict(columns)
    features = beside.features
    features["label"] = datasets.ClassLabel(names=classes)
    beside = datasets.Dataset.from_dict(columns, features=features)
    return datasets.concatenate_datasets([table.images, beside], axis=1)


def _fingerprint(
    table: Table, rows: Sequence[int], hashes: Sequence[str], splits: Sequence[str]
) -> str:
    lines = sorted(
        "\0".join((table.files[row], digest, str(table.labels[row]), split))
        for row, digest, split in zip(rows, hashes, splits, strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
