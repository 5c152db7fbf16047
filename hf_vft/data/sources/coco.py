"""Reads the annotations of COCO: one JSON file, or one for each split."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

from hf_vft.data.boxes import Box, Objects
from hf_vft.data.sources.annotations import (
    Folder,
    Marked,
    marked_table,
    split_in_name,
    split_in_path,
)
from hf_vft.data.sources.table import Table
from hf_vft.data.wording import counted
from hf_vft.errors import DataError

_KEYS = ("images", "annotations", "categories")


def coco_files(folder: Folder) -> dict[Path, Any]:
    """The JSON files with ``images``, ``annotations`` and ``categories``, and their content."""
    found = {}
    for file in folder.ending(".json"):
        content = load_coco(file)
        if content is not None:
            found[file] = content
    return found


def load_coco(file: Path) -> Any | None:
    """What a file of COCO annotations holds; None if it is something else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return None
    whole = isinstance(content, dict) and all(isinstance(content.get(k), list) for k in _KEYS)
    return content if whole else None


def read_coco(folder: Folder, files: dict[Path, Any]) -> Table:
    """Read every picture that the files name; pictures without boxes are kept as such.

    Regions of crowds are left out and counted. Classes keep the order of their ids.

    Raises:
        DataError: If a box is of an unknown category, a picture is missing, or the files of
            several splits do not tell which.
    """
    marked: list[Marked] = []
    names: dict[str, None] = {}
    crowds = strays = 0
    for file, content in files.items():
        split = split_in_path(file, folder.root) or split_in_name(file.stem)
        if split is None and len(files) > 1:
            raise DataError(
                f"{file.relative_to(folder.root)}: does not tell its split, and there are "
                f"{len(files)} annotation files; put train, val or test into its name."
            )
        categories = _categories(content, file)
        names |= dict.fromkeys(categories[key] for key in sorted(categories))
        boxes: dict[Any, list[tuple[Box, str]]] = defaultdict(list)
        for annotation in content["annotations"]:
            if annotation.get("iscrowd"):
                crowds += 1
                continue
            boxes[annotation.get("image_id")].append(_box(annotation, categories, file))
        hints = ["images", *(p for p in (file.stem, split) if p)]
        for image in content["images"]:
            found = boxes.pop(image.get("id"), [])
            path = folder.picture(str(image.get("file_name")), file, hints)
            objects = Objects(tuple(b for b, _ in found), tuple(name for _, name in found))
            marked.append(Marked(path, objects, split if len(files) > 1 else None))
        strays += sum(map(len, boxes.values()))
    notes = [
        f"Not used: {counted(n, what)}."
        for n, what in ((crowds, "crowd region"), (strays, "annotation of unlisted picture"))
        if n
    ]
    return marked_table(folder.root, marked, list(names), notes)


def _categories(content: Any, file: Path) -> dict[Any, str]:
    categories = {one.get("id"): str(one.get("name")) for one in content["categories"]}
    if len(set(categories.values())) < len(content["categories"]):
        raise DataError(f"{file.name}: two categories have the same id or name.")
    return categories


def _box(annotation: Any, categories: dict[Any, str], file: Path) -> tuple[Box, str]:
    where = f"{file.name}: annotation {annotation.get('id')}"
    category = annotation.get("category_id")
    if category not in categories:
        raise DataError(f"{where} has category {category!r}, which is none of its categories.")
    try:
        x, y, w, h = (math.nan if side is None else float(side) for side in annotation["bbox"])
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{where} has no bbox of four numbers.") from None
    return (x, y, w, h), categories[category]
