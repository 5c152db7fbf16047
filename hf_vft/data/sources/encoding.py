"""Text of files that do not say how they are encoded."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from hf_vft.errors import DataError
from hf_vft.utils.text import quoted

WESTERN = "cp1252"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_NO_WESTERN_WORD = re.compile(
    rb"[\xa3\xa5\xaa\xaf\xb3\xb9\xba\xbc\xbe\xbf][a-z]|[a-z][\xb3\xb9\xbc\xbe\xbf]"
    rb"|[\xd0\xdd\xde\xf0\xfd\xfe]"
)
"""Signs of Windows-1252 within words: letters of another code, as in ``\xbfaden`` for żaden.

The last six are Icelandic there, and Turkish in Windows-1254, which has more readers."""

_LONGEST_WESTERN_RUN = 2
"""Western words have one accented letter at a time, rarely two; others have whole words."""


@dataclass(frozen=True)
class Text:
    """A file as text.

    Attributes:
        text: Its content, without a byte order mark.
        guessed: The encoding, where it was concluded from the bytes; None where it is certain.
    """

    text: str
    guessed: str | None = None


def read_text(file: Path, encoding: str | None = None, shown: str | None = None) -> Text:
    """Read a file that is UTF-8, UTF-16 or UTF-32, or plainly Windows-1252.

    Args:
        file: To read.
        encoding: What the recipe says; None finds out.
        shown: What the file is called in messages.

    Raises:
        DataError: If it cannot be read, or the encoding is not clear; names ``data.encoding``.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{shown or file} cannot be read: {error.strerror or error}.") from None
    return decode(data, str(shown or file), encoding)


def decode(data: bytes, shown: str, encoding: str | None = None) -> Text:
    """The text of some bytes; see `read_text`."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    try:
        return Text(data.decode(marked or "utf-8"))
    except UnicodeDecodeError:
        pass
    if encoding is not None:
        return _as_asked(data, shown, encoding)
    wide = _without_mark(data)
    if wide is not None:
        return Text(data.decode(wide), wide)
    if _is_western(data):
        return Text(data.decode(WESTERN), WESTERN)
    raise DataError(
        f"{shown} is not UTF-8 text: save it as UTF-8, or set data.encoding{_candidates(data)}."
    )


def guess_note(file: str, text: Text) -> str | None:
    """A note about an encoding that was guessed; None if none was."""
    if text.guessed is None:
        return None
    strange = re.search(r"\w*[^\x00-\x7f]\w*", text.text)
    example = f" ({strange[0]!r})" if strange else ""
    return (
        f"{file} is not UTF-8 and was read as {text.guessed}{example}; set data.encoding if that "
        "is wrong."
    )


def _as_asked(data: bytes, shown: str, encoding: str) -> Text:
    try:
        return Text(data.decode(encoding))
    except LookupError:
        raise DataError(f"data.encoding: Python knows no encoding {encoding!r}.") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{shown} is not {encoding} text (byte {error.start}): set another data.encoding."
        ) from None


def _without_mark(data: bytes) -> str | None:
    """UTF-16 without a mark has a zero in nearly every second byte of plain text."""
    head = data[:4000]
    if len(head) < 4 or len(data) % 2:
        return None
    for name, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        if head[start::2].count(0) > len(head) * 0.4 and head[1 - start :: 2].count(0) == 0:
            return name
    return None


def _is_western(data: bytes) -> bool:
    """Whether the bytes over 127 stand as accented letters do, and no other code fits as well."""
    if b"\0" in data:
        return False
    try:
        data.decode(WESTERN)
    except UnicodeDecodeError:
        return False
    if _NO_WESTERN_WORD.search(data):
        return False
    runs = [len(run) for run in _HIGH_RUN.findall(data)]
    return max(runs) <= _LONGEST_WESTERN_RUN and any(length % 2 for length in runs)


def _candidates(data: bytes) -> str:
    encodings = []
    for name in (WESTERN, "cp1254", "cp1250", "gb18030", "shift_jis", "cp1251"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        strange = re.search(r"\w*[^\x00-\x7f]\w*", text)
        if strange:
            encodings.append(f"{name} ({quoted([strange[0][:12]])})")
    return f" to one of {', '.join(encodings)}" if encodings else ""
