"""Makes the splits that are missing, keeps those that exist, and checks every class in each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hf_vft.data.sources.table import SPLIT_NAMES
from hf_vft.data.stratify import divide, merge_units
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.text import counted, few, quoted

SPLITS = tuple(SPLIT_NAMES)
FEW = 10
"""Classes with fewer training images than this are pointed out."""


@dataclass(frozen=True)
class Rows:
    """The columns that the division uses; all sequences are of equal length.

    Attributes:
        members: How often an image is of each class, ``int [N, C]``.
        classes: Class names.
        labels: A text for each image that differs where labels do.
        hashes: Hash of each image's file.
        groups: The group of each image; None where it has none.
        splits: The split of each image; None when nothing is divided yet.
    """

    members: np.ndarray
    classes: Sequence[str]
    labels: Sequence[str]
    hashes: Sequence[str]
    groups: Sequence[str | None] | None = None
    splits: Sequence[str] | None = None

    @property
    def exclusive(self) -> bool:
        """Whether every image is of one class, so that classes stand or fall with images."""
        return bool((self.members.sum(axis=1) == 1).all())


def complete_splits(rows: Rows, config: DataConfig, seed: int) -> tuple[list[str], list[str]]:
    """The split of every row, with missing splits cut from the training images.

    Images with identical files are kept on one side, like groups. The sizes in ``config`` are
    shares of the images that are divided: of all, or of ``train`` where there is one.

    Returns:
        The split of each row, and one plain line per doubtful thing.

    Raises:
        DataError: If there are splits but no train, a class that train lacks, or one that has
            too few images or groups to be both learned and tested.
    """
    shares = shares_to_make(
        set(rows.splits or ()),
        validation_size=config.validation_size,
        test_size=config.test_size,
    )
    assigned = np.array(rows.splits or ["train"] * len(rows.labels), dtype="<U10")
    units = merge_units(rows.hashes, rows.groups or [None] * len(rows.hashes))
    counts = _unit_counts(rows.members, units)
    _refuse_indivisible(rows, counts, config.group_column if shares else None, bool(shares))
    notes = []
    if shares:
        pool = np.flatnonzero(assigned == "train")
        assigned[pool] = divide(rows.members[pool], units[pool], shares, seed)
        _refuse_empty(assigned, shares, config.group_column)
        notes.append(_made(shares, len(pool), len(rows.labels), config, seed))
    splits: list[str] = assigned.tolist()
    notes += _class_notes(rows, splits, counts, "group" if rows.groups else "image")
    notes += _leak_notes(rows, splits, config.group_column)
    return splits, notes


def shares_to_make(
    present: Iterable[str], *, validation_size: float, test_size: float
) -> dict[str, float]:
    """The splits that must be cut from the training images, and their sizes.

    Args:
        present: Splits that exist; empty when nothing is divided yet.
        validation_size: Share of the images that are divided.
        test_size: Share of the images that are divided.

    Returns:
        Name to share, of the splits to be made.

    Raises:
        DataError: If there are splits but no ``train``.
    """
    ordered = sorted(present, key=SPLITS.index)
    if ordered and "train" not in ordered:
        raise DataError(
            f"There is {' and '.join(ordered)} but no train to learn from: add it, or set "
            "data.split_column to 'none' to divide all images anew."
        )
    wanted = {"validation": validation_size, "test": test_size}
    return {name: share for name, share in wanted.items() if name not in ordered}


def _unit_counts(members: np.ndarray, units: np.ndarray) -> np.ndarray:
    """``int [C]``: how many different units hold a class."""
    return np.array([len(np.unique(units[column > 0])) for column in members.T])


def _refuse_indivisible(
    rows: Rows, counts: np.ndarray, group_column: str | None, dividing: bool
) -> None:
    """Stop at a class that cannot be on two sides; a rare label of many is only noted."""
    if not rows.exclusive:
        return
    sizes = (rows.members > 0).sum(axis=0)
    single = [name for name, size in zip(rows.classes, sizes, strict=True) if size == 1]
    if single:
        raise DataError(
            f"Only one image of {few([repr(name) for name in single])}: add images (three or "
            "more of each class) or remove the class."
        )
    for name, size, count in zip(rows.classes, sizes, counts, strict=True):
        if dividing and count == 1:
            why = f"in one group of {group_column!r}" if group_column else "copies of one image"
            raise DataError(
                f"All {size} images of class {name!r} are {why}, so it cannot be both learned "
                "and tested: add others or remove the class."
            )


def _refuse_empty(assigned: np.ndarray, shares: Iterable[str], group_column: str | None) -> None:
    """Stop where so little is there that a split got nothing."""
    empty = [split for split in shares if not (assigned == split).any()]
    if empty:
        what = f"groups of {group_column!r}" if group_column else "images"
        raise DataError(
            f"Too few {what} to cut {' and '.join(empty)} from the training images: each class "
            "needs three or more."
        )


def _made(shares: dict[str, float], pool: int, total: int, config: DataConfig, seed: int) -> str:
    """Says which splits were made, and how."""
    parts = " and ".join(f"{name} ({share:.0%})" for name, share in shares.items())
    of = "all images" if pool == total else "the training images"
    together = f", groups of {config.group_column!r} kept together" if config.group_column else ""
    return f"Cut from {of}: {parts}, stratified by label{together}, seed {seed}."


def _class_notes(rows: Rows, splits: Sequence[str], counts: np.ndarray, unit: str) -> list[str]:
    table = Counter(
        (int(label), splits[row]) for row, label in zip(*np.nonzero(rows.members), strict=True)
    )
    notes = []
    for split in SPLITS:
        missing = [c for c in range(len(rows.classes)) if table[c, split] == 0]
        if not missing:
            continue
        if split == "train":
            raise DataError(
                f"No image of {few([repr(rows.classes[c]) for c in missing])} is in train, so "
                "nothing can be learned about it: add some or remove the class."
            )
        listed = [f"{rows.classes[c]!r} ({counted(counts[c], unit)} in all)" for c in missing]
        notes.append(f"Not scored in {split}, because it has no images of them: {few(listed)}.")
    scarce = [c for c in range(len(rows.classes)) if table[c, "train"] < FEW]
    if scarce:
        listed = [f"{rows.classes[c]!r} ({table[c, 'train']})" for c in scarce]
        notes.append(f"Fewer than {FEW} images to learn from: {few(listed)}.")
    return notes


def _leak_notes(rows: Rows, splits: Sequence[str], group_column: str | None) -> list[str]:
    notes = []
    if rows.groups is not None:
        sides = _values_by_key(rows.groups, splits)
        shared = [group for group, values in sides.items() if len(values) > 1]
        if shared:
            notes.append(
                f"Leak: of {counted(len(sides), 'group')} of {group_column!r}, {len(shared)} in "
                f"more than one split, e.g. {shared[0]!r}, so scores will look too good; set "
                "data.split_column to 'none' to divide anew."
            )
        without = sum(group is None for group in rows.groups)
        if without:
            number = counted(without, "image")
            notes.append(f"Without {group_column!r}, so each a group of its own: {number}.")
    shared = [h for h, values in _values_by_key(rows.hashes, splits).items() if len(values) > 1]
    if shared:
        notes.append(
            f"Leak: {counted(len(shared), 'image')} in more than one split as identical files, "
            "so scores will look too good."
        )
    torn = [v for v in _values_by_key(rows.hashes, rows.labels).values() if len(v) > 1]
    if torn:
        notes.append(
            f"{counted(len(torn), 'image')} as identical files under different labels, e.g. "
            f"{quoted(sorted(torn[0]))}."
        )
    return notes


def _values_by_key(keys: Sequence[str | None], values: Sequence[str]) -> dict[str, set[str]]:
    by_key: dict[str, set[str]] = defaultdict(set)
    for key, value in zip(keys, values, strict=True):
        if key is not None:
            by_key[key].add(value)
    return by_key
