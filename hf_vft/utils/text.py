"""Small parts of the sentences that people are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def counted(n: int, noun: str) -> str:
    """``1 image``, ``12,000 images``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def quoted(names: Iterable[object]) -> str:
    """``'a', 'b'``; a name that would fill the screen is cut short."""
    return ", ".join(_shortened(repr(name)) for name in names)


def _shortened(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def few(items: Sequence[str], most: int = 5) -> str:
    """The first of many, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
