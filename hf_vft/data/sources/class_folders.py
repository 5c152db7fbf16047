"""Decides what each level of a tree of folders means: split, class, or neither."""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hf_vft.data.sources.folder_levels import FolderRow, Walk, through_levels
from hf_vft.data.sources.folder_words import is_container, is_part, is_unit, split_in_words
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.reading import Guess, LeftOut, Option, ask, refuse
from hf_vft.data.sources.same_images import (
    refuse_augmented,
    refuse_copies,
    refuse_folds,
    refuse_variants,
    same_names_notes,
)
from hf_vft.data.sources.set_aside import MASKS_OR_ANNOTATIONS, SetAside, set_aside
from hf_vft.data.sources.table import SPLIT_NAMES
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.text import counted, few

_WORD_AND_NUMBER = re.compile(r"([^\W\d]*[^\W\d_])[ ._(-]*\d")
_REPEATS = 0.5
"""From this share of inner names under several outer folders on, the inner ones are classes."""


@dataclass(frozen=True)
class Place:
    """The split and the class of the images of one folder.

    Attributes:
        folder: From the root.
        label: Their class.
        split: Their split; None where nothing is divided.
        outer: The name of a level outside of the class, such as a site; None where there is none.
    """

    folder: str
    label: str
    split: str | None = None
    outer: str | None = None


@dataclass(frozen=True)
class FolderPlan:
    """The plan by which a tree of folders is read.

    Attributes:
        places: Every folder whose files are read.
        labels: Which level names the classes, in words.
        splits: The folders that divide the data; empty where there are none.
        skipped: Files in those folders that are not read.
        left_out: What else is not read.
        guesses: What was concluded from evidence.
        notes: One line per doubtful thing.
    """

    places: tuple[Place, ...]
    labels: str
    splits: str = ""
    skipped: frozenset[str] = frozenset()
    left_out: tuple[LeftOut, ...] = ()
    guesses: tuple[Guess, ...] = ()
    notes: tuple[str, ...] = ()


def decide_folders(listing: Listing, config: DataConfig) -> FolderPlan:
    """Find the level of the classes and that of the splits.

    Of levels within each other, the inner one holds the classes where its names repeat below
    several outer folders, and the outer one where they do not. Splits are taken at any level.
    Folders of masks and annotations, without an image, or with the whole data once more, parts,
    dates and folds are no classes.

    Raises:
        AmbiguousSourceError: If two levels could be the classes.
        DataError: If no level names classes.
    """
    aside = set_aside(listing, config)
    walk = through_levels(aside, listing, strict=False)
    if config.class_level is not None and config.class_level not in walk.numbers:
        walk = through_levels(aside, listing, strict=True)
    refuse_folds(walk, listing)
    refuse_variants(walk, listing)
    if config.leave_out is None:
        refuse_copies(walk, listing)
        refuse_augmented(listing)
    level, reason = _class_level(walk, listing, aside, config)
    if config.leave_out is None and config.split_column == "auto":
        _refuse_lone_split(walk, level, listing)
    return _planned(walk, level, reason, listing, aside)


def places_of(listing: Listing) -> dict[str, tuple[str, str | None]]:
    """Class and split of each folder of images, nothing left out; the class may be empty.

    Raises:
        DataError: If two folders are the same split, or two levels could be the classes.
    """
    config = DataConfig(leave_out=[])
    aside = set_aside(listing, config)
    walk = through_levels(aside, listing, strict=False)
    level = _class_level(walk, listing, aside, config)[0] if walk.numbers else 0
    return {
        row.folder: (row.names[level] if len(row.names) > level else "", row.split)
        for row in walk.rows
    }


def _class_level(
    walk: Walk, listing: Listing, aside: SetAside, config: DataConfig
) -> tuple[int, str]:
    """Which of the named levels holds the classes, counted from 0, and why in a sentence."""
    depth = len(walk.numbers)
    if not depth:
        raise refuse(listing.name, _no_classes(walk, aside) + _told_by_names(listing))
    if config.class_level is not None:
        if config.class_level not in walk.numbers:
            levels = ", ".join(map(str, walk.numbers))
            raise refuse(
                listing.name,
                f"data.class_level: no level {config.class_level}; there are {levels}.",
            )
        return walk.numbers.index(config.class_level), ""
    level, initials = 0, False
    for inner in range(1, depth):
        initials = _are_initials(walk.rows, inner - 1)
        wraps = initials or _are_units(walk.rows, inner - 1)
        share = 1.0 if wraps else _repeats(walk.rows, inner)
        if share >= _REPEATS:
            level = inner
        elif share > 0:
            raise ask(
                listing.name,
                "the names of the classes could be the outer or the inner folders.",
                [_option(walk, inner - 1), _option(walk, inner)],
            )
    if depth == 1:
        return 0, ""
    if 0 < level < depth - 1 and _are_kinds(walk.rows, level + 1):
        raise ask(
            listing.name,
            "folders lie in three levels, and each of the inner two could name the classes.",
            [_option(walk, level), _option(walk, level + 1)],
        )
    outer, inner_names = _examples(walk.rows, 0), _examples(walk.rows, depth - 1)
    if initials and level == depth - 1:
        return level, f"Folders of first letters ({outer}) hold others ({inner_names})"
    why = "the inner names repeat" if level else "the inner names do not repeat like classes"
    return level, f"Folders lie within folders ({outer} over {inner_names}), and {why}"


def _repeats(rows: Sequence[FolderRow], level: int) -> float:
    """The share of the names of a level that lie below several different outer folders.

    Parts, days and numbered patients, cameras or clips never count; mere numbers are sequences,
    unless the outer folders are numbered as well, as people or places are (``writer_1/7``), and
    there are more of those.
    """
    below: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        name = row.names[level] if len(row.names) > level else ""
        if name and not is_part(name) and not is_unit(name):
            below[row.names[level]].add(row.names[level - 1])
    if len(below) < 2:
        return 0.0
    outer = {name for names in below.values() for name in names}
    more = all(name.isdigit() for name in outer) and len(outer) > len(below)
    if all(name.isdigit() for name in below) and not (_are_numbered(outer) or more):
        return 0.0
    return sum(len(outers) > 1 for outers in below.values()) / len(below)


def _are_units(rows: Sequence[FolderRow], level: int) -> bool:
    """Whether a level names numbered patients, cameras or clips, and the next one does not."""
    outer = {row.names[level] for row in rows if len(row.names) > level + 1}
    inner = {row.names[level + 1] for row in rows if len(row.names) > level + 1}
    return len(inner) > 1 and all(map(is_unit, outer)) and not any(map(is_unit, inner))


def _refuse_lone_split(walk: Walk, level: int, listing: Listing) -> None:
    """Stop where one of the folders around the classes is called like a split, and none train."""
    if not level or walk.split_names:
        return
    classes: dict[str, set[str]] = defaultdict(set)
    for row in walk.rows:
        if len(row.names) > level:
            classes[row.names[level - 1]].add(row.names[level])
    split_of = {name: split_in_words(name) for name in classes}
    lone = sorted(name for name, split in split_of.items() if split and split[0] != "train")
    if len(lone) != 1 or len(classes) != 2 or any(f and f[0] == "train" for f in split_of.values()):
        return
    [other] = set(classes) - set(lone)
    if len(classes[lone[0]] & classes[other]) < 2:
        return
    raise ask(
        listing.name,
        f"{lone[0]} is called like images that are held out, but {other} not like those to learn "
        "from; rename them train and test, or do without the division.",
        [
            Option(f"{other} alone", f"data.leave_out=[{lone[0]}]"),
            Option("both together, divided anew", "data.split_column=none"),
        ],
    )


def _are_initials(rows: Sequence[FolderRow], level: int) -> bool:
    """Whether a level only sorts the next one by its first letter: ``a/abbey``, ``b/beach``."""
    pairs = {tuple(row.names[level : level + 2]) for row in rows if len(row.names) > level + 1}
    return len(pairs) > 1 and all(
        len(outer) == 1 and inner[:1].casefold() == outer.casefold() for outer, inner in pairs
    )


def _are_kinds(rows: Sequence[FolderRow], level: int) -> bool:
    """Whether the names of a level are words, several in most outer folders, and no numbers."""
    below: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in rows:
        if len(row.names) > level and row.names[level]:
            below[tuple(row.names[:level])].add(row.names[level])
    names = set().union(*below.values())
    words = [name for name in names if not any(map(str.isdigit, name))]
    return len(names) > 1 and len(words) == len(names) and not any(map(is_part, names))


def _are_numbered(names: Collection[str]) -> bool:
    """Whether names are one word with different numbers behind it."""
    stems = {name.rstrip("0123456789") for name in names}
    return len(stems) == 1 and stems != {""} and len(names) > 1


def _option(walk: Walk, level: int) -> Option:
    return Option(
        f"classes {_examples(walk.rows, level)}", f"data.class_level={walk.numbers[level]}"
    )


def _examples(rows: Sequence[FolderRow], level: int) -> str:
    names = dict.fromkeys(row.names[level] for row in rows if len(row.names) > level)
    return few([name for name in names if name], 3)


def _no_classes(walk: Walk, aside: SetAside) -> str:
    masks = [part.what for part in aside.left_out if part.reason == MASKS_OR_ANNOTATIONS]
    if masks:
        return (
            f"it holds images and, in {few(masks, 3)}, masks or annotations of the same images, "
            "but nothing that names a class: give class folders, boxes, or a table that names the "
            "images."
        )
    if walk.stripped:
        return (
            f"no folder names a class: {few(walk.stripped, 4)} hold images, parts or copies; give "
            "a table that names the images, one folder per class, or --set data.class_level=1 if "
            "these are the classes."
        )
    if walk.split_names:
        verb = "is a split, but holds" if len(walk.split_names) == 1 else "are splits, but hold"
        return (
            f"{few(walk.split_names, 4)} {verb} no class folders: give one folder per class in "
            "each, or a table that names the images."
        )
    return "it holds no images in class folders (one folder per class)."


def _told_by_names(listing: Listing) -> str:
    """A hint where images are called ``cat.0.jpg`` and ``dog_1.jpg``; empty where they are not."""
    stems = [posixpath.splitext(posixpath.basename(image))[0] for image in listing.images]
    words = [match[1].casefold() for stem in stems if (match := _WORD_AND_NUMBER.match(stem))]
    counts = Counter(words)
    repeated = sorted(word for word, number in counts.items() if number > 2)
    several = len(repeated) > 1 and not any(map(is_container, repeated))
    if not several or sum(counts[word] for word in repeated) * 2 < len(stems):
        return ""
    return (
        f" The images are called {few(repeated, 3)} with a number: if these are the classes, write "
        "a labels.csv with the columns file_name and label."
    )


def _planned(walk: Walk, level: int, reason: str, listing: Listing, aside: SetAside) -> FolderPlan:
    places: list[Place] = []
    strays: dict[str, int] = defaultdict(int)
    outer_level = level - 1 if level else None
    for row in walk.rows:
        label = row.names[level] if len(row.names) > level else ""
        if not label:
            strays[row.folder] += row.images
            continue
        outer = row.names[outer_level] if outer_level is not None else None
        places.append(Place(row.folder, label, row.split, outer))
    left_out = [*aside.left_out, *walk.left_out]
    left_out += [
        LeftOut(folder or "beside the folders", "without a class", n)
        for folder, n in sorted(strays.items())
        if n
    ]
    notes = [*aside.notes, *walk.notes, *_stray_notes(strays, listing, aside)]
    notes += same_names_notes(walk, level, listing)
    guesses = []
    if reason:
        guesses.append(Guess("data.class_level", walk.numbers[level], reason))
        depth = len(walk.numbers)
        notes.append(
            f"{reason}: the {'inner' if level else 'outer'} ones are the classes; set "
            f"data.class_level={walk.numbers[0 if level else depth - 1]} for the others."
        )
    kept_splits = _split_folders(walk.split_names, places)
    return FolderPlan(
        tuple(places),
        f"the {_which(level, len(walk.numbers), bool(walk.split_names))}folder names",
        ", ".join(kept_splits),
        aside.skipped,
        tuple(left_out),
        tuple(guesses),
        tuple(notes),
    )


def _split_folders(names: Sequence[str], places: Sequence[Place]) -> list[str]:
    """The folders that divide what is read, in the order of the splits."""
    order = {split: at for at, split in enumerate(SPLIT_NAMES)}
    split_of = {part: p.split for p in places if p.split for part in p.folder.split("/")}
    present = [name for name in names if name in split_of]
    return sorted(present, key=lambda name: (order[str(split_of[name])], name))


def _stray_notes(strays: dict[str, int], listing: Listing, aside: SetAside) -> list[str]:
    number = sum(strays.values())
    if not number:
        return []
    first = next(file for folder in sorted(strays) for file in aside.files_of(listing, folder))
    return [f"Not used, because in no class folder: {counted(number, 'image')}, e.g. {first}."]


def _which(level: int, depth: int, divided: bool) -> str:
    if depth > 1:
        return "inner " if level else "outer "
    return "inner " if divided else ""
