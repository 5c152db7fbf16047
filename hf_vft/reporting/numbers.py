"""How values are written on every page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from markupsafe import Markup, escape

# A list longer than this says nothing more to a reader than its beginning does.
_SHOWN_ITEMS = 4


def score(value: float | None) -> str:
    """Two decimals, three where two would claim perfection; undefined is a dash, never a zero."""
    if value is None:
        return "–"
    return f"{value:.3f}" if 0.995 <= value < 0.9995 else f"{value:.2f}"


def percent(share: float) -> str:
    """``0.97`` as ``97 %``, kept on one line."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def duration(seconds: float) -> str:
    """``75`` as ``1 min 15 s``, and ``60`` as ``1 min``."""
    total = round(seconds)
    hours, minutes, rest = total // 3600, total // 60 % 60, total % 60
    parts = ((hours, "h"), (minutes, "min")) if hours else ((minutes, "min"), (rest, "s"))
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 s"


def moment(iso: str) -> str:
    """An ISO 8601 time to the minute, in its own zone; anything else as it is."""
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{time:%Y-%m-%d %H:%M} {time.tzname() or ''}".rstrip()


def shown(value: object) -> str:
    """A recipe's value as people write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {shown(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        listed = ", ".join(shown(item) for item in value[:_SHOWN_ITEMS])
        more = len(value) - _SHOWN_ITEMS
        return f"{listed} and {more} more" if more > 0 else listed
    return str(value)


def sentence(text: str) -> str:
    """A text with a capital and a full stop; a name in code at its start keeps its letters."""
    first, _, _ = text.partition(" ")
    if first.isalpha() and first.islower():
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def breakable(name: str) -> Markup:
    """A file name, escaped, that may wrap after its separators rather than anywhere."""
    parts = re.split(r"(?<=[/\\_.-])", name)
    return Markup("<wbr>").join(escape(part) for part in parts if part)


def coded(text: str) -> Markup:
    """A sentence, escaped, in which what stands between backticks is code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 and len(parts) % 2 else escape(part)
        for place, part in enumerate(parts)
    )
