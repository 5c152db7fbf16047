"""Label Studio's own JSON: tasks with results, whose numbers are per cent of the shown image."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hf_vft.data.annotated_boxes import Box
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.textfiles import read_csv_records
from hf_vft.data.sources.tools.drawn import Drawn, drawn_table, json_files
from hf_vft.data.sources.tools.shapes import Shapes, round_box
from hf_vft.data.sources.unread_formats import first_file, first_json, read_json
from hf_vft.errors import DataError

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the names of uploaded files."""

_MARKS = tuple(f"{kind}labels" for kind in ("rectangle", "polygon", "ellipse", "brush", "keypoint"))


def is_label_studio(content: object) -> bool:
    """Whether this is the content of such a file."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and {"data", "annotations"} <= set(first)


def label_studio_files(listing: Listing, how: ReadOptions) -> str | None:
    """The first file of the format, or of its shorter forms JSON_MIN and CSV where they mark."""
    del how
    return (
        first_json(".json", is_label_studio)(listing)
        or first_json(".json", _is_short)(listing)
        or first_file(".csv", lambda file: _is_short(_csv_rows(file)))(listing)
    )


def read_label_studio(listing: Listing, first: str, how: ReadOptions) -> Table:
    """Read every task of every file; of several annotations of a task the last counts.

    Choices are classes of the image. What was cancelled is left out.

    Raises:
        DataError: If a result lacks its numbers, or a task names no image.
    """
    shapes = Shapes()
    is_export = is_label_studio(read_json(listing.path(first)))
    drawn = label_studio_tasks(listing, shapes) if is_export else _short_tasks(listing, shapes)
    title = "Label Studio's JSON" if is_export else "Label Studio's short export"
    return drawn_table(listing, drawn, shapes, how, title)


def label_studio_tasks(listing: Listing, shapes: Shapes) -> Iterator[Drawn]:
    """The annotations of each task of each file, in order; boxes in shares of the sides."""
    for file, content in json_files(listing, is_label_studio):
        for task in content:
            annotations = [
                annotation
                for annotation in task.get("annotations", [])
                if not annotation.get("was_cancelled")
            ]
            if len(annotations) > 1:
                shapes.unused["earlier annotation of an image"] += len(annotations) - 1
            results = annotations[-1].get("result", []) if annotations else []
            yield _task(file, task.get("data") or {}, results, shapes)


def _task(
    file: str, data: Mapping[str, Any], results: Sequence[Mapping[str, Any]], shapes: Shapes
) -> Drawn:
    name = _image(data, file)
    objects: list[tuple[Box, str]] = []
    tags: list[str] = []
    for result in results:
        value = result.get("value") or {}
        try:
            box = _box(result, value, shapes)
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{file}: a result of {name!r} lacks numbers.") from None
        if box is not None:
            objects += [(box, str(label)) for label in value.get(result["type"], ())]
        tags += [str(label) for label in value.get("choices", ())]
    last = name.rpartition("/")[2]
    others = (last, _UPLOADED.sub("", last))
    return Drawn(file, name, tuple(objects), tuple(tags), relative=True, others=others)


def _short_tasks(listing: Listing, shapes: Shapes) -> Iterator[Drawn]:
    """What each row of the shorter forms says."""
    tables = list(json_files(listing, _is_short))
    tables += [(file, _csv_rows(listing.path(file))) for file in listing.ending(".csv")]
    for file, rows in tables:
        if _is_short(rows):
            for row in rows:
                yield _task(file, row, _short_results(row), shapes)


def _is_short(rows: object) -> bool:
    """Whether rows are those of JSON_MIN or CSV, and one of them marks an area."""
    return isinstance(rows, list) and any(map(_short_results, rows[:50]))


def _csv_rows(file: Path) -> list[dict[str, str]]:
    try:
        header, *rows = read_csv_records(file) or [[]]
    except DataError:
        return []
    return [dict(zip(header, row, strict=False)) for row in rows]


def _short_results(row: object) -> list[dict[str, Any]]:
    """What a row marks, as the whole JSON has it."""
    results = []
    for value in row.values() if isinstance(row, dict) else ():
        for shape in _objects(value):
            kind = next((key for key in shape if key in _MARKS), None)
            if kind is not None:
                results.append({**shape, "type": kind, "value": shape})
    return results


def _objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list, which a CSV holds as text."""
    if isinstance(value, str) and value.startswith("[{"):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _image(data: Mapping[str, Any], file: str) -> str:
    """The file that the first address of an image among the data means."""
    texts = [value for value in data.values() if isinstance(value, str)]
    named = next((text for text in texts if re.search(r"\.\w{2,5}($|\?)", text)), None)
    if named is None:
        raise DataError(f"{file}: a task names no image.")
    address = urllib.parse.urlsplit(named)
    local = urllib.parse.parse_qs(address.query).get("d")  # /data/local-files/?d=folder/x.jpg
    return local[0] if local else urllib.parse.unquote(address.path).lstrip("/")


def _box(result: Mapping[str, Any], value: Mapping[str, Any], shapes: Shapes) -> Box | None:
    """In shares of the image's sides."""
    kind = result.get("type", "")
    wide, high = float(result.get("original_width", 0)), float(result.get("original_height", 0))
    if kind == "rectanglelabels":
        x, y, w, h = (float(value[side]) / 100 for side in ("x", "y", "width", "height"))
        turned = float(value.get("rotation") or 0)
        if not turned % 360 or not wide or not high:
            return (x, y, w, h)
        whole = shapes.turned((x * wide, y * high, w * wide, h * high), turned, about_corner=True)
        return (whole[0] / wide, whole[1] / high, whole[2] / wide, whole[3] / high)
    if kind == "polygonlabels":
        points = [(float(x) / 100, float(y) / 100) for x, y in value["points"]]
        return shapes.around(points, "polygon")
    if kind == "ellipselabels":
        shapes.boxed["ellipse"] += 1
        middle = [float(value[side]) / 100 for side in ("x", "y", "radiusX", "radiusY")]
        return round_box(*middle)
    if kind.endswith("labels"):
        shapes.unused[kind.removesuffix("labels")] += 1
    return None
