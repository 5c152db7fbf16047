"""When an image was taken, as people and cameras write it, read by rules that never guess.

A column is decided as a whole: what its values have in common says how each of them is read. A
value that does not follow is left unread and counted; no other time takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from hf_vft.errors import DataError
from hf_vft.utils.text import counted, quoted

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Earlier than any digital photograph: what lies before it comes from a clock that was not set."""

LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""Numbers of seconds are taken for such up to here."""

DAY_FIRST, MONTH_FIRST = "day_first", "month_first"
_UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_COMPACT = re.compile(r"(19|20)\d{6}(\d{6})?")
_CLOCK = (
    r"(?:[T ]+(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d+))?)?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"
)
_YEAR_FIRST = re.compile(r"(?P<y>\d{4})([-/:.])(?P<m>\d{1,2})\2(?P<d>\d{1,2})" + _CLOCK)
_YEAR_LAST = re.compile(r"(?P<a>\d{1,2})([-/.])(?P<b>\d{1,2})\2(?P<y>\d{4})" + _CLOCK)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_NAMED = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)??(?:(?P<d>\d{1,2})[ -](?P<name>[A-Za-z]{3,9})|"
    r"(?P<name2>[A-Za-z]{3,9}) (?P<d2>\d{1,2}))[ ,-]+(?P<y>\d{4}),?" + _CLOCK
)


@dataclass(frozen=True)
class ReadTimes:
    """A column of times.

    Attributes:
        moments: In UTC, one a row; None where none could be read.
        unread: The rows whose value could not be read, empty ones included.
        read_as: How the column was read, for people.
    """

    moments: list[datetime | None]
    unread: list[int]
    read_as: str


def read_times(values: Sequence[Any], column: str, *, time_format: str | None = None) -> ReadTimes:
    """Read a column of times.

    Read by themselves: ISO 8601 with and without a zone, in any mixture; the spelling of EXIF
    (``2026:03:01 10:00:00``) and others with the year first; months by name; seconds, milli-,
    micro- or nanoseconds since 1970, whichever puts them between 1990 and 2100; and days before or
    after months where a number above 12 shows which. A time without a zone is UTC.

    Args:
        values: Text, numbers or moments, one a row; None where there is none.
        column: Its name, for messages.
        time_format: ``day_first``, ``month_first``, or a pattern of ``strptime``.

    Raises:
        DataError: If day and month cannot be distinguished, or no value can be read.
    """
    texts = [_text(value) for value in values]
    stated = [text for text in texts if text]
    read_as, read = _reader(stated, column, time_format)
    moments = [
        _credible(_moment(value) if isinstance(value, date) else read(text) if text else None)
        for value, text in zip(values, texts, strict=True)
    ]
    unread = [row for row, moment in enumerate(moments) if moment is None]
    if len(unread) == len(moments):
        shown = f", {quoted(stated[:1])} the first" if stated else ""
        raise DataError(
            f"column {column!r}: none of {counted(len(values), 'value')} is a time{shown}. Rename "
            "it if it is none; else say how it is written with --time-format (data.time_format "
            "in a recipe), such as '%d.%m.%Y %H:%M'."
        )
    return ReadTimes(moments, unread, read_as)


def _reader(
    texts: Sequence[str], column: str, time_format: str | None
) -> tuple[str, Callable[[str], datetime | None]]:
    """What the column is, and how a value of it is read."""
    if time_format is not None and time_format not in (DAY_FIRST, MONTH_FIRST):
        return repr(time_format), lambda text: _by_pattern(text, time_format)
    numbers = [text for text in texts if _NUMBER.fullmatch(text) and not _COMPACT.fullmatch(text)]
    if 2 * len(numbers) > len(texts):
        unit = _unit(numbers)
        if unit is not None:
            return f"{unit} since 1970", lambda text: _since_1970(text, unit)
    order = time_format or _order(texts, column)
    names = {
        DAY_FIRST: "day before month",
        MONTH_FIRST: "month before day",
        "": "ISO 8601, EXIF or a month's name",
    }
    return names[order], lambda text: _written(text, order)


def _order(texts: Iterable[str], column: str) -> str:
    """Whether days or months come first; empty where no value has its year last.

    Raises:
        DataError: If it cannot be told.
    """
    matches = [(m, text) for text in texts if (m := _YEAR_LAST.fullmatch(text))]
    first = [text for m, text in matches if int(m["a"]) > 12 >= int(m["b"])]
    second = [text for m, text in matches if int(m["b"]) > 12 >= int(m["a"])]
    if first and second:
        raise DataError(
            f"column {column!r} has days before months ({first[0]!r}) and after them "
            f"({second[0]!r}): write one of both throughout, best as in 2026-03-01 10:00:00."
        )
    if first or second:
        return DAY_FIRST if first else MONTH_FIRST
    unclear = [text for m, text in matches if int(m["a"]) != int(m["b"])]
    if unclear:
        raise DataError(
            f"column {column!r}: {unclear[0]!r} may begin with the day or with the month, and no "
            "value shows which; say it with --time-format day_first or month_first "
            "(data.time_format in a recipe)."
        )
    return DAY_FIRST if matches else ""


def _unit(numbers: Sequence[str]) -> str | None:
    """The unit that puts most of the numbers between `EARLIEST` and `LATEST`."""
    low, high = EARLIEST.timestamp(), LATEST.timestamp()
    values = [float(text) for text in numbers]
    fits = {
        unit: sum(low <= value / scale < high for value in values) for unit, scale in _UNITS.items()
    }
    best = max(fits, key=lambda unit: fits[unit])
    return best if fits[best] else None


def _since_1970(text: str, unit: str) -> datetime | None:
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return datetime.fromtimestamp(float(text) / _UNITS[unit], UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _written(text: str, order: str) -> datetime | None:
    if _COMPACT.fullmatch(text):
        return _by_pattern(text, "%Y%m%d%H%M%S" if len(text) > 8 else "%Y%m%d")
    if match := _YEAR_FIRST.fullmatch(text):
        return _built(match, int(match["m"]), int(match["d"]))
    if match := _YEAR_LAST.fullmatch(text):
        if not order:
            return None
        a, b = int(match["a"]), int(match["b"])
        return _built(match, *((b, a) if order == DAY_FIRST else (a, b)))
    if match := _NAMED.fullmatch(text):
        name = (match["name"] or match["name2"])[:3].casefold()
        if name in _MONTHS:
            return _built(match, _MONTHS.index(name) + 1, int(match["d"] or match["d2"]))
        return None
    try:  # week dates, ordinal dates, the basic format
        return _moment(datetime.fromisoformat(text))
    except ValueError:
        return None


def _built(match: re.Match[str], month: int, day: int) -> datetime | None:
    hour = int(match["hour"] or 0)
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].casefold() == "pm" else 0)
    try:
        moment = datetime(
            int(match["y"]),
            month,
            day,
            hour,
            int(match["minute"] or 0),
            int(match["second"] or 0),
            int((match["part"] or "0")[:6].ljust(6, "0")),
        )
        zone = match["zone"]
        if zone is None or zone in ("Z", "UTC", "GMT"):
            return moment.replace(tzinfo=UTC)
        return datetime.fromisoformat(f"{moment.isoformat()}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _by_pattern(text: str, pattern: str) -> datetime | None:
    try:
        return _moment(datetime.strptime(text, pattern))
    except ValueError:
        return None


def _moment(value: date) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _credible(moment: datetime | None) -> datetime | None:
    return moment if moment is not None and moment >= EARLIEST else None


def _text(value: object) -> str:
    if value is None or isinstance(value, date) or value != value:
        return ""
    return str(value).strip()
