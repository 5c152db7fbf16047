"""CreateML: one JSON file a folder; x and y of a box are its centre, in pixels."""

from __future__ import annotations

from collections.abc import Iterator

from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.drawn import Drawn, drawn_table, json_files
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.data.sources.unread_formats import first_json
from hf_vft.errors import DataError

_NAMES = ("image", "imagefilename")


def is_createml(content: object) -> bool:
    """Whether this is the content of such a file."""
    first = content[0] if isinstance(content, list) and content else None
    if not isinstance(first, dict) or not any(name in first for name in _NAMES):
        return False
    marks = first.get("annotations", first.get("annotation"))
    return isinstance(marks, list) and all(isinstance(mark, dict) for mark in marks)


def createml_files(listing: Listing, how: ReadOptions) -> str | None:
    """The first file of the format."""
    del how
    return first_json(".json", is_createml)(listing)


def read_createml(listing: Listing, first: str, how: ReadOptions) -> Table:
    """Read every file of the format; annotations without coordinates are classes of the image.

    Raises:
        DataError: If coordinates are incomplete.
    """
    del first
    shapes = Shapes()
    return drawn_table(listing, _images(listing), shapes, how, "CreateML")


def _images(listing: Listing) -> Iterator[Drawn]:
    for file, content in json_files(listing, is_createml):
        for image in content:
            name = str(next((image[key] for key in _NAMES if key in image), ""))
            objects, tags = [], []
            for mark in image.get("annotations", image.get("annotation", [])):
                place, label = mark.get("coordinates"), str(mark.get("label", ""))
                if place is None:
                    tags.append(label)
                    continue
                try:
                    x, y, w, h = (float(place[side]) for side in ("x", "y", "width", "height"))
                except (KeyError, TypeError, ValueError):
                    raise DataError(f"{file}: a box of {name!r} is not complete.") from None
                objects.append(((x - w / 2, y - h / 2, w, h), label))
            yield Drawn(file, name, tuple(objects), tuple(tags))
