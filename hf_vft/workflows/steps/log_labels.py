"""The truth about an image as columns of the production log: ``label``, and ``true_boxes``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hf_vft.data.annotated_boxes import Objects, clean_objects
from hf_vft.data.label_types import LabelKind
from hf_vft.records import join_names


def label_read(label: Any, size: tuple[int, int]) -> dict[str, Any]:
    """A label as read from a source, as `hf_vft.records.LABELS` has it.

    Args:
        label: A name, several names, or `Objects`.
        size: Width and height of the image in pixels.
    """
    if isinstance(label, Objects):
        cleaned = clean_objects([label], [size])[0][0] or label
        return {
            "label": join_names(cleaned.categories),
            "boxes": _boxes(cleaned.boxes, cleaned.categories),
        }
    return {"label": label if isinstance(label, str) else join_names(label)}


def label_stored(value: object, kind: LabelKind, names: Sequence[str]) -> dict[str, Any]:
    """The same of what the column ``label`` of a split holds."""
    members = kind.members([value], len(names))[0]
    held = [name for name, present in zip(names, members, strict=True) if present]
    row: dict[str, Any] = {"label": held[0] if kind.exclusive else join_names(held)}
    if isinstance(value, Mapping):
        row["true_boxes"] = _boxes(value["bbox"], [names[k] for k in value["category"]])
    return row


def _boxes(boxes: Sequence[Sequence[float]], names: Sequence[str]) -> list[dict[str, Any]]:
    sides = ("x", "y", "width", "height")
    return [
        {**dict(zip(sides, map(float, box), strict=True)), "score": None, "label": name}
        for box, name in zip(boxes, names, strict=True)
    ]
