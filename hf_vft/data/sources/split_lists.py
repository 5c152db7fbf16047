"""Text files that only tell the split of each image: ``train.txt`` and ``test.txt``."""

from __future__ import annotations

import posixpath
from collections import Counter
from dataclasses import dataclass, replace

from hf_vft.data.sources.encoding import read_text
from hf_vft.data.sources.folder_words import split_in_words, words_of
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.reading import Guess, LeftOut
from hf_vft.data.sources.split_tables import find_split_table
from hf_vft.data.sources.table import SPLIT_NAMES, Table, canonical_split
from hf_vft.errors import DataError

_MOST_FILES, _DEEPEST, _SAMPLE = 24, 3, 30
_CUB = ("images.txt", "train_test_split.txt")


@dataclass(frozen=True)
class SplitLists:
    """The splits that the lists of a folder define.

    Attributes:
        files: The lists.
        splits: The split of each image that one of them names, from the root.
    """

    files: tuple[str, ...]
    splits: dict[str, str]


def divided_by_lists(table: Table, listing: Listing) -> Table:
    """A table that is not divided, with the splits of the lists beside its images.

    Images that no list names are left out. Where two lists name the same image, none is followed,
    and that is said.
    """
    lists = find_split_lists(listing)
    if lists is None or table.splits is not None or table.reading is None:
        return table
    names = ", ".join(map(posixpath.basename, lists.files))
    if not lists.splits:
        note = f"Not followed, because several of them name the same image: the lists {names}."
        return replace(table, notes=[*table.notes, note])
    at = {str(listing.path(image)): split for image, split in lists.splits.items()}
    splits = [at.get(row["path"] or "") for row in table.images["image"][:]]
    rows = [row for row, split in enumerate(splits) if split is not None]
    if len(set(splits) - {None}) < 2:
        return table
    left_out = table.reading.left_out
    if len(rows) < len(splits):
        left_out = (*left_out, LeftOut("images", f"in none of {names}", len(splits) - len(rows)))
    several = len(lists.files) > 1
    divide = f"lists {names} divide" if several else f"list {names} divides"
    reason = f"The {divide} the images"
    reading = replace(
        table.reading,
        splits=names,
        left_out=left_out,
        guesses=(*table.reading.guesses, Guess("data.split_column", "source", reason)),
    )
    divided = replace(table.select(rows), reading=reading)
    return replace(divided, splits=[str(splits[row]) for row in rows])


def find_split_lists(listing: Listing) -> SplitLists | None:
    """The lists of a folder that divide its images; None where there are none."""
    table = find_split_table(listing)
    if table is not None:
        return SplitLists((table[0],), table[1])
    return _numbered(listing) or _by_names(listing)


def _by_names(listing: Listing) -> SplitLists | None:
    """Lists that are called as the splits are."""
    named: dict[str, list[str]] = {}
    for file in listing.ending(".txt"):
        split = _split_told(posixpath.splitext(posixpath.basename(file))[0])
        if split is not None and file.count("/") <= _DEEPEST:
            named.setdefault(split, []).append(file)
    if "train" not in named and "trainval" in named:
        named["train"] = named.pop("trainval")
    named.pop("trainval", None)
    if "train" not in named or len(named) < 2 or sum(map(len, named.values())) > _MOST_FILES:
        return None
    files: list[str] = []
    lists: dict[str, list[str]] = {}
    for split, candidates in sorted(
        named.items(), key=lambda item: list(SPLIT_NAMES).index(item[0])
    ):
        for file in candidates:
            images = _images(listing, file)
            if images:
                files.append(file)
                lists.setdefault(split, []).extend(images)
    if "train" not in lists or len(lists) < 2:
        return None
    splits = {image: split for split, images in lists.items() for image in images}
    twice = Counter(image for images in lists.values() for image in set(images)).most_common(1)
    return SplitLists(tuple(files), {} if twice[0][1] > 1 else splits)


def _split_told(stem: str) -> str | None:
    """The split in the name of a list; ``trainval`` for one of both."""
    words = split_in_words(stem)
    if words is not None and stem != "trainval":
        return words[0]
    splits = {canonical_split(word) for word in words_of(stem)} - {None}
    return "trainval" if splits == {"train", "validation"} or stem == "trainval" else None


def _images(listing: Listing, file: str) -> list[str]:
    """The images that a list names; none where most of its lines name none."""
    try:
        lines = read_text(listing.path(file), shown=file).text.splitlines()
    except DataError:
        return []
    lines = [line.strip() for line in lines if line.strip()]
    folder = posixpath.dirname(file)
    if sum(_image(listing, line, folder) is not None for line in lines[:_SAMPLE]) * 2 < len(
        lines[:_SAMPLE]
    ):
        return []
    files = (_image(listing, line, folder) for line in lines)
    return [image for image in files if image is not None]


def _image(listing: Listing, line: str, folder: str) -> str | None:
    """The image of a line, which may go on with a label."""
    file = listing.find(line, folder).file
    if file is None and (" " in line or "\t" in line or "," in line):
        first = line.replace(",", " ").split()[0]
        file = listing.find(first, folder).file
    return file


def _numbered(listing: Listing) -> SplitLists | None:
    """``images.txt`` and ``train_test_split.txt`` of CUB: numbers of images, 1 for training."""
    folders = {posixpath.dirname(f) for f in listing.files if posixpath.basename(f) == _CUB[1]}
    if len(folders) != 1:
        return None
    names, flags = (posixpath.join(*folders, name) for name in _CUB)
    if names not in listing.files:
        return None
    pairs = [
        [line.split(maxsplit=1) for line in read_text(listing.path(f), shown=f).text.splitlines()]
        for f in (names, flags)
    ]
    if any(len(pair) != 2 for held in pairs for pair in held if pair):
        return None
    split_of = {
        key: "train" if flag.strip() == "1" else "test" for key, flag in filter(None, pairs[1])
    }
    splits: dict[str, str] = {}
    for key, name in filter(None, pairs[0]):
        image = listing.find(name.strip(), *folders).file
        if image is not None and key in split_of:
            splits[image] = split_of[key]
    return SplitLists((flags,), splits) if len(set(splits.values())) > 1 else None
