"""LabelMe: a JSON file beside each image, in the frame of the upright image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from hf_vft.data.annotated_boxes import Box
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.drawn import (
    Drawn,
    declared_size,
    drawn_table,
    json_files,
    objects_of,
)
from hf_vft.data.sources.tools.shapes import Shapes, around, round_box
from hf_vft.data.sources.unread_formats import first_json, read_json
from hf_vft.errors import DataError

_AREAS = ("rectangle", "polygon", "mask", "oriented_rectangle", "rotation")
_WITHOUT_AREA = ("point", "points", "line", "linestrip")


def is_labelme(content: object) -> bool:
    """Whether this is the content of such a file."""
    return isinstance(content, dict) and {"shapes", "imagePath"} <= set(content)


def labelme_files(listing: Listing, how: ReadOptions) -> str | None:
    """The first file of the format."""
    del how
    return first_json(".json", is_labelme)(listing)


def read_labelme(listing: Listing, first: str, how: ReadOptions) -> Table:
    """Read every file of the format; flags that are set are classes of the image.

    Raises:
        DataError: If a shape is not made of points, or the images are in the files alone.
    """
    content = read_json(listing.path(first))
    if not listing.images and content is not None and content.get("imageData"):
        raise DataError(
            f"{listing.name}: there is no image beside {first}; its imageData holds it: write the "
            "images out with labelme_export_json, or put them there."
        )
    shapes = Shapes()
    return drawn_table(listing, _images(listing, shapes), shapes, how, "LabelMe")


def _images(listing: Listing, shapes: Shapes) -> Iterator[Drawn]:
    for file, content in json_files(listing, is_labelme):
        objects = objects_of(
            file,
            content["shapes"],
            lambda shape: _box(shape, shapes),
            "label",
            "a shape is not made of points",
        )
        flags = content.get("flags") or {}
        yield Drawn(
            file,
            str(content["imagePath"]).replace("\\", "/"),
            objects,
            tuple(name for name, on in flags.items() if on is True and not name.startswith("__")),
            declared_size(content.get("imageWidth"), content.get("imageHeight")),
            others=(file.rpartition("/")[2].removesuffix(".json"),),
        )


def _box(shape: Mapping[str, Any], shapes: Shapes) -> Box | None:
    kind, points = shape.get("shape_type") or "polygon", shape["points"]
    if kind == "circle":
        (x, y), (edge_x, edge_y) = points
        shapes.boxed["circle"] += 1
        return round_box(x, y, math.hypot(edge_x - x, edge_y - y))
    if kind in _WITHOUT_AREA or kind not in _AREAS:
        shapes.unused[kind] += 1
        return None
    return around(points) if kind == "rectangle" else shapes.around(points, kind)
