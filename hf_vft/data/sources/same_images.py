"""Folders that hold the same images more than once: folds of a cross-validation, variants."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from hf_vft.data.sources.folder_levels import FolderRow, Walk
from hf_vft.data.sources.folder_words import copied_from, is_variant, words_of
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.reading import Option, ask
from hf_vft.utils.text import few

_MOSTLY = 0.5
_COUNTER = re.compile(r"(?:img|image|frame|pic|photo|dsc|scan|slice|tile)?[ _-]?\d+", re.I)
"""Names that cameras and programs give to any image."""
_AUGMENTED = frozenset({"augmented", "aug", "augmentation", "augmentations"})
_Image = tuple[str, ...]


def refuse_folds(walk: Walk, listing: Listing) -> None:
    """Stop where an image is in training in one fold and is tested in another.

    Raises:
        AmbiguousSourceError: With the setting that reads one of the folds.
    """
    splits_of: dict[_Image, dict[str, str]] = defaultdict(dict)
    for row in walk.rows:
        if row.parts and row.split is not None:
            for image in _images(row, row.names, listing):
                splits_of[image][row.parts[-1]] = row.split
    torn = [image for image, splits in splits_of.items() if len(set(splits.values())) > 1]
    folds = sorted({fold for image in torn for fold in splits_of[image]})
    if len(torn) > _MOSTLY * len(splits_of):
        raise ask(
            listing.name,
            f"{folds[0]} and {folds[1]} hold the same images in different splits, as "
            "cross-validation does.",
            _leaving_one(folds),
        )


def refuse_variants(walk: Walk, listing: Listing) -> None:
    """Stop where folders such as ``color`` and ``grayscale`` hold the same images.

    Copies of an image that are divided between training and test make every score too good.

    Raises:
        AmbiguousSourceError: With the setting that reads one of the variants.
    """
    for level in range(len(walk.numbers)):
        rows = [row for row in walk.rows if len(row.names) > level and row.names[level]]
        variants = sorted({row.names[level] for row in rows})
        if len(variants) < 2 or not all(map(is_variant, variants)):
            continue
        held: dict[str, set[_Image]] = defaultdict(set)
        for row in rows:
            others = [name for at, name in enumerate(row.names) if at != level]
            held[row.names[level]] |= set(_images(row, [*others, row.split or ""], listing))
        common = set.intersection(*held.values())
        if len(common) > _MOSTLY * min(map(len, held.values())):
            raise ask(
                listing.name,
                f"{' and '.join(variants[:3])} hold the same images in other forms.",
                _leaving_one(variants),
            )


def refuse_copies(walk: Walk, listing: Listing) -> None:
    """Stop where a folder is called like a copy of the one beside it: ``cat - Copy``, ``cat (2)``.

    Raises:
        AmbiguousSourceError: With the setting that leaves the copies out.
    """
    for level in range(len(walk.numbers)):
        names = {row.names[level] for row in walk.rows if len(row.names) > level}
        copies = sorted(name for name in names if copied_from(name) in names)
        if copies:
            raise ask(
                listing.name,
                f"{few(copies, 3)} {'is' if len(copies) == 1 else 'are'} called like a copy of "
                f"{copied_from(copies[0])}.",
                [
                    Option("without copies", f"data.leave_out=[{','.join(copies)}]"),
                    Option("classes of their own", "data.leave_out=[]"),
                ],
            )


def refuse_augmented(listing: Listing) -> None:
    """Stop where a folder is called like altered copies of the images beside it.

    Raises:
        AmbiguousSourceError: With the setting that leaves the copies out.
    """
    inside: dict[str, set[str]] = defaultdict(set)
    for folder in listing.by_folder:
        parts = folder.split("/") if folder else []
        for depth, name in enumerate(parts):
            inside["/".join(parts[:depth])].add(name)
    for names in inside.values():
        for name in sorted(names):
            words = words_of(name)
            rest = [word for word in words if word not in _AUGMENTED]
            of = [other for other in names if other != name and _plain(other) == rest]
            if len(rest) < len(words) and of:
                raise ask(
                    listing.name,
                    f"{name} is called like altered copies of the images of {min(of)}, which would "
                    "be learned from and tested on.",
                    [
                        Option("without the copies", f"data.leave_out=[{name}]"),
                        Option("all together", "data.leave_out=[]"),
                    ],
                )


def same_names_notes(walk: Walk, level: int, listing: Listing) -> list[str]:
    """That the images of a class are called alike in several outer folders, in a sentence."""
    if not level:
        return []
    outer_of: dict[_Image, set[str]] = defaultdict(set)
    for row in walk.rows:
        if len(row.names) > level and row.names[level - 1]:
            for image in _images(row, [row.names[level], row.split or ""], listing):
                outer_of[image].add(row.names[level - 1])
    named = [outers for image, outers in outer_of.items() if not _COUNTER.fullmatch(image[-1])]
    several = [outers for outers in named if len(outers) > 1]
    if not several or len(several) < _MOSTLY * len(outer_of):
        return []
    return [
        f"Images of one class are called alike in {few(sorted(several[0]), 3)}: where they show "
        "the same things in other forms, each is learned from and tested on; leave some out with "
        "data.leave_out, or keep them together with data.group_column."
    ]


def _plain(name: str) -> list[str]:
    return [word for word in words_of(name) if word not in ("original", "originals", "raw")]


def _images(row: FolderRow, names: Iterable[str], listing: Listing) -> list[_Image]:
    files = listing.by_folder.get(row.folder, [])
    return [(*names, posixpath.splitext(posixpath.basename(file))[0]) for file in files]


def _leaving_one(folders: Sequence[str]) -> list[Option]:
    return [
        Option(f"{folder} alone", f"data.leave_out=[{','.join(f for f in folders if f != folder)}]")
        for folder in folders[:4]
    ]
