"""From what a source calls its classes to class names and their order."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from hf_vft.errors import DataError
from hf_vft.records.vocabulary import folded
from hf_vft.utils.text import counted, quoted

LONGEST_NAME = 200
"""Characters of a class name; what is longer is a description, or no label at all."""


def class_order(
    labels: Iterable[str], fixed: Sequence[str] | None = None, *, fewest: int = 2
) -> list[str]:
    """The classes that occur, in the order of their ids.

    Args:
        labels: The class names of all images.
        fixed: The order the source prescribes; classes that do not occur are dropped from it.
        fewest: How many classes there have to be.

    Returns:
        Class names, in the prescribed order or sorted so that ``c2`` comes before ``c10``.

    Raises:
        DataError: If there are too few classes, or names that are too long or look the same to a
            person.
    """
    present = set(labels)
    _refuse_long_names(present)
    _refuse_lookalikes(present)
    if not present:
        raise DataError("No image has a label.")
    if len(present) < fewest:
        raise DataError(
            f"Only one class, {next(iter(present))!r}, and a classifier needs two or more: give "
            "one folder for each class, or a table that names the label of each image. If these "
            "are good parts and everything else is to be found: --set task=anomaly-detection."
        )
    if fixed is not None:
        return [name for name in fixed if name in present]
    return sorted(present, key=natural_key)


def natural_key(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts numbers inside names by value."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(0, int(p), "") if p[0] in "0123456789" else (1, 0, p) for p in parts], text


def _refuse_long_names(names: Iterable[str]) -> None:
    longest = max(names, key=len, default="")
    if len(longest) > LONGEST_NAME:
        raise DataError(
            f"Class {quoted([longest])} has a name of {counted(len(longest), 'character')}, and "
            f"{LONGEST_NAME} are the most: shorten it, or name the right column in "
            "data.label_column."
        )


def _refuse_lookalikes(names: Iterable[str]) -> None:
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        alike[folded(name)].append(name)
    for group in alike.values():
        if len(group) > 1:
            raise DataError(
                f"Labels {quoted(group)} differ only in case or space: use one spelling."
            )
