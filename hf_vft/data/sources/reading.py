"""The interpretation of a source: pure data, shown to people before anything is trained."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from hf_vft.data.label_types import LabelKind
from hf_vft.errors import AmbiguousSourceError, DataError
from hf_vft.utils.text import counted, few

_SHOWN_CLASSES = 6
_SHOWN_LEFT_OUT = 4
_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Guess:
    """Something that the source does not say outright, and how to set it otherwise.

    Attributes:
        field: Dotted name in the recipe.
        value: What was taken.
        reason: The evidence, in a sentence.
    """

    field: str
    value: Any
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """Part of a source that is not read.

    Attributes:
        what: A folder, file or kind of file.
        reason: Why it does not belong to the data, in a few words.
        count: How many files it holds.
        noun: What they are.
    """

    what: str
    reason: str
    count: int = 0
    noun: str = "image"

    def __str__(self) -> str:
        """``seg_pred (8 images: without a class)``."""
        number = f"{counted(self.count, self.noun)}: " if self.count else ""
        return f"{self.what} ({number}{self.reason})"


@dataclass(frozen=True)
class Option:
    """One of several plausible readings.

    Attributes:
        title: What it would be, for people.
        setting: ``data.label_column=diagnosis``, as ``--set`` takes it.
    """

    title: str
    setting: str


@dataclass(frozen=True)
class Reading:
    """The interpretation of a source.

    Attributes:
        format: ``class folders``, ``the table labels.csv``, ``COCO``, ...
        labels: Where the labels come from, such as ``column 'breed'``.
        splits: Where the splits come from; empty where the source is not divided.
        matched: How names in a file were found to be images, where that is not as written.
        left_out: What is not read.
        guesses: What was concluded from evidence.
        classes: Class names, in their order.
        counts: Images of each split; one entry without a name where there are no splits.
        kind: What a label is, a key of :data:`hf_vft.data.label_types.KINDS`.
    """

    format: str
    labels: str = ""
    splits: str = ""
    matched: str = ""
    left_out: tuple[LeftOut, ...] = ()
    guesses: tuple[Guess, ...] = ()
    classes: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    kind: str = "class"

    @property
    def statement(self) -> str:
        """The reading in a sentence."""
        parts = [self._classes(), self._images(), self.matched]
        if self.left_out:
            shown = [str(part) for part in self.left_out]
            parts.append(f"left out: {few(shown, _SHOWN_LEFT_OUT)}")
        return f"Read as {self.format}: {'; '.join(filter(None, parts))}."

    def guessed(self, notes: Iterable[str] = ()) -> list[str]:
        """One line for each guess that no note tells of, with the setting that changes it."""
        sentences = list(notes)
        return [
            f"{guess.reason}; set {guess.field} to have it otherwise."
            for guess in self.guesses
            if not any(guess.reason in note for note in sentences)
        ]

    def counted(
        self, classes: Iterable[str], splits: list[str] | None, total: int, kind: LabelKind
    ) -> Reading:
        """A copy that holds the counts found when the source was read."""
        counts = Counter(splits if splits is not None else [""] * total)
        order = [name for name in ("", *_SPLITS) if counts[name]]
        return replace(
            self,
            classes=tuple(classes),
            counts=tuple((name, counts[name]) for name in order),
            kind=kind.name,
        )

    def _classes(self) -> str:
        if not self.classes:
            return "no labels"
        number = len(self.classes)
        what = {"boxes": "boxes of ", "classes": "several labels an image, of "}.get(self.kind, "")
        noun = "1 class" if number == 1 else f"{number:,} classes"
        source = f" from {self.labels}" if self.labels else ""
        return f"{what}{noun} ({few(self.classes, _SHOWN_CLASSES)}){source}"

    def _images(self) -> str:
        if [name for name, _ in self.counts] in ([], [""]):
            return f"{counted(sum(n for _, n in self.counts), 'image')}, not divided"
        source = f" from {self.splits}" if self.splits else ""
        return f"splits {', '.join(f'{name} {n:,}' for name, n in self.counts)}{source}"


def _typed(setting: str) -> str:
    """As it is typed in a shell; brackets need no quotes in most of them."""
    return shlex.quote(setting) if re.search(r"[^\w=.,\[\]/:*+@%-]", setting) else setting


def ask(source: object, question: str, options: list[Option]) -> AmbiguousSourceError:
    """The refusal of a source that could be read in several ways; names the setting for each."""
    if len(options) == 1:
        ways = f"--set {_typed(options[0].setting)} ({options[0].title})"
    else:
        listed = [f"--set {_typed(option.setting)} ({option.title})" for option in options]
        ways = f"{', '.join(listed[:-1])} or {listed[-1]}"
    return AmbiguousSourceError(
        f"{source}: {question} Choose with {ways}.",
        [(option.title, option.setting) for option in options],
    )


def refuse(source: object, why: str) -> DataError:
    """The refusal of a source that is understood but holds nothing to learn from."""
    return DataError(f"{source}: {why}")
