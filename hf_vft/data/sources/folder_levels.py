"""Goes through the levels of a tree of folders and gives each its meaning."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from hf_vft.data.sources.folder_words import is_container, is_part, split_in_words
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.reading import LeftOut
from hf_vft.data.sources.set_aside import SetAside
from hf_vft.data.sources.split_levels import SplitLevel, split_level


@dataclass
class FolderRow:
    """A folder of images on its way through the levels.

    Attributes:
        folder: From the root.
        images: How many it holds.
        rest: The levels that have no meaning yet, from the outermost.
        names: What it is called on each named level; empty where it has no such level.
        split: Its split.
        last: The level outside of ``rest``.
        parts: Folders around it that only number parts or folds.
    """

    folder: str
    images: int
    rest: tuple[str, ...]
    names: list[str] = field(default_factory=list)
    split: str | None = None
    last: str = ""
    parts: list[str] = field(default_factory=list)


@dataclass
class Walk:
    """The meaning of the folder levels as determined so far.

    Attributes:
        rows: The folders of images.
        split_names: The folders that are splits.
        numbers: Of each named level, which one it is of those that are no split, from 1.
        left_out: What is not read.
        notes: One line per doubtful thing.
        stripped: Folders that say nothing about their images.
    """

    rows: list[FolderRow]
    split_names: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stripped: list[str] = field(default_factory=list)


def _row(folder: str, images: int) -> FolderRow:
    """Names are in one spelling of accents, which disks of a Mac and others differ in."""
    parts = unicodedata.normalize("NFC", folder).split("/") if folder else ()
    return FolderRow(folder, images, tuple(parts))


def through_levels(aside: SetAside, listing: Listing, *, strict: bool) -> Walk:
    """Give every level of folders, from the outermost inwards, its meaning.

    Args:
        aside: The folders that are read.
        listing: All of them.
        strict: Whether folders called ``images`` or ``part_1`` may name classes as well.
    """
    walk = Walk([_row(folder, n) for folder, n in sorted(aside.images.items())])
    number = 0
    while going := [row for row in walk.rows if row.rest]:
        names = Counter(row.rest[0] for row in going)
        deeper = {row.rest[0] for row in going if len(row.rest) > 1}
        division = split_level(list(names), deeper, listing.name)
        if division is not None and all(row.split is None for row in going):
            _divide(walk, going, division)
            continue
        bare = _splits_without_classes(going)
        if bare:
            for row in going:
                if row.split in bare:
                    row.last, row.rest = row.rest[0], row.rest[1:]
            continue
        number += len(names) > 1
        if _says_nothing(going, deeper, strict=strict):
            walk.stripped += [name for name in names if name not in walk.stripped]
            for row in going:
                row.parts += [row.rest[0]] if is_part(row.rest[0]) else []
                row.last, row.rest = row.rest[0], row.rest[1:]
            continue
        walk.numbers.append(number)
        depth = len(walk.numbers)
        for row in going:
            row.names += [""] * (depth - 1 - len(row.names)) + [row.rest[0]]
            row.last, row.rest = row.rest[0], row.rest[1:]
    _forget_constants(walk)
    return walk


def _forget_constants(walk: Walk) -> None:
    """Take out named levels that have one name alone, now that folders beside it are left out."""
    for level in reversed(range(len(walk.numbers))):
        names = {row.names[level] for row in walk.rows if len(row.names) > level}
        others = [at for at in range(len(walk.numbers)) if at != level]
        several = any(
            len({r.names[at] for r in walk.rows if len(r.names) > at}) > 1 for at in others
        )
        if len(names) == 1 and several:
            del walk.numbers[level]
            for row in walk.rows:
                del row.names[level : level + 1]


def _divide(walk: Walk, going: Sequence[FolderRow], division: SplitLevel) -> None:
    others: dict[str, int] = defaultdict(int)
    for row in going:
        name = row.rest[0]
        if name not in division.splits:
            others[name] += row.images
            continue
        row.split = division.splits[name]
        if division.classes:
            row.names.append(division.classes[name])
        if name not in walk.split_names:
            walk.split_names.append(name)
        row.last, row.rest = name, row.rest[1:]
    walk.rows = [row for row in walk.rows if not row.rest or row.split is not None]
    if division.classes:
        walk.numbers.append(1)
    if others:
        walk.notes.append(
            f"Not used, because they are not splits: folders {', '.join(sorted(others))}."
        )
        walk.left_out += [LeftOut(name, "no split", n) for name, n in sorted(others.items())]


def _splits_without_classes(going: Sequence[FolderRow]) -> set[str | None]:
    """The splits that only have a folder ``images`` where others have classes on this level."""
    names = _held(going)
    bare = {split for split, held in names.items() if all(map(is_container, held))}
    return bare if len(bare) < len(names) else set()


def _says_nothing(going: Sequence[FolderRow], deeper: set[str], *, strict: bool) -> bool:
    """Whether a level only wraps, holds or numbers what is inside of it."""
    names = {row.rest[0] for row in going}
    if len(names) == 1 and (deeper or any(row.names for row in going)):
        return True
    if strict:
        return False
    alone = {split for split, held in _held(going).items() if split and len(held) == 1}
    return all(
        is_container(row.rest[0])
        or is_part(row.rest[0])
        or row.rest[0] == row.last
        or (row.split in alone and _is_only_split(row.rest[0]))
        for row in going
    )


def _held(going: Sequence[FolderRow]) -> dict[str | None, set[str]]:
    """The names on the outermost level that is left, of each split."""
    names: dict[str | None, set[str]] = defaultdict(set)
    for row in going:
        names[row.split].add(row.rest[0])
    return names


def _is_only_split(name: str) -> bool:
    """Whether a folder says no more than a split, as the inner one of ``Train_Set/Training``."""
    told = split_in_words(name)
    return told is not None and (told[1] in ("", "set") or is_container(told[1]))
