"""What every kind of source is read into, before anything is checked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from hf_vft.data.label_types import KINDS, LabelKind
from hf_vft.data.sources.reading import Reading

SPLIT_NAMES = {
    "train": (
        "train", "training", "trainingsdaten", "entrenamiento", "entrainement", "entraînement",
        "apprentissage", "treino", "treinamento", "addestramento", "обучение", "训练", "训练集",
        "訓練", "学習", "학습", "훈련",
    ),
    "validation": (
        "validation", "val", "valid", "dev", "development", "validierung", "validación",
        "validacion", "validação", "validacao", "validazione", "валидация", "验证", "验证集",
        "検証", "검증",
    ),
    "test": (
        "test", "testing", "eval", "evaluation", "testdaten", "prueba", "pruebas", "teste",
        "testes", "тест", "测试", "测试集", "テスト", "테스트",
    ),
}  # fmt: skip
"""The three splits, in their order, and what people call them, in several languages."""

_FIELDS = ["bytes", "path"]
_CANONICAL = {alias: name for name, aliases in SPLIT_NAMES.items() for alias in aliases}


@dataclass(frozen=True)
class Table:
    """Images and what is known about each; all lists are as long as ``images``.

    Attributes:
        images: One column, ``image``, not decoded.
        files: The name shown to people; unique.
        labels: Of the ``kind``: a class name, several, or `Objects`; None where the source has
            none.
        splits: ``train``, ``validation`` or ``test``; None when the source is not split.
        groups: Value of the group column; None when there is none.
        extras: The other columns.
        class_names: The order of the classes, where the source fixes one.
        notes: One plain line per doubtful thing.
        columns: The source's columns that were read as ``image``, ``label`` and ``split``.
        flags: The source's columns of 0 and 1 that were read as the labels.
        kind: What each label is.
        reading: The interpretation of the source.
    """

    images: datasets.Dataset
    files: list[str]
    labels: list[Any]
    splits: list[str] | None = None
    groups: list[str | None] | None = None
    extras: dict[str, list[Any]] = field(default_factory=dict)
    class_names: list[str] | None = None
    notes: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    kind: LabelKind = KINDS["class"]
    reading: Reading | None = None

    def select(self, rows: Sequence[int], note: str | None = None) -> Table:
        """The table with only ``rows``, and a note that says why where that is doubtful."""

        def pick(column: list[Any]) -> list[Any]:
            return [column[row] for row in rows]

        return replace(
            self,
            images=self.images.select(rows),
            files=pick(self.files),
            labels=pick(self.labels),
            splits=pick(self.splits) if self.splits is not None else None,
            groups=pick(self.groups) if self.groups is not None else None,
            extras={name: pick(column) for name, column in self.extras.items()},
            notes=[*self.notes, *([note] if note else [])],
        )


def canonical_split(name: object) -> str | None:
    """``train``, ``validation`` or ``test`` for any usual name of it, else None."""
    return _CANONICAL.get(unicodedata.normalize("NFC", str(name)).strip().casefold())


def image_rows(paths: Sequence[str | Path]) -> datasets.Dataset:
    """A dataset that names image files without reading them."""
    names = pa.array([str(path) for path in paths], pa.string())
    column = pa.StructArray.from_arrays([pa.nulls(len(names), pa.binary()), names], _FIELDS)
    features = datasets.Features({"image": datasets.Image(decode=False)})
    return datasets.Dataset(pa.table({"image": column}), datasets.DatasetInfo(features=features))
