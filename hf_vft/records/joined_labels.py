"""Several labels in one text, as the log holds them, whatever the labels are called."""

from __future__ import annotations

import re
from collections.abc import Iterable

SEPARATOR = "|"
_ESCAPE = "\\"
_SPECIAL = re.compile(r"[\\|]")
_TOKEN = re.compile(r"\\([\\|])|(\|)|(.)", re.DOTALL)


def join_names(names: Iterable[str]) -> str:
    r"""Each name once, joined by ``|``; a ``|`` or ``\`` within a name gets a ``\`` before it.

    Returns:
        Empty where there is no name.
    """
    escaped = (_SPECIAL.sub(lambda match: _ESCAPE + match[0], name) for name in names)
    return SEPARATOR.join(dict.fromkeys(escaped))


def split_names(text: str) -> list[str]:
    r"""The names that were joined, in order; a ``\`` before anything else stands for itself."""
    names = [""]
    for escaped, separator, plain in _TOKEN.findall(text):
        if separator:
            names.append("")
        else:
            names[-1] += escaped or plain
    return [name for name in names if name]
