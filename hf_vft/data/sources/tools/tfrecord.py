"""TFRecord files of images: boxes as the TensorFlow object detection API has them, or classes."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from hf_vft.data.annotated_boxes import Box, Objects, from_corners
from hf_vft.data.label_types import KINDS
from hf_vft.data.sources.annotations import AnnotatedImage, marked_table
from hf_vft.data.sources.encoding import read_text
from hf_vft.data.sources.listing import Listing, split_of_path
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.reading import Reading
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.data.sources.tools.tf_example import Example, begins_as_records, examples
from hf_vft.data.sources.tools.tf_images import keep_images
from hf_vft.errors import DataError

_SURE = re.compile(r"\.(tfrecords?|tfrec)(-\d+-of-\d+)?(\.gz)?$", re.IGNORECASE)
_LIKELY = re.compile(r"\.record(-\d+-of-\d+)?(\.gz)?$|-\d{5}-of-\d{5}$", re.IGNORECASE)
_IMAGE = ("image/encoded", "image", "image_raw")
_TEXT, _NUMBER = ("image/class/text",), ("image/class/label", "label", "class")
_CORNERS = tuple(f"image/object/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax"))
_GROUPS = ("image/object/is_crowd", "image/object/group_of")
_MOST_SHARE = 1.5
"""Corners over this are pixels; shares that reach over the edge of their image are below it."""
_ITEM = re.compile(r"item\s*\{([^}]*)\}")
_ENTRY = re.compile(r"(id|display_name|name)\s*:\s*(?:(\d+)|\"([^\"]*)\"|'([^']*)')")


@dataclass(frozen=True)
class _Record:
    """What a record says of its image.

    Attributes:
        file: Split or file, and the image's name: what people are shown.
        split: Train, validation or test; None where nothing says so.
        objects: Corners, each with its class; None where it has no field for boxes.
        tags: Classes of the image as a whole.
        size: Width and height that the record gives.
    """

    file: str
    split: str | None
    objects: tuple[tuple[Box, str], ...] | None
    tags: tuple[str, ...]
    size: tuple[int, int] | None = None


def tfrecord_files(listing: Listing, how: ReadOptions) -> list[str]:
    """The files of the format; beside images in files they hold the same once more."""
    if listing.images and how.config.format != "tfrecord":
        return []
    files = [file for file in listing.files if _SURE.search(file)]
    likely = [file for file in listing.files if _LIKELY.search(file) and file not in set(files)]
    return files + [file for file in likely if begins_as_records(listing.path(file))]


def is_tfrecord_name(name: str) -> bool:
    """Whether a file is called as TFRecord files are."""
    return bool(_SURE.search(name) or _LIKELY.search(name))


def read_tfrecord(listing: Listing, files: list[str], how: ReadOptions) -> Table:
    """Read every record; the images are kept beside other caches, not in the user's folder.

    Raises:
        DataError: If a file is cut off or damaged, or holds no labelled images.
    """
    names = _label_names(listing)
    records: list[_Record] = []
    shapes = Shapes()

    def images() -> Iterator[tuple[str, bytes]]:
        seen: Counter[str] = Counter()
        for file in files:
            for number, example in enumerate(examples(listing.path(file), file), start=1):
                where = f"{file}, record {number}"
                record = _record(example, file, where, names, shapes)
                seen[record.file] += 1
                if seen[record.file] > 1:  # the same name in two folders is two images
                    record = replace(record, file=f"{record.file} ({seen[record.file]})")
                records.append(record)
                yield record.file, _image(example, where)

        if not records:
            raise DataError(f"{listing.name}: its TFRecord files hold no record.")

    images_kept = keep_images([listing.path(file) for file in files], images(), how.cache_dir)
    table = _table(listing, records, shapes, how)
    row_of = {record.file: row for row, record in enumerate(records)}
    return replace(table, images=images_kept.select([row_of[file] for file in table.files]))


def _table(listing: Listing, records: list[_Record], shapes: Shapes, how: ReadOptions) -> Table:
    has_boxes = any(record.objects is not None for record in records)
    boxes = how.kind == "boxes" or (how.kind is None and has_boxes)
    if not any(record.objects if boxes else record.tags for record in records):
        wanted = f"{_CORNERS[0]} and the like" if boxes else "image/class/text or label"
        raise DataError(f"{listing.name}: its TFRecord files hold no labels ({wanted}).")
    divided = {record.split for record in records} - {None}
    reading = Reading(
        "TFRecord",
        "what was drawn" if boxes else "the classes of the images",
        "the names of the files" if divided else "",
    )
    if boxes:
        corners = [side for r in records for box, _ in r.objects or () for side in box]
        pixels = any(side > _MOST_SHARE for side in corners)
        marked = [AnnotatedImage(r.file, _objects(r, pixels=pixels), r.split) for r in records]
        notes = shapes.notes()
        if pixels:
            notes.append("Corners of boxes over 1 are pixels, though TFRecord files have shares.")
        return marked_table(listing, marked, None, notes, reading)
    several = how.kind == "classes" or any(len(record.tags) > 1 for record in records)
    marked = [
        AnnotatedImage(r.file, (r.tags if several else r.tags[0]) if r.tags else None, r.split)
        for r in records
    ]
    return marked_table(
        listing, marked, None, [], reading, KINDS["classes" if several else "class"]
    )


def _objects(record: _Record, *, pixels: bool) -> Objects:
    objects = record.objects or ()
    boxes, names = tuple(box for box, _ in objects), tuple(name for _, name in objects)
    return Objects(boxes, names, relative=not pixels, declared=record.size if pixels else None)


def _record(
    example: Example, file: str, where: str, names: dict[int, str], shapes: Shapes
) -> _Record:
    parts = [*file.split("/")[:-1], posixpath.basename(file).split(".")[0]]
    split = split_of_path(parts) or split_of_path([posixpath.basename(file)])
    texts = _texts(example, "image/filename")
    name = posixpath.normpath("/" + texts[0].replace("\\", "/")).lstrip("/") if texts else ""
    name = name or f"{posixpath.basename(file)}/{where.rpartition(' ')[2]:0>7}"
    tags = _classes(example, _TEXT, _NUMBER, names, where)
    sides = [_first_number(example, f"image/{side}") for side in ("width", "height")]
    size = (sides[0], sides[1]) if all(sides) else None
    objects = _boxes(example, where, names, shapes)
    return _Record(f"{split}/{name}" if split else name, split, objects, tuple(tags), size)


def _boxes(
    example: Example, where: str, names: dict[int, str], shapes: Shapes
) -> tuple[tuple[Box, str], ...] | None:
    if not any(corner in example for corner in _CORNERS):
        return None
    corners = [example.get(corner, []) for corner in _CORNERS]
    classes = _classes(
        example, ("image/object/class/text",), ("image/object/class/label",), names, where
    )
    lengths = {*map(len, corners), len(classes)}
    if len(lengths) > 1:
        raise DataError(f"{where}: {len(corners[0])} boxes, but {len(classes)} classes or corners.")
    groups = [flag for key in _GROUPS for flag in example.get(key, [])] or [0] * len(classes)
    boxes = []
    for *four, name, group in zip(*corners, classes, groups, strict=False):
        if group:
            shapes.unused["region of a crowd"] += 1
        else:
            boxes.append((from_corners(*map(float, four)), name))
    return tuple(boxes)


def _classes(
    example: Example,
    texts: Iterable[str],
    numbers: Iterable[str],
    names: dict[int, str],
    where: str,
) -> list[str]:
    """Names of classes; numbers are looked up in the map of labels, where there is one."""
    for key in texts:
        if example.get(key):
            return _texts(example, key)
    for key in numbers:
        values = example.get(key)
        if not values:
            continue
        if isinstance(values[0], float):
            raise DataError(f"{where}: {key} holds fractions, not classes.")
        if isinstance(values[0], bytes):
            return _texts(example, key)
        return [names.get(value, str(value)) for value in values]
    return []


def _texts(example: Example, key: str) -> list[str]:
    values = example.get(key, [])
    return [v.decode("utf-8", "replace") for v in values if isinstance(v, bytes) and v]


def _first_number(example: Example, key: str) -> int:
    values: list[Any] = example.get(key) or [0]
    return values[0] if isinstance(values[0], int) else 0


def _image(example: Example, where: str) -> bytes:
    for key in _IMAGE:
        values = example.get(key)
        if values and isinstance(values[0], bytes):
            return values[0]
    held = ", ".join(sorted(example)[:6]) or "nothing"
    raise DataError(f"{where}: no image ({_IMAGE[0]}) in it; it holds {held}.")


def _label_names(listing: Listing) -> dict[int, str]:
    """Names by number, from a ``label_map.pbtxt`` or the ``labels.txt`` of TensorFlow Datasets."""
    names: dict[int, str] = {}
    for file in listing.ending(".pbtxt"):
        for item in _ITEM.findall(read_text(listing.path(file), shown=file).text):
            entry = {key: number or a or b for key, number, a, b in _ENTRY.findall(item)}
            name = entry.get("display_name") or entry.get("name")
            if name and entry.get("id", "").isdecimal():
                names.setdefault(int(entry["id"]), name)
    for file in () if names else listing.ending("label.labels.txt"):
        lines = read_text(listing.path(file), shown=file).text.splitlines()
        names |= dict(enumerate(line.strip() for line in lines))
    return names
