"""Labels that are numbers or places of a vector, with the names that the recipe gives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hf_vft.data.annotated_boxes import Objects
from hf_vft.data.sources.table import Table
from hf_vft.errors import DataError
from hf_vft.utils.text import quoted


def with_names_of_numbers(table: Table, names: Sequence[str] | None) -> Table:
    """The table with ``names`` for its classes 0, 1, 2, ...

    Args:
        table: As read.
        names: ``data.classes``; None leaves the table as it is, and so do labels that are these
            names already.

    Raises:
        DataError: If the labels are other than numbers below the number of names, or vectors of
            another length.
    """
    if names is None:
        return table
    present = {n for label in table.labels if label is not None for n in table.kind.names(label)}
    present |= set(table.class_names or ())
    if present <= set(names):
        return replace(table, class_names=list(names))
    if len(set(names)) < len(names):
        raise DataError(f"data.classes: a name is there twice: {quoted(names)}.")
    strange = sorted(name for name in present if not _is_place(name, len(names)))
    if strange:
        raise DataError(
            f"data.classes gives {len(names)} names, for classes 0 to {len(names) - 1}, but the "
            f"labels hold {quoted(strange[:5])}: give a name for each number, or leave it out."
        )
    if table.class_names is not None and len(table.class_names) != len(names):
        raise DataError(
            f"data.classes gives {len(names)} names for {len(table.class_names)} classes: give one "
            "for each."
        )
    labels = [_renamed(label, lambda name: names[int(name)]) for label in table.labels]
    return replace(table, labels=labels, class_names=list(names))


def _is_place(name: str, number: int) -> bool:
    return name.isascii() and name.isdecimal() and int(name) < number


def _renamed(label: str | tuple[str, ...] | Objects | None, rename: Callable[[str], str]) -> Any:
    if label is None:
        return None
    if isinstance(label, Objects):
        return replace(label, categories=tuple(map(rename, label.categories)))
    return rename(label) if isinstance(label, str) else tuple(map(rename, label))
