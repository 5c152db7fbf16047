"""Decides how the labels of one column are written: one name, several in a text, a vector."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hf_vft.data.sources.column_names import plain_name
from hf_vft.data.sources.reading import Guess
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.text import quoted

SEPARATORS = ("|", ";")
_LATER = (",", " ")
_PLURAL = frozenset({"tags", "labels", "classes", "categories", "attributes", "findings"})
MISSING = frozenset({
    "nan", "na", "n/a", "<na>", "null", "nat", "#n/a", "#na", "nil", "?", "-", "--", ".",
})  # fmt: skip
"""Texts in lower case that programs write for a missing value."""
SINGLE = "none"
"""As ``data.label_separator``: every text is one label."""


@dataclass(frozen=True)
class Writing:
    """The notation of the labels.

    Attributes:
        form: ``one``, ``several`` (a text with a separator), ``list`` (a list as text),
            ``vector`` (0 and 1 for each class, as text).
        separator: Of ``several``.
        missing: Values that mean no label.
        guesses: What was concluded.
        notes: One line per doubtful thing.
    """

    form: str
    separator: str | None = None
    missing: frozenset[str] = frozenset()
    guesses: tuple[Guess, ...] = ()
    notes: tuple[str, ...] = ()


def decide_writing(
    column: str, counts: Counter[str], config: DataConfig, kind: str | None
) -> Writing:
    """Find out how the texts of a column are written, from how they recombine.

    A sign stands between labels where what it parts occurs by itself or with others, too:
    ``a``, ``b``, ``a|b``. Commas and blanks need more evidence, because names hold them.

    Args:
        column: Its name.
        counts: How often each text occurs.
        config: What the recipe says of separators and missing labels.
        kind: What the labels have to be; None takes what is there.

    Raises:
        DataError: If two separators are in use.
    """
    missing, guesses, notes = _missing(column, counts, config)
    texts = Counter({text: n for text, n in counts.items() if text not in missing})
    if texts and all(parsed_list(text) is not None for text in texts):
        return Writing("list", None, missing, guesses, notes)
    if config.label_separator is None and kind != "class" and _are_vectors(texts):
        return Writing("vector", None, missing, guesses, notes)
    if config.label_separator == SINGLE or kind == "class":
        return Writing("one", None, missing, guesses, notes)
    if config.label_separator is not None:
        return Writing("several", config.label_separator, missing, guesses, notes)
    separator, why, doubts = _separator(column, texts, kind)
    if why:
        guesses = (*guesses, Guess("data.label_separator", separator, why))
        notes = (*notes, f"{why}; set data.label_separator=none to take each text for one label.")
    form = "one" if separator is None else "several"
    return Writing(form, separator, missing, guesses, (*notes, *doubts))


def parsed_list(text: str) -> list[Any] | None:
    """The list that ``['a', 'b']``, ``{'a'}``, ``[a, b]`` or ``[0 1 1]`` stands for, or None."""
    text = text.strip()
    if text[:1] + text[-1:] not in ("[]", "{}", "()"):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            values = parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(values, set):
            return sorted(values, key=str)
        return list(values) if isinstance(values, list | tuple) else None
    words = [word.removesuffix(".") for word in text[1:-1].split()]  # as numpy prints
    if words and all(map(str.isdecimal, words)):
        return [int(word) for word in words]
    bare = text[0] == "[" and not any(sign in text[1:-1] for sign in "[]{}\"'")
    parts = [part.strip() for part in text[1:-1].split(",")]  # as makesense.ai writes
    return [part for part in parts if part] if bare and any(parts) else None


def parsed_vector(text: str) -> list[int]:
    """The values of a text such as ``0 1 1`` or ``0,1,1``; empty where it is none."""
    parts = text.replace(",", " ").replace(";", " ").split()
    return [int(part) for part in parts] if parts and set(parts) <= {"0", "1"} else []


def _are_vectors(counts: Counter[str]) -> bool:
    """Whether all texts are 0 and 1 for each of three or more classes."""
    vectors = [parsed_vector(text) for text in counts]
    return (
        len(vectors) > 1 and len(vectors[0]) > 2 and len({len(vector) for vector in vectors}) == 1
    )


def is_k_hot(lists: Iterable[Sequence[Any] | None]) -> int:
    """The length of vectors of 0 and 1; 0 where the lists are something else."""
    length = 0
    sums: set[int] = set()
    for vector in lists:
        if vector is None:
            continue
        if len(vector) < 2 or (length and len(vector) != length):
            return 0
        if any(value not in (0, 1) or isinstance(value, str) for value in vector):
            return 0
        length = len(vector)
        sums.add(int(sum(vector)))
    return length if sums != {length} else 0


def _missing(
    column: str, counts: Counter[str], config: DataConfig
) -> tuple[frozenset[str], tuple[Guess, ...], tuple[str, ...]]:
    if config.missing_labels is not None:
        return frozenset(config.missing_labels), (), ()
    missing = {text for text in counts if text.casefold() in MISSING}
    missing |= _minus_one(set(counts) - missing)
    if not missing:
        return frozenset(), (), ()
    number = sum(counts[text] for text in missing)
    listed = sorted(missing)
    held = f"Column {column!r} holds {quoted(listed)} in {number:,} rows"
    if len(counts) - len(missing) < 2:
        setting = f"data.missing_labels={_listed(listed)}"
        note = f"{held}, read as a class; set {setting} if it means no label."
        return frozenset(), (), (note,)
    reason = f"{held}, read as no label"
    guess = Guess("data.missing_labels", listed, reason)
    return frozenset(missing), (guess,), (f"{reason}; set data.missing_labels=[] to have a class.",)


def _minus_one(texts: set[str]) -> set[str]:
    """-1 beside the numbers 0, 1, 2, ..., or beside names alone."""
    markers = {"-1", "-1.0"} & texts
    rest = {text.removesuffix(".0").isdecimal() for text in texts - markers}
    return markers if markers and len(texts - markers) >= 2 and len(rest) == 1 else set()


def _listed(texts: Sequence[str]) -> str:
    return f"[{','.join(texts)}]"


def _separator(
    column: str, counts: Counter[str], kind: str | None
) -> tuple[str | None, str, tuple[str, ...]]:
    """The separator, why it is one in a sentence, and doubts."""
    used = [sign for sign in SEPARATORS if any(sign in text for text in counts)]
    if len(used) > 1:
        raise DataError(
            f"The labels hold {quoted(used)}: say with data.label_separator which of them stands "
            "between two labels, or 'none'."
        )
    doubts: list[str] = []
    for sign in (*used, *_LATER):
        holding = sum(n for text, n in counts.items() if sign in text.strip())
        if not holding:
            continue
        of = f"{holding:,} of {counts.total():,} labels of column {column!r} hold {sign!r}"
        if _parts_recombine(column, counts, sign, kind):
            return sign, f"{of}, and their parts occur in other labels, too", tuple(doubts)
        if sign in used or (sign == "," and _repeats(counts, sign)):
            doubts.append(
                f"{of}, taken as part of the name, because the parts do not occur by themselves; "
                f"set data.label_separator to {sign!r} if several labels are meant."
            )
    return ("|" if kind == "classes" else None), "", tuple(doubts)


def _parts_recombine(column: str, counts: Counter[str], sign: str, kind: str | None) -> bool:
    labels = {text.strip() for text in counts if sign not in text.strip()}
    joined = [parts for text in counts if sign in text.strip() for parts in [_parts(text, sign)]]
    if kind == "classes" and sign != " ":
        return True
    seen = Counter(part for parts in joined for part in parts)
    known = [part for part in seen if part in labels or seen[part] > 1]
    alone = [part for part in seen if part in labels]
    if sign in SEPARATORS:
        return not seen or ((bool(alone) or len(known) > 1) and len(known) * 2 >= len(seen))
    plural = plain_name(column) in _PLURAL
    if sign == " " and all(map(str.isdecimal, (*seen, *labels))):  # numbers of classes
        return True
    if sign == ",":
        return len(known) * 2 > len(seen) and (len(alone) > 1 or (plural and len(known) > 1))
    evident = plain_name(column) == "tags" or len(alone) > 1
    return plural and evident and len(known) * 2 >= len(seen)


def _repeats(counts: Counter[str], sign: str) -> bool:
    seen = Counter(part for text in counts if sign in text for part in _parts(text, sign))
    return any(n > 1 for n in seen.values())


def _parts(text: str, sign: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(sign) if part.strip()))
