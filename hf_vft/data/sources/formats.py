"""The formats of annotation tools: how a folder of each is known, and who reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hf_vft.data.sources.coco import coco_files, read_coco
from hf_vft.data.sources.how import How
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.unread_formats import UNREAD
from hf_vft.data.sources.voc import read_voc, voc_files
from hf_vft.data.sources.yolo import read_yolo, yolo_labels

BOXES = frozenset({"boxes"})


@dataclass(frozen=True)
class Format:
    """A format that some tool writes.

    Attributes:
        name: As ``data.format``.
        title: For people.
        recognise: What of a folder is in this format; nothing where none is.
        read: Reads what was recognised.
        kinds: What its labels can be, keys of :data:`hf_vft.data.kinds.KINDS`.
    """

    name: str
    title: str
    recognise: Callable[[Listing, How], Any]
    read: Callable[[Listing, Any, How], Table]
    kinds: frozenset[str] = BOXES


FORMATS: tuple[Format, ...] = (
    Format("coco", "COCO", coco_files, read_coco, BOXES | {"class", "classes"}),
    Format("voc", "Pascal VOC", voc_files, read_voc),
    Format("yolo", "YOLO", yolo_labels, read_yolo),
)
"""The formats that are read; where a folder is in several, the first counts."""


def recognised(listing: Listing, how: How) -> list[tuple[Format, Any]]:
    """The formats of annotations in a folder, with what was found of each."""
    wanted = [f for f in FORMATS if how.config.format in (None, f.name) and how.takes(f.kinds)]
    found = [(one, one.recognise(listing, how)) for one in wanted]
    return [(one, evidence) for one, evidence in found if evidence]


def unread(listing: Listing) -> str | None:
    """What is known of a format that is not read: its name, and what to do."""
    for one in UNREAD:
        file = one.recognise(listing)
        if file is not None:
            return f"{file} is {one.title}, which is not read: {one.advice}."
    return None


def format_names() -> list[str]:
    """The values of ``data.format``."""
    return ["folders", "table", *(one.name for one in FORMATS)]
