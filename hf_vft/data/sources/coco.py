"""Reads the annotations of COCO: one JSON file, or one for each split; boxes or classes."""

from __future__ import annotations

import json
import math
import posixpath
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hf_vft.data.annotated_boxes import Box, Objects, are_shares
from hf_vft.data.label_types import KINDS
from hf_vft.data.sources.annotations import AnnotatedImage, Missing, image_named, marked_table
from hf_vft.data.sources.listing import Listing, split_of_path
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.reading import LeftOut, Option, Reading, ask
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.textfiles import TOO_DEEP
from hf_vft.data.sources.tools.shapes import around
from hf_vft.errors import DataError
from hf_vft.utils.text import counted

_KEYS = ("images", "annotations", "categories")
_CLASSES_FROM = 0.5
"""Annotations without boxes are classes if at least this share of the images has one."""


def coco_files(listing: Listing, how: ReadOptions) -> dict[str, Any]:
    """The JSON files with ``images``, ``annotations`` and ``categories``, and their content."""
    contents = {}
    for file in listing.ending(".json"):
        content = load_coco(listing.path(file))
        if content is not None and how.takes(_kinds(content)):
            contents[file] = content
    return contents


def load_coco(file: Path) -> Any | None:
    """The content of a file of COCO annotations; None if it is something else."""
    try:
        content = json.loads(file.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError):
        return None
    except RecursionError:
        raise DataError(f"{file.name}: {TOO_DEEP}.") from None
    is_coco = isinstance(content, dict) and all(isinstance(content.get(k), list) for k in _KEYS)
    return content if is_coco else None


def read_coco(listing: Listing, files: Mapping[str, Any], how: ReadOptions) -> Table:
    """Read every image that the files name; images without boxes are kept as such.

    Regions of crowds are left out and counted. Classes keep the order of their ids. Where no
    annotation has a box, the categories are classes of the images.

    Raises:
        DataError: If a box is of an unknown category, no image is there, or the files do not
            tell their splits.
    """
    del how
    chosen, left_out = _of_one_kind(files)
    splits = {file: _split(file) for file in chosen}
    _refuse_unclear(splits)
    divided = len(chosen) > 1 and any(splits.values())
    by_folder = not divided and len(chosen) == 1
    read = _Read(listing, boxes=not all(_is_classes(content) for content in chosen.values()))
    for file, content in chosen.items():
        read.add(file, content, splits[file], divided=divided)
    left_out += read.missing.left_out(len(read.marked))
    notes = [
        f"Not used: {counted(n, what)}."
        for n, what in (
            (read.crowds, "crowd region"),
            (read.strays, "annotation of unlisted image"),
        )
        if n
    ]
    several = any(isinstance(image.label, tuple) and len(image.label) != 1 for image in read.marked)
    kind = KINDS["boxes"] if read.boxes else KINDS["classes" if several else "class"]
    marked = read.marked
    if kind.name == "class":
        marked = [AnnotatedImage(m.file, m.label[0] if m.label else None, m.split) for m in marked]
    if read.boxes and are_shares(box for image in marked for box in image.label.boxes):
        marked = [replace(m, label=replace(m.label, relative=True)) for m in marked]
        notes.append("All boxes lie between 0 and 1, so they are read as shares of the image.")
    folders = _splits_of_folders(marked) if by_folder else []
    if folders:
        marked = [replace(m, split=split) for m, split in zip(marked, folders, strict=True)]
    names = ", ".join(posixpath.basename(file) for file in chosen)
    reading = Reading(
        "COCO" if read.boxes else "COCO without boxes",
        f"the categories of {names}",
        "the names of these files" if divided else "the folders" if folders else "",
        left_out=tuple(left_out),
    )
    return marked_table(listing, marked, list(read.names), notes, reading, kind)


def _splits_of_folders(marked: list[AnnotatedImage]) -> list[str]:
    """The splits that the folders of the images of one file tell; empty where they do not."""
    words = [split_of_path(image.file.split("/")[:-1]) for image in marked]
    splits = [split for split in words if split is not None]
    return splits if len(splits) == len(words) and {"train"} < set(splits) else []


@dataclass
class _Read:
    """What was read of all files so far."""

    listing: Listing
    boxes: bool
    marked: list[AnnotatedImage] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)
    crowds: int = 0
    strays: int = 0
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.missing = Missing(self.listing)

    def add(
        self, file: str, content: Mapping[str, Any], split: str | None, *, divided: bool
    ) -> None:
        """Read one file."""
        categories = _categories(content, file)
        self.names |= dict.fromkeys(categories[key] for key in sorted(categories, key=_order))
        by_image: dict[Any, list[Any]] = defaultdict(list)
        for annotation in content["annotations"]:
            if annotation.get("iscrowd"):
                self.crowds += 1
                continue
            is_exclusive = (
                _box(annotation, categories, file)
                if self.boxes
                else _category(annotation, categories, file)
            )
            by_image[annotation.get("image_id")].append(is_exclusive)
        hints = [
            "images",
            *(p for p in (posixpath.splitext(posixpath.basename(file))[0], split) if p),
        ]
        for image in content["images"]:
            labels = by_image.pop(image.get("id"), [])
            name = _file_name(image)
            match = image_named(self.listing, name, file, hints, split)
            if match.file is None:
                self.missing.add(file, name)
                continue
            other = self.files.setdefault(match.file, file)
            if other != file:
                raise ask(
                    self.listing.name,
                    f"{other} and {file} annotate the same images.",
                    [
                        Option(f"{other} alone", f"data.leave_out=[{file}]"),
                        Option(f"{file} alone", f"data.leave_out=[{other}]"),
                    ],
                )
            label = self._label(labels, image)
            self.marked.append(AnnotatedImage(match.file, label, split if divided else None))
        self.strays += sum(map(len, by_image.values()))

    def _label(self, labels: list[Any], image: object) -> Any:
        if not self.boxes:
            return tuple(dict.fromkeys(labels)) or None
        return Objects(
            tuple(b for b, _ in labels), tuple(name for _, name in labels), declared=_size(image)
        )


def _of_one_kind(files: Mapping[str, Any]) -> tuple[dict[str, Any], list[LeftOut]]:
    """Of a whole download, what is about objects: not captions, key points and the like."""
    rest = {f: c for f, c in files.items() if not _is_captions(c)}
    instances = {f: c for f, c in rest.items() if "instances" in posixpath.basename(f).casefold()}
    chosen = instances if instances and len(rest) > len(instances) else rest
    if not chosen:
        first, content = next(iter(files.items()))
        if any("segments_info" in annotation for annotation in content["annotations"][:100]):
            raise DataError(
                f"{first} is COCO for panoptic segmentation, which is not read: take the file "
                "instances_*.json of the same images, or export boxes."
            )
        raise DataError(f"{first}: its annotations have no category_id.")
    gone = [file for file in files if file not in chosen]
    return dict(chosen), [LeftOut(file, "other annotations of the same images") for file in gone]


def _is_captions(content: Mapping[str, Any]) -> bool:
    annotations = content["annotations"]
    return bool(annotations) and all(
        "category_id" not in annotation for annotation in annotations[:100]
    )


def _kinds(content: object) -> frozenset[str]:
    return frozenset({"class", "classes"}) if _is_classes(content) else frozenset({"boxes"})


def _is_classes(content: Any) -> bool:
    """Whether the annotations say what is in an image, and not where."""
    annotations = content["annotations"]
    if any(
        annotation.get("segmentation") and not annotation.get("bbox")
        for annotation in annotations[:100]
    ):
        return False
    without = {
        annotation.get("image_id") for annotation in annotations if not annotation.get("bbox")
    }
    few_boxes = sum(bool(annotation.get("bbox")) for annotation in annotations) * 2 < len(
        annotations
    )
    return few_boxes and len(without) >= _CLASSES_FROM * len(content["images"])


def _split(file: str) -> str | None:
    folder, name = posixpath.split(file)
    return split_of_path(folder.split("/")) or split_of_path([posixpath.splitext(name)[0]])


def _refuse_unclear(splits: Mapping[str, str | None]) -> None:
    unclear = [file for file, split in splits.items() if split is None]
    if unclear and len(unclear) < len(splits):
        raise DataError(
            f"{unclear[0]}: does not tell its split, and there are {len(splits)} annotation "
            "files; put train, val or test into its name."
        )


def _categories(content: Mapping[str, Any], file: str) -> dict[Any, str]:
    used = {entry.get("category_id") for entry in content["annotations"]}
    categories = {entry.get("id"): str(entry.get("name")) for entry in content["categories"]}
    twins = defaultdict(list)
    for key, name in categories.items():
        twins[name].append(key)
    for keys in twins.values():  # a project's own name stands among its categories
        for key in keys if len(keys) > 1 else []:
            if key not in used:
                del categories[key]
    distinct = len(set(categories.values())) == len(categories)
    if not distinct or len({entry.get("id") for entry in content["categories"]}) < len(
        content["categories"]
    ):
        raise DataError(f"{file}: two categories have the same id or name.")
    return categories


def _order(key: object) -> tuple[int, float, str]:
    return (0, key, "") if isinstance(key, int | float) else (1, 0.0, str(key))


def _file_name(image: Mapping[str, Any]) -> str:
    return str(image.get("file_name") or posixpath.basename(str(image.get("coco_url") or "")))


def _size(image: Any) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    known = isinstance(width, int | float) and isinstance(height, int | float)
    return (int(width), int(height)) if known and width > 0 and height > 0 else None


def _category(annotation: Mapping[str, Any], categories: dict[Any, str], file: str) -> str:
    category = annotation.get("category_id")
    if category not in categories:
        raise DataError(
            f"{posixpath.basename(file)}: annotation {annotation.get('id')} has category "
            f"{category!r}, which is not one of its categories."
        )
    return categories[category]


def _box(annotation: Mapping[str, Any], categories: dict[Any, str], file: str) -> tuple[Box, str]:
    name = _category(annotation, categories, file)
    outline = annotation.get("segmentation")
    if not annotation.get("bbox") and isinstance(outline, list) and outline:
        return _around_outline(annotation, file), name
    try:
        x, y, w, h = (math.nan if side is None else float(side) for side in annotation["bbox"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise DataError(
            f"{posixpath.basename(file)}: annotation {annotation.get('id')} has no bbox of four "
            "numbers."
        ) from None
    attributes = annotation.get("attributes")
    turned = attributes.get("rotation") if isinstance(attributes, dict) else None
    return (_turned((x, y, w, h), float(turned)) if turned else (x, y, w, h)), name


def _around_outline(annotation: Mapping[str, Any], file: str) -> Box:
    """The box around the polygons of an annotation that has none."""
    try:
        numbers = [[float(side) for side in polygon] for polygon in annotation["segmentation"]]
        box = around(
            point for outline in numbers for point in zip(outline[::2], outline[1::2], strict=True)
        )
    except (TypeError, ValueError):
        box = None
    if box is None:
        raise DataError(
            f"{posixpath.basename(file)}: annotation {annotation.get('id')} has no bbox, and its "
            "segmentation is not a list of polygons."
        )
    return box


def _turned(box: Box, degrees: float) -> Box:
    """The upright box around one that CVAT has turned around its centre."""
    x, y, w, h = box
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    wide, high = w * cosine + h * sine, w * sine + h * cosine
    return (x + (w - wide) / 2, y + (h - high) / 2, wide, high)
