"""Supervisely: folders ``img`` and ``ann``, with a JSON file named after each image."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
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
from hf_vft.data.sources.tools.shapes import Shapes, around
from hf_vft.data.sources.unread_formats import first_json


def is_supervisely(content: object) -> bool:
    """Whether this is the content of such a file."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("objects"), list)
        and isinstance(content.get("size"), dict)
    )


def supervisely_files(listing: Listing, how: ReadOptions) -> str | None:
    """The first file of the format."""
    del how
    return first_json(".json", is_supervisely)(listing)


def read_supervisely(listing: Listing, first: str, how: ReadOptions) -> Table:
    """Read every file of the format; tags are classes of the image.

    Raises:
        DataError: If an object lacks its points.
    """
    del first
    shapes = Shapes()
    return drawn_table(listing, _images(listing, shapes), shapes, how, "Supervisely")


def _images(listing: Listing, shapes: Shapes) -> Iterator[Drawn]:
    for file, content in json_files(listing, is_supervisely):
        objects = objects_of(
            file,
            content["objects"],
            lambda item: _box(item, shapes),
            "classTitle",
            "an object lacks its points",
        )
        tags = tuple(str(tag.get("name")) for tag in content.get("tags") or [])
        folder, _, name = file.removesuffix(".json").rpartition("/")
        beside = f"{folder.removesuffix('ann')}img/{name}" if folder.endswith("ann") else name
        size = declared_size(content["size"].get("width"), content["size"].get("height"))
        yield Drawn(file, beside, objects, tags, size, others=(name,))


def _box(item: Mapping[str, Any], shapes: Shapes) -> Box | None:
    kind = item.get("geometryType", "polygon")
    if kind == "bitmap":
        return _of_bitmap(item["bitmap"], shapes)
    points = item["points"]["exterior"]
    if kind == "rectangle":
        return around(points)
    if kind == "polygon":
        return shapes.around(points, "polygon")
    shapes.unused[kind] += 1
    return None


def _of_bitmap(bitmap: Mapping[str, Any], shapes: Shapes) -> Box:
    """From the corner and the size of the packed PNG."""
    try:
        # No more than the header is unpacked.
        head = zlib.decompressobj().decompress(base64.b64decode(bitmap["data"]), 24)
        width, height = struct.unpack(">II", head[16:24])
    except (binascii.Error, zlib.error, struct.error) as error:
        raise ValueError(str(error)) from None
    shapes.boxed["bitmap"] += 1
    x, y = bitmap["origin"]
    return (float(x), float(y), float(width), float(height))
