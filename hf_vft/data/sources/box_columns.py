"""Tables with a row for each box: which columns are its corners, and reading them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets

from hf_vft.data.annotated_boxes import Box, Objects, are_shares, from_corners
from hf_vft.data.sources.column_facts import ColumnFacts
from hf_vft.data.sources.column_names import LABEL_NAMES, is_attribute, plain_name
from hf_vft.data.sources.label_writing import parsed_list
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.text import quoted

BOX_NAMES = ("objects", "annotations", "boxes")
_PREFIXES = ("bbox", "box", "roi", "gt", "rect")
_ORDERS: tuple[tuple[str, tuple[str, str, str, str]], ...] = (
    ("xyxy", ("xmin", "ymin", "xmax", "ymax")),
    ("xyxy", ("minx", "miny", "maxx", "maxy")),
    ("xyxy", ("x1", "y1", "x2", "y2")),
    ("xyxy", ("x0", "y0", "x1", "y1")),
    ("xyxy", ("left", "top", "right", "bottom")),
    ("xyxy", ("startx", "starty", "endx", "endy")),
    ("xyxy", ("xtl", "ytl", "xbr", "ybr")),
    ("cxcywh", ("xcenter", "ycenter", "width", "height")),
    ("cxcywh", ("centerx", "centery", "width", "height")),
    ("cxcywh", ("cx", "cy", "w", "h")),
    ("xywh", ("x", "y", "width", "height")),
    ("xywh", ("x", "y", "w", "h")),
    ("xywh", ("left", "top", "width", "height")),
    ("xywh", ("xmin", "ymin", "width", "height")),
)
_TEXTS = frozenset({"bbox", "box", "boxes", "boundingbox"})
_CLASS_NAMES = (*sorted(LABEL_NAMES), "labelname", "classid", "classes", "name", "type", "object")


@dataclass(frozen=True)
class BoxColumns:
    """The columns of a table of boxes.

    Attributes:
        corners: Four columns, in the order that ``order`` says; or one with a list as text.
        order: ``xyxy``, ``xywh`` or ``cxcywh``.
        label: The class.
        size: Width and height of the image, where columns give them.
    """

    corners: tuple[str, ...]
    order: str
    label: str
    size: tuple[str, str] | None = None


def box_columns_of(facts: Mapping[str, ColumnFacts], label: str | None) -> BoxColumns | None:
    """The columns of boxes, by their names; None where the table holds none.

    Args:
        facts: Of each column.
        label: The column of classes, where it is known.

    Raises:
        DataError: If there are boxes, but not one column that could be their class.
    """
    corners = box_corners(facts)
    if corners is None:
        return None
    order, names = corners
    by_name = {fact.plain: name for name, fact in facts.items()}
    size = (by_name.get("width", ""), by_name.get("height", ""))
    sized = order == "xyxy" and all(size)
    return BoxColumns(names, order, label or _class(facts, names), size if sized else None)


def box_corners(facts: Mapping[str, ColumnFacts]) -> tuple[str, tuple[str, ...]] | None:
    """The order of four numbers, and the columns that hold them; None where there are none."""
    numbers = {_bare(f.name): name for name, f in facts.items() if _may_be_corner(f)}
    for order, wanted in _ORDERS:
        if all(name in numbers for name in wanted):
            return order, tuple(numbers[name] for name in wanted)
    for name, fact in facts.items():
        lists = [parsed_list(value) for value in list(fact.counts)[:50]]
        if fact.plain in _TEXTS and lists and all(values and len(values) == 4 for values in lists):
            return "", (name,)
    return None


def _may_be_corner(fact: ColumnFacts) -> bool:
    """Whether a column holds numbers, with a point or a comma before the decimals, or nothing."""
    return fact.is_number or all(_decimal(value) is not None for value in fact.counts)


def _decimal(value: object) -> float | None:
    """The number that a value is, as 12.5 or 12,5; None where it is none."""
    try:
        return float(re.sub(r"^(\s*-?\d+),(\d+\s*)$", r"\1.\2", str(value)))
    except ValueError:
        return None


def _bare(name: str) -> str:
    plain = plain_name(name)
    for prefix in _PREFIXES:
        if plain.startswith(prefix) and len(plain) > len(prefix):
            return plain.removeprefix(prefix)
    return plain


def _class(facts: Mapping[str, ColumnFacts], corners: Sequence[str]) -> str:
    by_name = {fact.plain: name for name, fact in facts.items() if name not in corners}
    usual = next((by_name[name] for name in _CLASS_NAMES if name in by_name), None)
    if usual is not None:
        return usual
    others = [
        name
        for name, fact in facts.items()
        if fact.is_text and not fact.is_number and not is_attribute(name) and name not in corners
        and fact.distinct * 2 <= fact.rows
    ]  # fmt: skip
    if len(others) == 1:
        return others[0]
    raise DataError(
        f"Columns {quoted(corners)} are boxes, but no column is known to hold their classes: set "
        f"data.label_column to one of {quoted(name for name in facts if name not in corners)}."
    )


def read_box_rows(
    rows: datasets.Dataset,
    columns: BoxColumns,
    files: Sequence[str],
    labels: Sequence[str | None],
    config: DataConfig,
) -> dict[str, Objects]:
    """The boxes of each image, from a row for each box.

    Rows whose corners are empty name an image without objects. Corners that are all between 0
    and 1 are shares of the image.

    Args:
        rows: The table.
        columns: Which of its columns are what.
        files: The image of each row.
        labels: The class of each row.
        config: ``box_format`` says what four numbers in a text are.

    Raises:
        DataError: If a value is no number, or a box has no class.
    """
    boxes = _boxes(rows, columns, config)
    relative = are_shares(box for box in boxes if box is not None)
    sizes = _sizes(rows, columns, len(files))
    by_image: dict[str, tuple[list[Box], list[str], tuple[int, int] | None]] = {}
    for file, box, label, size in zip(files, boxes, labels, sizes, strict=True):
        placed = by_image.setdefault(file, ([], [], size))
        if box is None:
            continue
        if label is None:
            raise DataError(f"{file}: a box has no class: give every box one, or leave it out.")
        placed[0].append(box)
        placed[1].append(label)
    return {
        file: Objects(tuple(b), tuple(names), relative=relative, declared=size)
        for file, (b, names, size) in by_image.items()
    }


def _boxes(rows: datasets.Dataset, columns: BoxColumns, config: DataConfig) -> list[Box | None]:
    if len(columns.corners) == 1:
        order: str = config.box_format
        values = [None if v is None else parsed_list(v) for v in rows[columns.corners[0]][:]]
        quadruples: list[Any] = [v or (None,) * 4 for v in values]
    else:
        order = columns.order
        quadruples = list(zip(*(rows[name][:] for name in columns.corners), strict=True))
    return [_box(four, order, row) for row, four in enumerate(quadruples, start=1)]


def _box(four: Sequence[Any], order: str, row: int) -> Box | None:
    if all(value is None or str(value).strip() == "" for value in four):
        return None
    numbers = [math.nan if value is None else _decimal(value) for value in four]
    if None in numbers:
        raise DataError(f"Row {row}: {quoted(four)} are not four numbers of a box.")
    a, b, c, d = (number for number in numbers if number is not None)
    if all(math.isnan(value) for value in (a, b, c, d)):
        return None
    if order == "xyxy":
        return from_corners(a, b, c, d)
    return (a - c / 2, b - d / 2, c, d) if order == "cxcywh" else (a, b, c, d)


def _sizes(rows: datasets.Dataset, columns: BoxColumns, total: int) -> list[tuple[int, int] | None]:
    if columns.size is None:
        return [None] * total
    sizes: list[tuple[int, int] | None] = []
    for pair in zip(*(rows[name][:] for name in columns.size), strict=True):
        try:
            width, height = (int(float(value)) for value in pair)
        except (TypeError, ValueError):
            sizes.append(None)
            continue
        sizes.append((width, height) if width > 0 and height > 0 else None)
    return sizes


def box_struct(features: Mapping[str, Any]) -> list[str]:
    """Columns whose values are boxes with classes, those with a usual name first."""
    names = [name for name, feature in features.items() if box_fields(feature) is not None]
    return sorted(names, key=lambda name: name.strip().casefold() not in BOX_NAMES)


def box_fields(feature: object) -> tuple[str, str] | None:
    """The fields of a column that hold the boxes and their classes; None if it holds no boxes.

    Understood are ``{"bbox": [[…]], "category": […]}`` and ``[{"bbox": […], "category": …}]``.
    """
    fields = item_of(feature) or feature
    if not isinstance(fields, dict):
        return None
    box = next((name for name in ("bbox", "boxes", "box") if name in fields), None)
    kinds = ("category", "categories", "category_id", "label", "labels", "classes")
    category = next((name for name in kinds if name in fields), None)
    return None if box is None or category is None else (box, category)


def item_of(feature: object) -> Any:
    """The element type of a column of lists; None if the column holds no lists."""
    if isinstance(feature, list):
        return feature[0]
    return feature.feature if isinstance(feature, datasets.List) else None
