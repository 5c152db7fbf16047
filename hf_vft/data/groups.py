"""The column that says which images belong together: shots of one part, slides of one patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets

GROUP = "group"
"""Only tables of data with ``data.group_column`` have it."""


def groups_of(table: datasets.Dataset) -> list[Any] | None:
    """The group of each image of a table; None where the data names none."""
    return list(table[GROUP]) if GROUP in table.column_names else None
