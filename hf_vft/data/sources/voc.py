"""Reads the annotations of Pascal VOC: an XML file for each picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from hf_vft.data.boxes import Box, Objects, from_corners
from hf_vft.data.sources.annotations import Folder, Marked, marked_table, split_in_path
from hf_vft.data.sources.table import Table, canonical_split
from hf_vft.data.wording import counted
from hf_vft.errors import DataError

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_PICTURES = ("JPEGImages", "../JPEGImages", "images", "../images")


def voc_files(folder: Folder) -> list[Path]:
    """The XML files, if the first of them is an annotation of Pascal VOC."""
    files = folder.ending(".xml")
    return files if files and _root(files[0]).tag == "annotation" else []


def read_voc(folder: Folder, files: list[Path]) -> Table:
    """Read every picture that has an XML file.

    Splits are those of ``ImageSets/Main``, or of the folders. Pictures without a file are
    left out and counted.

    Raises:
        DataError: If a file cannot be read, or a box is incomplete.
    """
    sets = _sets(folder)
    marked = []
    for file in files:
        root = _root(file)
        path = _picture(folder, file, root)
        objects = [_object(one, file) for one in root.iter("object")]
        split = sets.get(file.stem) if sets else split_in_path(path, folder.root)
        if sets and split is None:
            continue  # the sets name what is to be used
        boxes = Objects(tuple(b for b, _ in objects), tuple(name for _, name in objects))
        marked.append(Marked(path, boxes, split))
    unused = len(folder.pictures) - len(marked)
    notes = [f"Not used, because no annotation names them: {counted(unused, 'picture')}."]
    return marked_table(folder.root, marked, None, notes if unused else [])


def _root(file: Path) -> ElementTree.Element:
    try:
        # Expat bounds how far entities may expand, and loads no external ones.
        return ElementTree.parse(file).getroot()  # noqa: S314
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f"{file.name}: not readable as XML ({error}).") from None


def _picture(folder: Folder, file: Path, root: ElementTree.Element) -> Path:
    """By the name in the file; by the file's own name where that is wrong or missing."""
    named = (root.findtext("filename") or "").strip() or file.stem
    for hint in ("", *_PICTURES):
        path = file.parent / hint / Path(named.replace("\\", "/")).name
        if path.is_file():
            return folder.root / path.resolve().relative_to(folder.root.resolve())
    return folder.picture(file.stem, file)


def _object(one: ElementTree.Element, file: Path) -> tuple[Box, str]:
    name = (one.findtext("name") or "").strip()
    if not name:
        raise DataError(f"{file.name}: an object has no name.")
    found = one.find("bndbox")
    texts = [None if found is None else found.findtext(corner) for corner in _CORNERS]
    try:
        x1, y1, x2, y2 = (float(str(text)) for text in texts)
    except ValueError:
        raise DataError(f"{file.name}: {name!r} has no box of four numbers.") from None
    return from_corners(x1, y1, x2, y2), name


def _sets(folder: Folder) -> dict[str, str]:
    """Name of a picture to its split, from the lists that divide all of them."""
    found: dict[str, str] = {}
    for file in folder.ending(".txt"):
        split = canonical_split(file.stem)
        if split is not None and file.parent.name == "Main":
            for line in file.read_text(encoding="utf-8").splitlines():
                if line.strip():
                    found[line.split()[0]] = split
    return found
