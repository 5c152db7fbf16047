"""Which class a label from outside means: one rule for every place that takes labels.

A label that is no class of the model is never taken for a mistake of the model by a slip of
spelling, and never becomes a class by one. What differs from a class in case, space or Unicode form
alone is another spelling; what differs by few letters is a likely misspelling; both are kept out,
and told with the class that is meant. Any other name is a new class where it is frequent enough to
be meant, and is kept out where it is not.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from hf_vft.records.joined_labels import split_names
from hf_vft.utils.text import counted, few, quoted

LEAST_OF_CLASS = 10
"""Labels of one unknown name, from which on it is a class and no slip."""

_CLOSE = 0.75  # of difflib's ratio


@dataclass(frozen=True)
class UnknownLabel:
    """A label that is no class.

    Attributes:
        name: As it was given.
        count: How often.
        nearest: The class that it resembles most; None where it resembles none.
        spelling: Whether it is this class in another spelling.
    """

    name: str
    count: int
    nearest: str | None
    spelling: bool

    def __str__(self) -> str:
        meant = ""
        if self.nearest is not None:
            meant = f", {'write' if self.spelling else 'perhaps'} {quoted([self.nearest])}"
        return f"{quoted([self.name])} ({self.count:,}{meant})"


@dataclass(frozen=True)
class Vocabulary:
    """Labels that are not classes of the model.

    Attributes:
        new: Names that resemble no class and are frequent: classes that the model does not know.
        unknown: All others, the most frequent first; they are kept out.
    """

    new: dict[str, int]
    unknown: list[UnknownLabel]

    @property
    def kept_out(self) -> set[str]:
        """The names that count for nothing."""
        return {label.name for label in self.unknown}

    def sentence(self) -> str:
        """The labels that are left out, and why; empty if none is."""
        if not self.unknown:
            return ""
        n = sum(label.count for label in self.unknown)
        return (
            f"{counted(n, 'label')} left out, since the model has no such class: "
            f"{few([str(label) for label in self.unknown])}."
        )


def folded(name: str) -> str:
    """Equal for names that differ in case, space or Unicode form alone."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def nearest_class(name: str, classes: Iterable[str]) -> tuple[str | None, bool]:
    """The class that a name resembles most, and whether it is another spelling of it."""
    forms = {folded(class_name): class_name for class_name in classes}
    own = folded(name)
    if own in forms:
        return forms[own], True
    close = get_close_matches(own, forms, n=1, cutoff=_CLOSE)
    return (forms[close[0]], False) if close else (None, False)


def read_vocabulary(
    labels: Iterable[str],
    classes: Collection[str],
    *,
    several: bool = False,
    new: Collection[str] = (),
) -> Vocabulary:
    """Tell classes, new classes and slips apart.

    Args:
        labels: As given, repeats included.
        classes: Of the model.
        several: Whether a label may hold several names, as `hf_vft.records.join_names` joins them.
        new: Names that a person has said to be new classes.
    """
    known = set(classes)
    names = (name for label in labels for name in (split_names(label) if several else [label]))
    counts = Counter(name for name in names if name not in known)
    new_classes: dict[str, int] = {}
    unknown = []
    for name, count in counts.most_common():
        nearest, spelling = nearest_class(name, known)
        if name in new or (nearest is None and count >= LEAST_OF_CLASS):
            new_classes[name] = count
        else:
            unknown.append(UnknownLabel(name, count, nearest, spelling))
    return Vocabulary(new_classes, unknown)


def counts_for_something(
    labels: Sequence[str | None], vocabulary: Vocabulary, *, several: bool = False
) -> list[bool]:
    """Mask of the labels that are present and hold no name that is left out."""
    out = vocabulary.kept_out
    return [
        label is not None and out.isdisjoint(split_names(label) if several else [label])
        for label in labels
    ]
