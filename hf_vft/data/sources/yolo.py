"""Reads the annotations of YOLO: a text file for each picture, and a YAML file with the names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from hf_vft.data.boxes import Box, Objects
from hf_vft.data.sources.annotations import Folder, Marked, marked_table, split_in_path
from hf_vft.data.sources.table import Table
from hf_vft.errors import DataError

_NAME_FILES = ("classes.txt", "obj.names", "labels.txt")


def yolo_labels(folder: Folder) -> dict[Path, Path]:
    """Text file of each picture that has one.

    It lies beside the picture, or in a folder ``labels`` where the picture lies in ``images``.
    """
    texts = set(folder.ending(".txt"))
    found = {}
    for picture in folder.pictures:
        candidates = (_elsewhere(picture, folder.root), picture.with_suffix(".txt"))
        label = next((c for c in candidates if c is not None and c in texts), None)
        if label is not None and label.name not in _NAME_FILES:
            found[picture] = label
    return found


def read_yolo(folder: Folder, labels: dict[Path, Path]) -> Table:
    """Read every picture; one without a text file shows nothing, as YOLO has it.

    The class names are those of a YAML file with ``names``, or of ``classes.txt``. Outlines of
    segmentation become the boxes around them.

    Raises:
        DataError: If there are no class names, or a line does not fit.
    """
    names = _names(folder)
    marked = [
        Marked(
            picture,
            _objects(labels[picture], names) if picture in labels else Objects((), ()),
            split_in_path(picture, folder.root),
        )
        for picture in folder.pictures
    ]
    return marked_table(folder.root, marked, list(names.values()), [])


def has_names(folder: Folder) -> bool:
    """Whether a file tells the names of the classes."""
    return bool(_names_or_none(folder))


def _elsewhere(picture: Path, root: Path) -> Path | None:
    """The same path with the last ``images`` replaced by ``labels``."""
    parts = list(picture.relative_to(root).parts)
    if "images" not in parts[:-1]:
        return None
    last = len(parts) - 2 - parts[-2::-1].index("images")
    parts[last] = "labels"
    return root.joinpath(*parts).with_suffix(".txt")


def _names(folder: Folder) -> dict[int, str]:
    names = _names_or_none(folder)
    if not names:
        raise DataError(
            f"{folder.root}: nothing tells the names of the classes: add a data.yaml with names, "
            "or a classes.txt with one a line."
        )
    if len(set(names.values())) < len(names):
        raise DataError(f"{folder.root}: two classes have the same name.")
    return names


def _names_or_none(folder: Folder) -> dict[int, str]:
    for file in folder.ending(".yaml", ".yml"):
        try:
            content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            continue
        names = content.get("names") if isinstance(content, dict) else None
        if isinstance(names, list):
            return {number: str(name) for number, name in enumerate(names)}
        if isinstance(names, dict) and all(str(key).isdecimal() for key in names):
            return {int(key): str(name) for key, name in sorted(names.items())}
    for file in folder.files:
        if file.name in _NAME_FILES:
            lines = file.read_text(encoding="utf-8").splitlines()
            return {n: line.strip() for n, line in enumerate(lines) if line.strip()}
    return {}


def _objects(file: Path, names: dict[int, str]) -> Objects:
    boxes: list[Box] = []
    categories: list[str] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file.name}, line {number}"
        try:
            first, *values = map(float, line.split())
        except ValueError:
            raise DataError(f"{where}: not numbers ({line.strip()[:40]!r}).") from None
        if first not in names:
            raise DataError(f"{where}: class {first:g} has no name; there are {len(names)}.")
        boxes.append(_box(values, where))
        categories.append(names[int(first)])
    return Objects(tuple(boxes), tuple(categories), relative=True)


def _box(values: list[float], where: str) -> Box:
    """From centre and size, or from an outline, in shares of the picture."""
    if len(values) == 4:
        x, y, w, h = values
        return (x - w / 2, y - h / 2, w, h)
    if len(values) >= 6 and len(values) % 2 == 0:
        xs, ys = values[0::2], values[1::2]
        return (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    raise DataError(f"{where}: {len(values)} numbers behind the class; a box has four.")
