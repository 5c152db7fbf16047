"""Tables that only tell the split of each image, beside the one that holds the labels."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from hf_vft.data.sources.column_names import SPLIT_NAMES, plain_name
from hf_vft.data.sources.decide_columns import split_value
from hf_vft.data.sources.folder_words import words_of
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.textfiles import read_file_table
from hf_vft.errors import DataError

_SUFFIXES = (".csv", ".tsv", ".txt")
_WORDS = frozenset({"split", "splits", "partition", "partitions"})
_NUMBERS = {"0": "train", "1": "validation", "2": "test"}
_SAMPLE = 30


def splits_of(file: str, columns: Mapping[str, Sequence[Any]], image: str) -> list[str] | None:
    """The split of each row of such a table; None where it is none.

    Its one other column holds splits. Where the file is called a partition, as that of CelebA is,
    0, 1 and 2 are train, validation and test.

    Args:
        file: From the root.
        columns: Of the table.
        image: The column of images.
    """
    others = [name for name in columns if name != image]
    if len(others) != 1:
        return None
    [name] = others
    stem = posixpath.splitext(posixpath.basename(file))[0]
    called_so = bool(_WORDS & set(words_of(stem)))
    if not called_so and plain_name(name) not in SPLIT_NAMES:
        return None
    texts = ["" if value is None else str(value).strip() for value in columns[name]]
    words = {text: split_value(name, text) for text in set(texts)}
    if called_so and set(texts) <= set(_NUMBERS):
        words = dict(_NUMBERS)
    if not all(words[text] for text in set(texts)):
        return None
    splits = [str(words[text]) for text in texts]
    return splits if "train" in splits and len(set(splits)) > 1 else None


def find_split_table(listing: Listing) -> tuple[str, dict[str, str]] | None:
    """The first such table of a folder, and the split of each image, from the root."""
    for file in listing.ending(*_SUFFIXES):
        stem = posixpath.splitext(posixpath.basename(file))[0]
        if file.count("/") > 1 or not _WORDS & set(words_of(stem)):
            continue
        try:
            columns = read_file_table(listing.path(file), shown=file).columns
        except DataError:
            continue
        folder = posixpath.dirname(file)
        for image, names in columns.items():
            splits = splits_of(file, columns, image)
            if splits is None or not _are_images(listing, folder, names[:_SAMPLE]):
                continue
            found = (listing.find(str(name), folder).file for name in names)
            return file, {f: split for f, split in zip(found, splits, strict=True) if f is not None}
    return None


def _are_images(listing: Listing, folder: str, names: Sequence[Any]) -> bool:
    return sum(listing.find(str(name), folder).file is not None for name in names) * 2 > len(names)
