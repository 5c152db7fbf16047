"""Cells of CSV files that people open in spreadsheets, which run what looks like a formula."""

from __future__ import annotations

from typing import Any

_STARTS = ("=", "+", "-", "@", "\t", "\r")


def as_cell(value: object) -> Any:
    """A value for a CSV file; text that a spreadsheet would run gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_STARTS) else value


def from_cell(text: str) -> str:
    """The text that `as_cell` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_STARTS) else text
