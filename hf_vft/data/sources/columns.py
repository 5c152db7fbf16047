"""Which column of a table holds the picture, the label, the split, the group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import datasets

from hf_vft.data.wording import quoted
from hf_vft.errors import DataError, MissingColumnError
from hf_vft.recipe import DataConfig

IMAGE_NAMES = (
    "image", "img", "picture", "photo", "file_name", "filename", "file", "path", "filepath",
    "file_path", "image_path", "image_file", "img_path",
)  # fmt: skip
LABEL_NAMES = ("label", "labels", "class", "class_name", "target", "category", "tags")
BOX_NAMES = ("objects", "annotations", "boxes")
SPLIT_NAMES = ("split", "partition", "subset")
NONE = "none"
"""As ``data.split_column``: whatever splits there are, divide all pictures anew."""
FROM_SOURCE = "source"
"""What ``auto`` becomes where the source says it in another way than by a column."""


@dataclass(frozen=True)
class Columns:
    """The parts that the columns of one table play; None where no column does.

    Attributes:
        image: Names or holds the picture.
        label: A class, a list of classes, or boxes.
        split: Train, validation or test.
        group: What must not be torn apart.
        flags: One column of 0 and 1 for each class, in place of ``label``.
    """

    image: str
    label: str | None
    split: str | None
    group: str | None
    flags: tuple[str, ...] = ()


def find_columns(
    features: datasets.Features, config: DataConfig, *, boxes: bool | None = None
) -> Columns:
    """Find the columns, by what the recipe names, then by type, then by usual names.

    Args:
        features: Of the table.
        config: What the recipe names.
        boxes: Whether the labels have to be boxes, or must not be; None takes what is there, a
            class before boxes.

    Raises:
        DataError: If a named column is missing, none fits or several do; names the columns.
    """
    names = list(features)
    for name in config.slice_columns:
        _require(name, names, "data.slice_columns")
    if config.group_column is not None:
        _require(config.group_column, names, "data.group_column")
    image = _find("image", config.image_column, names, _of_type(features, datasets.Image))
    if image is None:
        image = _only("image", names, IMAGE_NAMES)
    if image is None:
        raise DataError(
            f"No column names the pictures: set data.image_column to one of {quoted(names)}."
        )
    flags = () if config.label_columns == "auto" else tuple(config.label_columns)
    for name in flags:
        _require(name, names, "data.label_columns")
    label = None if flags else _label(features, config, boxes)
    split = None
    if config.split_column != NONE:
        split = _find("split", config.split_column, names, [])
        if split is None:
            split = _only("split", names, SPLIT_NAMES)
    return Columns(image, label, split, config.group_column, flags)


def box_columns(features: datasets.Features) -> list[str]:
    """Columns whose values are boxes with classes, those with a usual name first."""
    found = [name for name, feature in features.items() if box_fields(feature) is not None]
    return sorted(found, key=lambda name: name.strip().casefold() not in BOX_NAMES)


def box_fields(feature: Any) -> tuple[str, str] | None:
    """Which fields of a column hold the boxes and their classes; None if it is none of boxes.

    Understood are ``{"bbox": [[…]], "category": […]}`` and ``[{"bbox": […], "category": …}]``.
    """
    fields = item_of(feature) or feature
    if not isinstance(fields, dict):
        return None
    box = next((name for name in ("bbox", "boxes", "box") if name in fields), None)
    kinds = ("category", "categories", "category_id", "label", "labels", "classes")
    category = next((name for name in kinds if name in fields), None)
    return None if box is None or category is None else (box, category)


def item_of(feature: Any) -> Any:
    """What a list of a table is a list of; None where the column holds no lists."""
    if isinstance(feature, list):
        return feature[0]
    return feature.feature if isinstance(feature, datasets.List) else None


def _label(features: datasets.Features, config: DataConfig, boxes: bool | None) -> str | None:
    names = list(features)
    marked = box_columns(features)
    if config.label_column not in ("auto", FROM_SOURCE):
        return _require(config.label_column, names, "data.label_column")
    if boxes:
        return marked[0] if marked else None
    typed = _of_type(features, datasets.ClassLabel)
    label = typed[0] if len(typed) == 1 else _only("label", names, LABEL_NAMES)
    return label if label is not None or boxes is False or not marked else marked[0]


def refuse_columns(config: DataConfig, source: str) -> None:
    """Stop where the recipe names a column of a source that has none."""
    flags = [] if config.label_columns == "auto" else config.label_columns
    named = [config.image_column, config.label_column, config.group_column, *config.slice_columns]
    named += flags
    for name in (*named, config.split_column):
        if name not in (None, "auto", NONE, FROM_SOURCE):
            message = f"{source} has no column {name!r}: describe it in a metadata.csv."
            raise MissingColumnError(message, str(name))


def require_label(names: Sequence[str]) -> NoReturn:
    """Stop because no column holds the labels."""
    choice = f"set data.label_column to one of {quoted(names)}" if names else "add one"
    raise DataError(f"No column holds the labels: {choice}.")


def _find(role: str, configured: str, names: list[str], typed: list[str]) -> str | None:
    if configured not in ("auto", FROM_SOURCE):
        return _require(configured, names, f"data.{role}_column")
    return typed[0] if len(typed) == 1 else None


def _of_type(features: datasets.Features, kind: type) -> list[str]:
    return [name for name, feature in features.items() if isinstance(feature, kind)]


def _only(role: str, names: list[str], usual: Sequence[str]) -> str | None:
    found = [name for name in names if name.strip().casefold() in usual]
    if len(found) > 1:
        raise DataError(
            f"Several columns could be the {role}: {quoted(found)}; choose one with "
            f"data.{role}_column."
        )
    return found[0] if found else None


def _require(name: str, names: list[str], setting: str) -> str:
    if name not in names:
        message = f"{setting}: no column {name!r}; there are {quoted(names)}."
        raise MissingColumnError(message, name)
    return name
