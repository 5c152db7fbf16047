"""Finds the column of labels by what the columns hold, where no name tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import datasets

from hf_vft.data.sources.column_facts import ColumnFacts
from hf_vft.data.sources.column_names import LABEL_NAMES, is_attribute, plain_name
from hf_vft.data.sources.reading import Guess, Option, ask
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.text import few

FOLDER = "folder"
"""As ``data.label_column``: the folders that the images lie in."""

_MOST_CLASSES = 1000


def from_evidence(
    facts: Mapping[str, ColumnFacts],
    kind: str | None,
    where: str,
    folders: Sequence[str],
) -> tuple[str | None, tuple[str, ...], tuple[Guess, ...]]:
    """The label column or the columns of 0 and 1, where what they hold leaves one reading.

    Args:
        facts: Of the columns that play no other part.
        kind: What the labels have to be; None takes what is there.
        where: The source, for messages.
        folders: The class folders that the images may lie in.

    Returns:
        The column of labels or None, the columns of 0 and 1, and what was concluded.

    Raises:
        AmbiguousSourceError: If several readings are plausible.
    """
    flags = [n for n, f in facts.items() if f.is_any_flag and _is_class(n)]
    flags = flags if len(flags) >= 2 and kind in (None, "classes") else []
    repeating = [n for n, f in facts.items() if n not in flags and _repeats(f)]
    texts = [name for name in repeating if not is_attribute(name)]
    if len(texts) == 1 and not flags and facts[texts[0]].is_any_flag:
        texts += [n for n in repeating if n not in texts and not facts[n].is_number]
    options = [text_option(facts[name]) for name in texts]
    if flags:
        options.append(
            Option(f"{len(flags)} columns of 0 and 1", f"data.label_columns=[{','.join(flags)}]")
        )
    if len(folders) > 1 and not flags and options:
        options.append(Option(f"folders {few(folders, 3)}", f"data.label_column={FOLDER}"))
    if not options:
        return None, (), ()
    if len(options) > 1:
        raise ask(where, "several columns could hold the labels.", options)
    if flags:
        return None, tuple(flags), _never_set(facts, flags)
    reason = f"Column {texts[0]!r} is the only one whose values repeat like classes"
    return texts[0], (), (Guess("data.label_column", texts[0], reason),)


def of_twins(
    rows: datasets.Dataset, facts: Mapping[str, ColumnFacts], config: DataConfig
) -> Guess | None:
    """The label column where several have a usual name and say the same, such as 0 and ``cat``.

    Args:
        rows: The table.
        facts: Of its columns.
        config: Nothing is concluded where it names the label column.

    Returns:
        The first of them that holds names and no numbers; None where they differ.
    """
    usual = [name for name, fact in facts.items() if fact.plain in LABEL_NAMES and fact.is_scalar]
    if config.label_column != "auto" or config.label_columns != "auto" or len(usual) < 2:
        return None
    joined = set(zip(*(rows[name][:] for name in usual), strict=True))
    if any(facts[name].distinct != len(joined) for name in usual):
        return None
    named = [name for name in usual if not facts[name].is_number]
    chosen = (named or usual)[0]
    reason = f"Columns {' and '.join(map(repr, usual))} hold the same classes"
    return Guess("data.label_column", chosen, reason)


def _never_set(facts: Mapping[str, ColumnFacts], flags: Sequence[str]) -> tuple[Guess, ...]:
    """What is concluded of columns of 0 alone, or of 1 alone, beside those of 0 and 1."""
    same = [n for n, f in facts.items() if n not in flags and f.may_be_flag and not is_attribute(n)]
    if not same:
        return ()
    listed = few([repr(name) for name in same])
    reason = f"The same in every row, and so not used as a class: {listed}"
    return (Guess("data.label_columns", list(flags), reason),)


def _is_class(name: str) -> bool:
    """Whether a column of 0 and 1 may stand for a class, going by its name."""
    return plain_name(name) != ""


def _repeats(fact: ColumnFacts) -> bool:
    """Whether the values of a column repeat like the names of classes."""
    if not fact.is_scalar or fact.is_fraction:
        return False
    present = fact.rows - fact.missing
    if not 2 <= fact.distinct <= min(_MOST_CLASSES, present / 2):
        return False
    return not fact.is_number or fact.distinct <= 20


def text_option(fact: ColumnFacts) -> Option:
    """A column as one that could hold the labels."""
    values = few([value for value, _ in fact.counts.most_common()], 3)
    classes = "1 class" if fact.distinct == 1 else f"{fact.distinct} classes"
    return Option(f"{classes}: {values}", f"data.label_column={fact.name}")
