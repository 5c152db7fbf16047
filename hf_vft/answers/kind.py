"""The interface of a kind of answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from hf_vft.errors import DataError
from hf_vft.evaluation.intervals import Floats
from hf_vft.records.joined_labels import join_names, split_names

if TYPE_CHECKING:
    import pandas as pd


class GivenBox(Protocol):
    """A box of an answer; see `hf_vft.tasks.DetectedObject`."""

    @property
    def label(self) -> str:
        """Class name."""

    @property
    def score(self) -> float:
        """In [0, 1]."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in pixels of the image."""


class GivenAnswer(Protocol):
    """The answer to one image; see `hf_vft.tasks.Prediction`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What is answered."""

    @property
    def scores(self) -> np.ndarray:
        """Calibrated probability of each class ``[C]``."""

    @property
    def confidence(self) -> float:
        """The highest score."""

    @property
    def answered(self) -> Sequence[GivenBox]:
        """The boxes that are answered."""


@dataclass(frozen=True)
class WholeScore:
    """A score of many images together, which no average over images gives.

    Attributes:
        title: For people, such as ``mAP50``.
        what: Of what it is taken.
        values: From rows with their truth, the classes and weights ``[N, B]`` to ``[B]``.
    """

    title: str
    what: str
    values: Callable[[pd.DataFrame, Sequence[str], Floats], Floats]


@dataclass(frozen=True)
class Scoring:
    """How right answers are, image by image.

    Attributes:
        what: Is compared, for people.
        totals: From rows with their truth, and the classes, to what is right, answered and there
            ``[N, 3]``; F1 follows from it.
        whole: Further scores, by name.
    """

    what: str
    totals: Callable[[pd.DataFrame, Sequence[str]], Floats]
    whole: Mapping[str, WholeScore] = field(default_factory=dict)


@dataclass(frozen=True)
class PageWords:
    """What the page of a server says; by default the second image is a heat map.

    Attributes:
        question: Asked for feedback.
        columns: Of a table of answers, between the file and the error.
        target: Label of the list of classes beside the image.
        target_info: What it means to choose none.
        shown: Title of the second image.
        alt_text: Of the second image.
    """

    question: str
    columns: tuple[str, ...]
    target: str = "Explain another class"
    target_info: str = "Empty: the answer."
    shown: str = "Why this answer"
    alt_text: str = "The image with a heat map of what speaks for the answer"


@dataclass(frozen=True)
class CardWords:
    """What the model card says.

    Attributes:
        verb: Before the classes, of what the model does with them in images.
        auto_class: Of plain transformers, which loads the model.
    """

    verb: str
    auto_class: str


class AnswerKind(ABC):
    """What a model's answers are, once they are given.

    A kind whose images have exactly one label is *exclusive*; the label stands in the log as it
    is. All others join their names there, and are compared as `scoring` says.
    """

    task: ClassVar[str]
    """The task's name in recipes, and in the log."""

    exclusive: ClassVar[bool] = False
    """Whether every image has exactly one label."""

    boxes: ClassVar[bool] = False
    """Whether an answer has boxes."""

    scored: ClassVar[bool] = False
    """Whether an answer is a score of how unlike good images an image is, and no confidence."""

    @property
    def abstains(self) -> bool:
        """Whether an answer can be *not sure*."""
        return self.exclusive and not self.scored

    tracked: ClassVar[tuple[str, ...]] = ("confidence", "count")
    """Columns of numbers whose drift is watched; those that are not there are passed over."""

    space: ClassVar[str] = "classifier"
    """The folder of ``spaces/`` that a Space is made from."""

    page: ClassVar[PageWords]
    card: ClassVar[CardWords]

    def names(self, text: str) -> list[str]:
        """The classes in a label or an answer of the log."""
        return split_names(text)

    def joined(self, names: Sequence[str]) -> str:
        """Classes as the log holds them."""
        return join_names(names)

    def told(self, given: Sequence[str], classes: Sequence[str]) -> list[str]:
        """The classes that feedback names, which may have joined some.

        Raises:
            DataError: If there have to be more or fewer.
        """
        return [
            name for text in given for name in ([text] if text in classes else split_names(text))
        ]

    def with_tracked(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rows of the log with the columns of `tracked` that follow from others."""
        return frame

    @abstractmethod
    def columns(
        self,
        answers: Sequence[GivenAnswer],
        logits: np.ndarray | None,
        classes: Sequence[str],
        sizes: Sequence[tuple[int, int]],
    ) -> list[dict[str, Any]]:
        """Answers as columns of `hf_vft.records.PREDICTIONS`, a row an image.

        Args:
            answers: N of them.
            logits: ``[N, C]`` before the temperature, where the model has such.
            classes: The C classes.
            sizes: Width and height of each image in pixels.
        """

    def scoring(self, frames: Sequence[pd.DataFrame]) -> Scoring:
        """How the answers in these rows are compared with their truth.

        Args:
            frames: Rows of the log with their labels: all of them have to allow it.
        """
        return Scoring("sets of labels", self._set_totals)

    def _set_totals(self, frame: pd.DataFrame, classes: Sequence[str]) -> Floats:
        answered, true = (
            [set(self.names(str(text))) for text in frame[name]] for name in ("predicted", "label")
        )
        totals = [
            (len(said & there), len(said), len(there))
            for said, there in zip(answered, true, strict=True)
        ]
        return np.array(totals, dtype=float).reshape(-1, 3)


def one_of(given: Sequence[str]) -> list[str]:
    """Feedback that names exactly one class.

    Raises:
        DataError: If it does not.
    """
    if len(given) != 1 or not given[0]:
        raise DataError("one label is needed: the one that is right.")
    return list(given)
