"""Datumaro's own JSON: a file for each subset, with items that name their images."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from hf_vft.data.annotated_boxes import Box
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.drawn import Drawn, drawn_table, json_files
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.data.sources.unread_formats import first_json
from hf_vft.errors import DataError


def is_datumaro(content: object) -> bool:
    """Whether this is the content of such a file."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("items"), list)
        and isinstance(content.get("categories"), dict)
        and "label" in content["categories"]
    )


def datumaro_files(listing: Listing, how: ReadOptions) -> str | None:
    """The first file of the format."""
    del how
    return first_json(".json", is_datumaro)(listing)


def read_datumaro(listing: Listing, first: str, how: ReadOptions) -> Table:
    """Read every file of the format; the name of a file is that of its subset.

    Raises:
        DataError: If an annotation has no label of the file, or lacks its numbers.
    """
    del first
    shapes = Shapes()
    return drawn_table(listing, _items(listing, shapes), shapes, how, "Datumaro")


def _items(listing: Listing, shapes: Shapes) -> Iterator[Drawn]:
    for file, content in json_files(listing, is_datumaro):
        names = [str(category.get("name")) for category in content["categories"]["label"]["labels"]]
        subset = posixpath.splitext(posixpath.basename(file))[0]
        for item in content["items"]:
            image, identity = item.get("image") or {}, str(item.get("id", ""))
            objects, tags = [], []
            for annotation in item.get("annotations", []):
                try:
                    if annotation["type"] == "label":
                        tags.append(names[annotation["label_id"]])
                        continue
                    box = _box(annotation, shapes)
                    if box is not None:
                        objects.append((box, names[annotation["label_id"]]))
                except (KeyError, TypeError, ValueError, IndexError):
                    raise DataError(f"{file}: an annotation of {identity!r} is damaged.") from None
            size = list(image.get("size") or [])
            declared = (int(size[1]), int(size[0])) if len(size) == 2 else None
            path = str(image.get("path") or identity)
            yield Drawn(
                file, path, tuple(objects), tuple(tags), declared, split=subset, others=(identity,)
            )


def _box(annotation: Mapping[str, Any], shapes: Shapes) -> Box | None:
    kind = annotation["type"]
    if kind == "bbox":
        x, y, width, height = (float(side) for side in annotation["bbox"])
        return (x, y, width, height)
    if kind in ("polygon", "rotated_bbox"):
        numbers = [float(side) for side in annotation["points"]]
        return shapes.around(list(zip(numbers[::2], numbers[1::2], strict=True)), kind)
    shapes.unused[kind] += 1
    return None
