"""Labels from the columns of a table, whichever way they are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import datasets
import pandas as pd

from hf_vft.data.annotated_boxes import Box, Objects, from_corners
from hf_vft.data.label_types import KINDS, LabelKind
from hf_vft.data.sources.box_columns import box_fields, item_of
from hf_vft.data.sources.column_facts import NEGATIVE, TRUE, ColumnFacts
from hf_vft.data.sources.decide_columns import Columns
from hf_vft.data.sources.label_writing import (
    Writing,
    decide_writing,
    is_k_hot,
    parsed_list,
    parsed_vector,
)
from hf_vft.data.sources.reading import Guess
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.text import few, quoted

_MOST_GRADES = 20
"""More different fractions than this are measurements and no grades."""


@dataclass(frozen=True)
class Labels:
    """The labels of a table.

    Attributes:
        kind: What each of them is.
        values: One for each row; None where there is none.
        class_names: The order of the classes, where the source fixes one.
        guesses: What was concluded about how they are written.
        notes: One line per doubtful thing.
    """

    kind: LabelKind
    values: list[Any]
    class_names: list[str] | None = None
    guesses: tuple[Guess, ...] = ()
    notes: list[str] = field(default_factory=list)


def read_labels(
    rows: datasets.Dataset,
    columns: Columns,
    facts: Mapping[str, ColumnFacts],
    config: DataConfig,
    kind: str | None,
) -> Labels:
    """Read the labels of every row.

    Args:
        rows: The table.
        columns: With ``label`` or ``flags``.
        facts: Of the columns.
        config: Separator, missing and uncertain labels, format of boxes.
        kind: A key of `KINDS` that the labels have to be of; None takes what is there.

    Raises:
        DataError: If a value is of another kind.
    """
    if columns.flags:
        labels = _from_flags(rows, columns.flags, facts, config, kind)
    else:
        labels = _from_column(rows, str(columns.label), facts, config, kind)
    if kind is not None and kind != labels.kind.name:
        where = quoted(columns.flags) if columns.flags else repr(columns.label)
        raise DataError(f"Column {where}: {labels.kind.reason}, which does not fit the task.")
    return labels


def text_values(rows: datasets.Dataset, column: str) -> list[str | None]:
    """Values as text: names of classes, and whole numbers without ``.0``; None where missing."""
    feature = rows.features[column]
    return [_text(value, feature) for value in rows[column][:]]


def _text(value: Any, feature: object) -> str | None:
    if isinstance(feature, datasets.ClassLabel):
        return feature.int2str(value) if value is not None and value >= 0 else None
    if isinstance(value, float):  # whole numbers in a column with gaps
        value = None if pd.isna(value) else int(value) if value.is_integer() else value
    return None if value is None or str(value).strip() == "" else str(value)


def _from_flags(
    rows: datasets.Dataset,
    names: Sequence[str],
    facts: Mapping[str, ColumnFacts],
    config: DataConfig,
    kind: str | None,
) -> Labels:
    for name in names:
        if not facts[name].may_be_flag:
            raise DataError(f"data.label_columns: column {name!r} holds more than 0 and 1.")
    uncertain = [name for name in names if facts[name].is_uncertain_flag]
    if uncertain:  # -1 means the same in all of them
        uncertain += [name for name in names if facts[name].is_sign_flag]
    rule = config.uncertain_labels
    if uncertain and rule == "ask":
        raise DataError(
            f"Columns {few([repr(name) for name in uncertain], 4)} hold -1 (uncertain) beside 0 "
            "and 1: say what it means with --set data.uncertain_labels=negative, positive or "
            "leave_out."
        )
    table = {name: [_flag_text(value) for value in rows[name][:]] for name in names}
    raised = TRUE | ({NEGATIVE} if uncertain and rule == "positive" else set())
    values: list[Any] = []
    for row in range(len(rows)):
        unsure = rule == "leave_out" and any(table[n][row] == NEGATIVE for n in uncertain)
        values.append(None if unsure else tuple(n for n in names if table[n][row] in raised))
    one_each = all(value is None or len(value) == 1 for value in values)
    if one_each and kind == "class":
        return Labels(KINDS["class"], [value and value[0] for value in values], list(names))
    notes = []
    if one_each:
        notes.append(
            f"Exactly one of {len(names)} columns of 0 and 1 is set for every image: where that is "
            "so by nature, set task=image-classification."
        )
    blank = [name for name in names if facts[name].missing]
    if blank:
        notes.append(f"Blank values of columns {few([repr(n) for n in blank], 4)} are read as 0.")
    return Labels(KINDS["classes"], values, list(names), (), notes)


def _flag_text(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:g}"
    text = "" if value is None else str(value).strip().casefold()
    return text.removesuffix(".0")


def _from_column(
    rows: datasets.Dataset,
    column: str,
    facts: Mapping[str, ColumnFacts],
    config: DataConfig,
    kind: str | None,
) -> Labels:
    feature = rows.features[column]
    if box_fields(feature) is not None:
        return _boxes(rows[column][:], feature, config)
    if item_of(feature) is not None:
        return _lists(rows[column][:], item_of(feature), column)
    if not isinstance(feature, datasets.Value | datasets.ClassLabel):
        raise DataError(f"Column {column!r} holds {feature}: give one label per image.")
    texts = text_values(rows, column)
    if isinstance(feature, datasets.ClassLabel):
        return Labels(KINDS["class"], texts, list(feature.names))
    _refuse_fractions(facts[column])
    counts = facts[column].counts
    if len(counts) < facts[column].distinct:
        counts = Counter(text.strip() for text in texts if text is not None)
    return _written(texts, column, decide_writing(column, counts, config, kind))


def _refuse_fractions(fact: ColumnFacts) -> None:
    """Stop where the column holds measured numbers, and no classes."""
    if fact.is_fraction and (fact.distinct > _MOST_GRADES or fact.distinct * 2 > fact.rows):
        example = next(value for value in fact.counts if "." in value)
        raise DataError(
            f"Column {fact.name!r} holds fractions, such as {example}: regression is not "
            "available; set data.label_column to a column of classes, or sort the numbers into "
            "classes."
        )


def _written(texts: Sequence[str | None], column: str, how: Writing) -> Labels:
    notes = list(how.notes)
    plain = [None if text is None else text.strip() for text in texts]
    values = [None if text is None or text in how.missing else text for text in plain]
    if how.form == "one":
        return Labels(KINDS["class"], values, None, how.guesses, notes)
    if how.form in ("list", "vector"):
        parse = parsed_list if how.form == "list" else parsed_vector
        lists: list[Any] = [None if text is None else parse(text) for text in values]
        if any(isinstance(value, dict | list) for names in lists for value in names or ()):
            raise _objects_in(column)
        labels = _plain_lists(lists, datasets.Value("string"), column)
        return Labels(
            labels.kind, labels.values, labels.class_names, how.guesses, notes + labels.notes
        )
    parts = [None if text is None else text.split(how.separator) for text in values]
    cut = [
        None if names is None else tuple(dict.fromkeys(filter(None, (p.strip() for p in names))))
        for names in parts
    ]
    return Labels(KINDS["classes"], cut, None, how.guesses, notes)


def _lists(values: Sequence[Any], inner: object, column: str) -> Labels:
    if item_of(inner) is not None and not isinstance(item_of(inner), dict):
        raise DataError(f"Column {column!r} holds lists of lists, which are not labels.")
    if not isinstance(inner, datasets.Value | datasets.ClassLabel):
        raise _objects_in(column)
    return _plain_lists(values, inner, column)


def _objects_in(column: str) -> DataError:
    return DataError(
        f"Column {column!r} holds lists of objects, which are not labels: for boxes give a column "
        'of {"bbox": [...], "category": [...]}, or export COCO, Pascal VOC or YOLO from the '
        "annotation tool."
    )


def _plain_lists(values: Sequence[Any], inner: object, column: str) -> Labels:
    length = 0 if isinstance(inner, datasets.ClassLabel) else is_k_hot(values)
    if length:
        places = [str(number) for number in range(length)]
        marked = [
            None if names is None else tuple(n for n, v in zip(places, names, strict=True) if v)
            for names in values
        ]
        note = (
            f"Column {column!r} holds vectors of {length} values 0 and 1: each place is a class, "
            f"called by its number from 0; set data.classes to {length} names to name them."
        )
        return Labels(KINDS["classes"], marked, places, (), [note])
    names = list(inner.names) if isinstance(inner, datasets.ClassLabel) else None
    labels = [
        None
        if row is None
        else tuple(dict.fromkeys(text for v in row if (text := _text(v, inner)) is not None))
        for row in values
    ]
    return Labels(KINDS["classes"], labels, names)


def _boxes(values: Sequence[Any], feature: Any, config: DataConfig) -> Labels:
    box, category = cast("tuple[str, str]", box_fields(feature))
    kind = (item_of(feature) or feature)[category]
    kind = item_of(kind) or kind
    names = list(kind.names) if isinstance(kind, datasets.ClassLabel) else None
    labels = [None if row is None else _objects(row, box, category, kind, config) for row in values]
    return Labels(KINDS["boxes"], labels, names)


def _objects(
    row: Mapping[str, Any], box: str, category: str, kind: object, config: DataConfig
) -> Objects:
    """The objects of one image, from a mapping of lists or a list of mappings."""
    if isinstance(row, Mapping):
        boxes, categories = row[box] or [], row[category] or []
    else:
        boxes, categories = [o[box] for o in row], [o[category] for o in row]
    names = []
    for value in categories:
        name = _text(value, kind)
        if name is None:
            raise DataError("A box has no class: give every box one, or leave it out.")
        names.append(name)
    return Objects(tuple(_box(values, config) for values in boxes), tuple(names))


def _box(values: Sequence[Any], config: DataConfig) -> Box:
    numbers = [float("nan") if value is None else float(value) for value in values or []]
    if len(numbers) != 4:
        raise DataError(f"A box has {len(numbers)} numbers: give four, {config.box_format}.")
    first, second, third, fourth = numbers
    if config.box_format == "xyxy":
        return from_corners(first, second, third, fourth)
    return (first, second, third, fourth)
