"""What can be seen in a column without knowing what it means."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from hf_vft.data.sources.column_names import plain_name

_MANY = 2000
"""Columns with more different values than this are described by some of them."""

TRUE = frozenset({
    "1", "true", "yes", "y", "t", "x", "wahr", "ja", "vrai", "oui", "sí", "verdadero", "sim",
    "verdadeiro", "vero", "да", "истина", "是", "はい",
})  # fmt: skip
FALSE = frozenset({
    "0", "false", "no", "n", "f", "", "falsch", "nein", "faux", "non", "falso", "não", "нет",
    "ложь", "否", "いいえ",
})  # fmt: skip
"""How tables mark images, in the languages that spreadsheets write."""

NEGATIVE = "-1"


@dataclass(frozen=True)
class ColumnFacts:
    """One column of a table.

    Attributes:
        name: As the source has it.
        feature: Its type.
        rows: How many rows there are.
        missing: In how many of them it is empty.
        distinct: How many different values there are.
        counts: How often each occurs, as text; of very many only some.
    """

    name: str
    feature: Any
    rows: int
    missing: int = 0
    distinct: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def plain(self) -> str:
        """The name without case, blanks and signs."""
        return plain_name(self.name)

    @property
    def is_text(self) -> bool:
        """Whether it holds texts."""
        return isinstance(self.feature, datasets.Value) and self.feature.dtype in (
            "string",
            "large_string",
        )

    @property
    def is_scalar(self) -> bool:
        """Whether it holds single values that are no bytes."""
        return isinstance(self.feature, datasets.Value) and "binary" not in self.feature.dtype

    @cached_property
    def words(self) -> frozenset[str]:
        """The values in lower case; 1.0 is 1."""
        words = {_word(value) for value in self.counts}
        return frozenset(words | ({""} if self.missing else set()))

    @property
    def is_flag(self) -> bool:
        """Whether it holds both of 0 and 1, and nothing else."""
        words = self.words
        return (
            self.is_scalar and words <= TRUE | FALSE and bool(words & TRUE) and bool(words - TRUE)
        )

    @property
    def is_sign_flag(self) -> bool:
        """Whether it holds 1 and -1, and nothing else, so that -1 is no."""
        return self.is_scalar and self.words == {"1", NEGATIVE}

    @property
    def is_uncertain_flag(self) -> bool:
        """Whether it holds 0, 1 and -1, as tables of findings do."""
        rest = self.words - {NEGATIVE}
        held = NEGATIVE in self.words and bool(rest & TRUE) and bool(rest & FALSE)
        return self.is_scalar and held and rest <= TRUE | FALSE

    @property
    def is_any_flag(self) -> bool:
        """Whether it marks images, in whichever of these ways."""
        return self.is_flag or self.is_sign_flag or self.is_uncertain_flag

    @property
    def may_be_flag(self) -> bool:
        """Whether it marks images, or none, or all: a class that one file does not have."""
        return self.is_scalar and bool(self.counts) and self.words <= TRUE | FALSE | {NEGATIVE}

    @property
    def is_number(self) -> bool:
        """Whether all its values are numbers, written as text or not."""
        return self.is_scalar and bool(self.counts) and all(map(_is_number, self.counts))

    @property
    def is_fraction(self) -> bool:
        """Whether it holds numbers that are not whole."""
        return self.is_number and any("." in v and not v.endswith(".0") for v in self.counts)


def gather(rows: datasets.Dataset) -> dict[str, ColumnFacts]:
    """The facts of every column, in their order; images are not looked at."""
    return {name: _facts(rows, name) for name in rows.column_names}


def _facts(rows: datasets.Dataset, name: str) -> ColumnFacts:
    feature = rows.features[name]
    total = len(rows)
    if not isinstance(feature, datasets.Value) or "binary" in feature.dtype:
        return ColumnFacts(name, feature, total)
    table = rows.select_columns([name]).with_format("arrow")[:]
    column: pa.ChunkedArray = table[name]
    counted = pc.value_counts(column)
    values, numbers = counted.field("values"), counted.field("counts")
    counts: Counter[str] = Counter()
    missing = column.null_count
    for value, number in zip(values[:_MANY].to_pylist(), numbers[:_MANY].to_pylist(), strict=True):
        if value is None or (isinstance(value, str) and not value.strip()):
            missing += 0 if value is None else number
        else:
            counts[_text(value)] += number
    return ColumnFacts(name, feature, total, missing, len(values) - (column.null_count > 0), counts)


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _word(value: str) -> str:
    word = value.strip().casefold()
    return re.sub(r"\.0+$", "", word) if _is_number(word) else word


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return value.strip().casefold() not in ("nan", "inf", "infinity", "-inf")
