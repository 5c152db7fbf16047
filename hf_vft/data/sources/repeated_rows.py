"""Several rows for one image: boxes, several labels, or a mistake."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from hf_vft.data.label_types import KINDS
from hf_vft.data.sources.column_names import RATERS, plain_name
from hf_vft.data.sources.table import Table
from hf_vft.errors import DataError
from hf_vft.utils.text import counted

_SEVERAL = 0.25
"""From this share of images with rows of different labels on, every row is one label of several."""


def one_row_each(table: Table, kind: str | None) -> Table:
    """Bring several rows of one image together.

    Rows that say the same once more are left out. Where many images have rows of different
    labels, they are several labels of the image.

    Args:
        table: As read.
        kind: What the labels have to be; None takes what is there.

    Raises:
        DataError: If two rows say different things of one image.
    """
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, file in enumerate(table.files):
        rows_of[file].append(row)
    if len(rows_of) == len(table.files):
        return table
    if table.kind.name == "boxes":
        return _firsts(table, rows_of, note=None)
    if table.kind.name == "class" and kind in (None, "classes"):
        rater = next((name for name in table.extras if plain_name(name) in RATERS), None)
        torn = [rows for rows in rows_of.values() if len({table.labels[r] for r in rows}) > 1]
        if len(torn) >= _SEVERAL * len(rows_of):
            if rater is not None and kind is None:
                raise _several_raters(rater, len(torn))
            return _joined(table, rows_of, len(torn))
    repeats = counted(len(table.files) - len(rows_of), "row")
    return _firsts(table, rows_of, f"Not used, because they name a file once more: {repeats}.")


def _several_raters(column: str, number: int) -> DataError:
    return DataError(
        f"Column {column!r} names people who label the same images, {counted(number, 'image')} of "
        "them in different ways: keep the row that counts for each image, or set "
        "task=multi-label-classification to learn every label that somebody gave."
    )


def _joined(table: Table, rows_of: dict[str, list[int]], number: int) -> Table:
    labels: list[Any] = list(table.labels)
    for rows in rows_of.values():
        distinct = dict.fromkeys(table.labels[row] for row in rows if table.labels[row] is not None)
        for row in rows:
            labels[row] = tuple(distinct) or None
    note = (
        f"{number:,} of {counted(len(rows_of), 'image')} have several rows with different labels, "
        "so an image can have several labels."
    )
    reading = table.reading and replace(table.reading, matched=_also(table.reading.matched))
    joined = replace(table, labels=labels, kind=KINDS["classes"], reading=reading)
    return _firsts(replace(joined, notes=[*table.notes, note]), rows_of, note=None)


def _also(matched: str) -> str:
    return "; ".join(filter(None, (matched, "one row for each label")))


def _firsts(table: Table, rows_of: dict[str, list[int]], note: str | None) -> Table:
    for file, (first, *rest) in rows_of.items():
        for column in (table.labels, table.splits, table.groups):
            for row in rest:
                if column is not None and column[first] != column[row]:
                    raise DataError(
                        f"{file} is named twice, once with {column[first]!r} and once with "
                        f"{column[row]!r}: keep one row."
                    )
    return table.select([rows[0] for rows in rows_of.values()], note)
