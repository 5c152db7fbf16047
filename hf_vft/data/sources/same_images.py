"""Folders that hold the same images more than once: folds of a cross-validation, variants."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Sequence

from hf_vft.data.sources.folder_levels import FolderRow, Walk
from hf_vft.data.sources.folder_words import copied_from, is_variant
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.reading import Option, ask
from hf_vft.utils.text import few

_MOSTLY = 0.5
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


def _images(row: FolderRow, names: Iterable[str], listing: Listing) -> list[_Image]:
    files = listing.by_folder.get(row.folder, [])
    return [(*names, posixpath.splitext(posixpath.basename(file))[0]) for file in files]


def _leaving_one(folders: Sequence[str]) -> list[Option]:
    return [
        Option(f"{folder} alone", f"data.leave_out=[{','.join(f for f in folders if f != folder)}]")
        for folder in folders[:4]
    ]
