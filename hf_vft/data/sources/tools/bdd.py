"""BDD100K: a list of images with their labels, or a JSON file for each image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hf_vft.data.annotated_boxes import Box, from_corners
from hf_vft.data.sources.folder_words import split_in_words
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.drawn import Drawn, drawn_table, json_files, objects_of
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.data.sources.unread_formats import first_json

_CORNERS = ("x1", "y1", "x2", "y2")


def is_bdd(content: object) -> bool:
    """Whether this is the content of such a file."""
    for image in _images(content)[:50]:
        if not isinstance(image, dict) or "name" not in image:
            return False
        labels = _labels(image)
        if labels:
            first = labels[0]
            return isinstance(first, dict) and "category" in first
    return False


def bdd_files(listing: Listing, how: ReadOptions) -> str | None:
    """The first file of the format."""
    del how
    return first_json(".json", is_bdd)(listing)


def read_bdd(listing: Listing, first: str, how: ReadOptions) -> Table:
    """Read every file of the format; lanes and drivable areas have no boxes and are counted.

    Raises:
        DataError: If a box is not complete.
    """
    del first
    shapes = Shapes()
    return drawn_table(listing, _drawn(listing, shapes), shapes, how, "BDD100K")


def _drawn(listing: Listing, shapes: Shapes) -> Iterator[Drawn]:
    for file, content in json_files(listing, is_bdd):
        words = split_in_words(file.rpartition("/")[2].removesuffix(".json"))
        for image in _images(content):
            name = str(image["name"])
            objects = objects_of(
                file,
                _labels(image),
                lambda label: _box(label, shapes),
                "category",
                f"a box of {name!r} is not complete",
            )
            yield Drawn(
                file, name, objects, split=words[0] if words else None, others=(f"{name}.jpg",)
            )


def _box(label: Mapping[str, Any], shapes: Shapes) -> Box | None:
    if label.get("box2d") is None:
        shapes.unused[str(label.get("category", "label"))] += 1
        return None
    return from_corners(*(float(label["box2d"][side]) for side in _CORNERS))


def _images(content: object) -> list[Any]:
    return content if isinstance(content, list) else [content]


def _labels(image: Mapping[str, Any]) -> list[Any]:
    """Of an image; the files of single images have them in frames."""
    frames = image.get("frames")
    if isinstance(frames, list) and frames and isinstance(frames[0], dict):
        return list(frames[0].get("objects") or [])
    labels = image.get("labels")
    return labels if isinstance(labels, list) else []
