"""VGG Image Annotator (VIA), versions 1 and 2: a project, or its annotations as JSON or CSV."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hf_vft.data.annotated_boxes import Box
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.textfiles import read_csv_records
from hf_vft.data.sources.tools.drawn import Drawn, drawn_table, json_files
from hf_vft.data.sources.tools.shapes import Shapes, round_box
from hf_vft.data.sources.unread_formats import first_csv, first_json
from hf_vft.errors import AmbiguousSourceError, DataError
from hf_vft.utils.text import quoted

_PROJECT = "_via_img_metadata"
_USUAL = ("label", "class", "category", "type", "name", "object")


def is_via(content: object) -> bool:
    """Whether this is the content of such a file."""
    if not isinstance(content, dict):
        return False
    entries = content.get(_PROJECT, content)
    first = next(iter(entries.values()), None) if isinstance(entries, dict) else None
    return isinstance(first, dict) and {"filename", "regions"} <= set(first)


def via_files(listing: Listing, how: ReadOptions) -> str | None:
    """The first file of the format."""
    del how
    return first_json(".json", is_via)(listing) or first_csv(_is_csv)(listing)


def read_via(listing: Listing, first: str, how: ReadOptions) -> Table:
    """Read every file of the format.

    Regions have attributes, of which one is the class; ``data.label_column`` names it where there
    are several.

    Raises:
        AmbiguousSourceError: If several attributes could be the class.
        DataError: If a shape lacks its numbers.
    """
    del first
    shapes = Shapes()
    files = dict(json_files(listing, is_via))
    entries = [(file, entry) for file, c in files.items() for entry in c.get(_PROJECT, c).values()]
    entries = entries or _of_csv(listing)
    region = _attribute([a for _, entry in entries for a in _region_attributes(entry)], how)
    whole = _attribute([entry.get("file_attributes") or {} for _, entry in entries], how)
    drawn = (_image(file, entry, region, whole, shapes) for file, entry in entries)
    return drawn_table(listing, drawn, shapes, how, "VIA")


def _is_csv(header: str) -> bool:
    return {"filename", "region_shape_attributes", "region_attributes"} <= set(
        header.strip().lstrip("#").split(",")
    )


def _of_csv(listing: Listing) -> list[tuple[str, dict[str, Any]]]:
    """The images of VIA's CSV, which has a row for each region, as its JSON has them."""
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for file in listing.ending(".csv"):
        header, *rows = read_csv_records(listing.path(file), shown=file) or [[]]
        names = [name.strip().lstrip("#") for name in header]
        if not _is_csv(",".join(names)):
            continue
        for number, values in enumerate(rows, start=2):
            row = dict(zip(names, values, strict=False))
            try:
                whole, shape, attributes = (
                    json.loads(row.get(key) or "{}")
                    for key in ("file_attributes", "region_shape_attributes", "region_attributes")
                )
            except ValueError:
                raise DataError(f"{file}, line {number}: attributes that are not JSON.") from None
            image = row.get("filename", "")
            new = {"filename": image, "file_attributes": whole, "regions": []}
            entry = entries.setdefault((file, image), new)
            if shape:
                entry["regions"].append(
                    {"shape_attributes": shape, "region_attributes": attributes}
                )
    return [(file, entry) for (file, _), entry in entries.items()]


def _regions(entry: Mapping[str, Any]) -> list[Any]:
    regions = entry.get("regions") or []
    return list(regions.values()) if isinstance(regions, dict) else list(regions)


def _region_attributes(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [region.get("region_attributes") or {} for region in _regions(entry)]


def _attribute(attributes_of_all: list[dict[str, Any]], how: ReadOptions) -> str | None:
    """The attribute that is the class; None where there is none."""
    used = Counter(
        name
        for attributes in attributes_of_all
        for name, value in attributes.items()
        if value not in ("", {})
    )
    asked = how.config.label_column
    if asked != "auto":
        return asked if asked in used else None
    if len(used) <= 1:
        return next(iter(used), None)
    usual = [name for name in used if name.casefold() in _USUAL]
    if len(usual) == 1:
        return usual[0]
    options = [(f"the attribute {name!r}", f"data.label_column={name}") for name in sorted(used)]
    raise AmbiguousSourceError(
        f"VIA: {quoted(sorted(used))} are attributes of what is marked; which is the class? Set "
        "data.label_column to it.",
        options,
    )


def _names(attributes: Mapping[str, Any], name: str | None) -> list[str]:
    value = attributes.get(name) if name is not None else None
    if isinstance(value, dict):  # a checkbox: each that is ticked
        return [str(name) for name, on in value.items() if on]
    return [str(value)] if value not in (None, "") else []


def _image(
    file: str, entry: Mapping[str, Any], region: str | None, whole: str | None, shapes: Shapes
) -> Drawn:
    objects: list[tuple[Box, str]] = []
    for mark in _regions(entry):
        try:
            box = _box(mark.get("shape_attributes") or {}, shapes)
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{file}: a shape of {entry['filename']!r} lacks numbers.") from None
        names = _names(mark.get("region_attributes") or {}, region)
        if box is not None and not names:
            shapes.unused["region without a class"] += 1
        objects += [(box, name) for name in names if box is not None]
    tags = _names(entry.get("file_attributes") or {}, whole)
    return Drawn(file, str(entry["filename"]), tuple(objects), tuple(tags))


def _box(shape: Mapping[str, Any], shapes: Shapes) -> Box | None:
    kind = shape.get("name")
    if kind == "rect":
        x, y, width, height = (float(shape[side]) for side in ("x", "y", "width", "height"))
        return (x, y, width, height)
    if kind == "circle":
        shapes.boxed["circle"] += 1
        return round_box(float(shape["cx"]), float(shape["cy"]), float(shape["r"]))
    if kind == "ellipse":
        shapes.boxed["ellipse"] += 1
        box = round_box(*(float(shape[side]) for side in ("cx", "cy", "rx", "ry")))
        return shapes.turned(box, math.degrees(float(shape.get("theta") or 0)))
    if kind == "polygon":
        points = zip(shape["all_points_x"], shape["all_points_y"], strict=True)
        return shapes.around(list(points), "polygon")
    shapes.unused[str(kind)] += 1
    return None
