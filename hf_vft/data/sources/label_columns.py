"""Labels from the columns of a table, whichever way they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import datasets
import pandas as pd

from hf_vft.data.boxes import Box, Objects, from_corners
from hf_vft.data.kinds import KINDS, LabelKind
from hf_vft.data.sources.columns import FROM_SOURCE, NONE, Columns, box_fields, item_of
from hf_vft.data.wording import quoted
from hf_vft.errors import DataError
from hf_vft.recipe import DataConfig

SEPARATORS = ("|", ";")
_TRUE = {"1", "true", "yes"}
_FALSE = {"0", "false", "no", ""}


@dataclass(frozen=True)
class Labels:
    """The labels of a table.

    Attributes:
        kind: What each of them is.
        values: One for each row; None where there is none.
        class_names: The order of the classes, where the source fixes one.
    """

    kind: LabelKind
    values: list[Any]
    class_names: list[str] | None = None


def with_flags(
    rows: datasets.Dataset, columns: Columns, config: DataConfig, kind: str | None
) -> Columns:
    """Take columns of 0 and 1 for the labels where no other column holds them.

    Only where there are two or more of them, and where the recipe leaves the labels open.
    """
    asked = config.label_columns == "auto" and config.label_column in ("auto", FROM_SOURCE)
    if columns.label is not None or columns.flags or not asked or kind not in (None, "classes"):
        return columns
    played = {columns.image, columns.split, columns.group, *config.slice_columns}
    flags = [name for name in rows.column_names if name not in played and _is_flag(rows, name)]
    return replace(columns, flags=tuple(flags)) if len(flags) >= 2 else columns


def read_labels(
    rows: datasets.Dataset, columns: Columns, config: DataConfig, kind: str | None
) -> Labels:
    """Read the labels of every row.

    Args:
        rows: The table.
        columns: With ``label`` or ``flags``.
        config: Separator and format of boxes.
        kind: A key of `KINDS` that the labels have to be of; None takes what is there.

    Raises:
        DataError: If a value is of another kind.
    """
    if columns.flags:
        found = _from_flags(rows, columns.flags)
    else:
        found = _from_column(rows, str(columns.label), config, kind)
    if kind is not None and kind != found.kind.name:
        where = quoted(columns.flags) if columns.flags else repr(columns.label)
        raise DataError(f"Column {where}: {found.kind.reason}, which does not fit the task.")
    return found


def text_values(rows: datasets.Dataset, column: str) -> list[str | None]:
    """Values as text: names of classes, and whole numbers without ``.0``; None where missing."""
    feature = rows.features[column]
    return [_text(value, feature) for value in rows[column][:]]


def _text(value: Any, feature: Any) -> str | None:
    if isinstance(feature, datasets.ClassLabel):
        return feature.int2str(value) if value is not None and value >= 0 else None
    if isinstance(value, float):  # whole numbers in a column with gaps
        value = None if pd.isna(value) else int(value) if value.is_integer() else value
    return None if value is None or str(value).strip() == "" else str(value)


def _from_flags(rows: datasets.Dataset, names: Sequence[str]) -> Labels:
    table = {name: rows[name][:] for name in names}
    for name in names:
        if not _is_flag(rows, name):
            raise DataError(f"data.label_columns: column {name!r} holds more than 0 and 1.")
    values = [
        tuple(name for name in names if _raised(table[name][row])) for row in range(len(rows))
    ]
    return Labels(KINDS["classes"], values, list(names))


def _is_flag(rows: datasets.Dataset, column: str) -> bool:
    feature = rows.features[column]
    if not isinstance(feature, datasets.Value) or "binary" in feature.dtype:
        return False
    found = {_flag_text(value) for value in rows[column][:]}
    return found <= _TRUE | _FALSE and bool(found & _TRUE) and bool(found - _TRUE)


def _flag_text(value: Any) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:g}"
    return "" if value is None else str(value).strip().casefold()


def _raised(value: Any) -> bool:
    return _flag_text(value) in _TRUE


def _from_column(
    rows: datasets.Dataset, column: str, config: DataConfig, kind: str | None
) -> Labels:
    feature = rows.features[column]
    if box_fields(feature) is not None:
        return _boxes(rows[column][:], feature, config)
    if item_of(feature) is not None:
        return _lists(rows[column][:], item_of(feature), column)
    if not isinstance(feature, datasets.Value | datasets.ClassLabel):
        raise DataError(f"Column {column!r} holds {feature}: give one label per picture.")
    texts = text_values(rows, column)
    if isinstance(feature, datasets.ClassLabel):
        return Labels(KINDS["class"], texts, list(feature.names))
    separator = _separator(texts, config, kind)
    if separator is None:
        return Labels(KINDS["class"], texts)
    parts = [
        None if text is None else tuple(dict.fromkeys(p.strip() for p in text.split(separator)))
        for text in texts
    ]
    cut = [None if found is None else tuple(filter(None, found)) for found in parts]
    return Labels(KINDS["classes"], cut)


def _separator(texts: Sequence[str | None], config: DataConfig, kind: str | None) -> str | None:
    if config.label_separator == NONE or kind == "class":
        return None
    if config.label_separator is not None:
        return config.label_separator
    usual = (*SEPARATORS, ",") if kind == "classes" else SEPARATORS
    used = [sign for sign in usual if any(sign in text for text in texts if text is not None)]
    if len(used) > 1:
        raise DataError(
            f"The labels hold {quoted(used)}: say with data.label_separator which of them stands "
            "between two labels, or 'none'."
        )
    return used[0] if used else "|" if kind == "classes" else None


def _lists(values: Sequence[Any], inner: Any, column: str) -> Labels:
    if not isinstance(inner, datasets.Value | datasets.ClassLabel):
        raise DataError(f"Column {column!r} holds lists of {inner}: give lists of labels.")
    names = list(inner.names) if isinstance(inner, datasets.ClassLabel) else None
    labels = [
        None
        if found is None
        else tuple(dict.fromkeys(text for v in found if (text := _text(v, inner)) is not None))
        for found in values
    ]
    return Labels(KINDS["classes"], labels, names)


def _boxes(values: Sequence[Any], feature: Any, config: DataConfig) -> Labels:
    box, category = cast("tuple[str, str]", box_fields(feature))
    kind = (item_of(feature) or feature)[category]
    kind = item_of(kind) or kind
    names = list(kind.names) if isinstance(kind, datasets.ClassLabel) else None
    labels = [
        None if found is None else _objects(found, box, category, kind, config) for found in values
    ]
    return Labels(KINDS["boxes"], labels, names)


def _objects(found: Any, box: str, category: str, kind: Any, config: DataConfig) -> Objects:
    """The objects of one picture, from a mapping of lists or a list of mappings."""
    if isinstance(found, Mapping):
        boxes, categories = found[box] or [], found[category] or []
    else:
        boxes, categories = [o[box] for o in found], [o[category] for o in found]
    names = []
    for value in categories:
        name = _text(value, kind)
        if name is None:
            raise DataError("A box has no class: give every box one, or leave it out.")
        names.append(name)
    return Objects(tuple(_box(values, config) for values in boxes), tuple(names))


def _box(values: Any, config: DataConfig) -> Box:
    numbers = [float("nan") if value is None else float(value) for value in values or []]
    if len(numbers) != 4:
        raise DataError(f"A box has {len(numbers)} numbers: give four, {config.box_format}.")
    first, second, third, fourth = numbers
    if config.box_format == "xyxy":
        return from_corners(first, second, third, fourth)
    return (first, second, third, fourth)
