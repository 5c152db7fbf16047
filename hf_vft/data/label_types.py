"""The kinds of labels an image can have: one class, several classes, boxes.

Everything that reading, dividing and auditing need to know about a label is here, so that they
work for all kinds alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import datasets
import numpy as np

from hf_vft.data.annotated_boxes import Objects


class LabelKind(ABC):
    """The form of one label, as read from a source and as stored in the column ``label``."""

    name: ClassVar[str]
    reason: ClassVar[str]
    """Why a task for this kind was chosen, for ``choices.json``."""

    fewest_classes: ClassVar[int] = 1
    exclusive: ClassVar[bool] = False
    """Whether every image is of exactly one class."""

    learns_first_class: ClassVar[bool] = False
    """Whether only images of the first class are learned from; all others are held out."""

    @abstractmethod
    def names(self, label: Any) -> tuple[str, ...]:
        """The class names in a label as read; a name for each object."""

    @abstractmethod
    def encode(self, label: Any, ids: Mapping[str, int]) -> Any:
        """A label as read to what the column ``label`` holds."""

    @abstractmethod
    def feature(self, classes: Sequence[str]) -> Any:
        """The type of the column ``label``."""

    @abstractmethod
    def members(self, values: Sequence[Any], n_classes: int) -> np.ndarray:
        """Count of each class in each image, from the column ``label``; ``int [N, C]``."""

    def key(self, label: object) -> str:
        """A text that differs where labels as read do."""
        return self.text(self.names(label))

    def text(self, names: Sequence[str]) -> str:
        """The classes of one image, for people."""
        counted = {name: list(names).count(name) for name in dict.fromkeys(names)}
        parts = [name if n == 1 else f"{n} × {name}" for name, n in sorted(counted.items())]
        return ", ".join(parts) or "(none)"

    def texts(self, values: Sequence[Any], classes: Sequence[str]) -> list[str]:
        """The column ``label`` for people."""
        return [
            self.text([name for name, n in zip(classes, row, strict=True) for _ in range(n)])
            for row in self.members(values, len(classes))
        ]


class OneClass(LabelKind):
    """Every image is of one class; read and shown as its name, stored as its id."""

    name: ClassVar[str] = "class"
    reason: ClassVar[str] = "every image has one label"
    fewest_classes: ClassVar[int] = 2
    exclusive: ClassVar[bool] = True

    def names(self, label: object) -> tuple[str, ...]:
        """The one name."""
        return (str(label),)

    def encode(self, label: object, ids: Mapping[str, int]) -> Any:
        """The id, or None."""
        return ids.get(str(label))

    def feature(self, classes: Sequence[str]) -> Any:
        """``ClassLabel``."""
        return datasets.ClassLabel(names=list(classes))

    def members(self, values: Sequence[Any], n_classes: int) -> np.ndarray:
        """One-hot."""
        members: np.ndarray = np.eye(n_classes, dtype=np.int64)[np.asarray(values, dtype=np.int64)]
        return members


class ManyClasses(LabelKind):
    """An image is of any number of classes; read as their names, stored as 0 and 1 ``[C]``."""

    name: ClassVar[str] = "classes"
    reason: ClassVar[str] = "an image can have several labels"

    def names(self, label: Iterable[str]) -> tuple[str, ...]:
        """All of them."""
        return tuple(label)

    def encode(self, label: Iterable[str] | None, ids: Mapping[str, int]) -> Any:
        """A 1 for each class the image has; None where there is no label."""
        if label is None:
            return None
        return [int(name in label) for name in ids]

    def feature(self, classes: Sequence[str]) -> Any:
        """A list of as many as there are classes."""
        return datasets.List(datasets.Value("int8"), length=len(classes))

    def members(self, values: Sequence[Any], n_classes: int) -> np.ndarray:
        """The stored vectors, unchanged."""
        return np.asarray(values, dtype=np.int64).reshape(len(values), n_classes)


class ClassBoxes(LabelKind):
    """Boxes with a class each; read as `Objects`, stored with the size of the image.

    The column ``label`` holds ``size`` (width, height), ``bbox`` (x, y, width, height in pixels,
    from the top left corner) and ``category`` (ids).
    """

    name: ClassVar[str] = "boxes"
    reason: ClassVar[str] = "the labels are boxes"

    def names(self, label: Objects) -> tuple[str, ...]:
        """The class of each box."""
        return tuple(label.categories)

    def key(self, label: object) -> str:
        """Classes and places."""
        return repr(label)

    def encode(self, label: object, ids: Mapping[str, int]) -> Any:
        """See the class."""
        if not isinstance(label, Objects):
            return None
        return {
            "size": list(label.size),
            "bbox": [list(box) for box in label.boxes],
            "category": [ids[name] for name in label.categories],
        }

    def feature(self, classes: Sequence[str]) -> Any:
        """See the class."""
        return {
            "size": datasets.List(datasets.Value("int32"), length=2),
            "bbox": datasets.List(datasets.List(datasets.Value("float32"), length=4)),
            "category": datasets.List(datasets.ClassLabel(names=list(classes))),
        }

    def members(self, values: Sequence[Any], n_classes: int) -> np.ndarray:
        """Number of boxes of each class."""
        members = np.zeros((len(values), n_classes), dtype=np.int64)
        for row, value in enumerate(values):
            np.add.at(members[row], value["category"], 1)
        return members


class GoodOrAnomaly(OneClass):
    """An image is good or an anomaly; what is learned is good. Stored as 0 and 1.

    The first class is that of the good images, under the name that the source gives it.
    """

    name: ClassVar[str] = "anomaly"
    reason: ClassVar[str] = "there are good images alone to learn from"
    fewest_classes: ClassVar[int] = 1
    learns_first_class: ClassVar[bool] = True


KINDS: dict[str, LabelKind] = {
    kind.name: kind for kind in (OneClass(), ManyClasses(), ClassBoxes(), GoodOrAnomaly())
}
