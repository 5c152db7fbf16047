"""From what a source calls its classes to class names and their order."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from hf_vft.errors import DataError


def class_order(labels: Iterable[str], fixed: Sequence[str] | None = None) -> list[str]:
    """The classes that occur, in the order of their ids.

    Args:
        labels: Class names, repeated.
        fixed: The order the source prescribes; classes that do not occur are dropped from it.

    Returns:
        Class names, in the prescribed order or sorted so that ``c2`` comes before ``c10``.

    Raises:
        DataError: If there are fewer than two classes, or names that look the same to a person.
    """
    present = set(labels)
    _refuse_lookalikes(present)
    if len(present) < 2:
        raise DataError(
            f"Only one class, {next(iter(present), '')!r}: a classifier needs pictures of at "
            "least two."
        )
    if fixed is not None:
        return [name for name in fixed if name in present]
    return sorted(present, key=natural_key)


def natural_key(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts numbers inside names by value."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(0, int(p), "") if p[0] in "0123456789" else (1, 0, p) for p in parts], text


def refuse_single(labels: Iterable[str]) -> None:
    """Stop at classes of one picture: such a class can be learned or tested, not both.

    Raises:
        DataError: Names the classes.
    """
    single = sorted((name for name, n in Counter(labels).items() if n == 1), key=natural_key)
    if single:
        raise DataError(
            f"{_named('Class', single)} {'has' if len(single) == 1 else 'have'} one picture only: "
            "add pictures (three or more) or remove the class."
        )


def _refuse_lookalikes(names: Iterable[str]) -> None:
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        alike["".join(unicodedata.normalize("NFKC", name).casefold().split())].append(name)
    for group in alike.values():
        if len(group) > 1:
            raise DataError(
                f"Labels {', '.join(map(repr, group))} differ only in case or space: use one "
                "spelling."
            )


def _named(noun: str, names: Sequence[str], most: int = 5) -> str:
    """``Class 'a'`` or ``Classes 'a', 'b' and 3 more``."""
    plural = noun if len(names) == 1 else f"{noun}es"
    shown = ", ".join(repr(name) for name in names[:most])
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{plural} {shown}{more}"
