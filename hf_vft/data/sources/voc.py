"""Reads the annotations of Pascal VOC: an XML file for each image."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from hf_vft.data.annotated_boxes import Box, Objects, from_corners
from hf_vft.data.sources.annotations import AnnotatedImage, Missing, image_named, marked_table
from hf_vft.data.sources.encoding import read_text
from hf_vft.data.sources.listing import Listing, Match, split_of_path
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.reading import Reading
from hf_vft.data.sources.table import Table, canonical_split
from hf_vft.errors import DataError
from hf_vft.utils.text import counted

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_IMAGES = ("JPEGImages", "../JPEGImages", "images", "../images", "../../images")


def voc_files(listing: Listing, how: ReadOptions) -> list[str]:
    """The XML files, if the first of them is an annotation of Pascal VOC."""
    del how
    files = listing.ending(".xml")
    if not files or not _is_annotation(_root(listing.path(files[0]))):
        return []
    return files


def read_voc(listing: Listing, files: Sequence[str], how: ReadOptions) -> Table:
    """Read every image that has an XML file.

    Splits are those of ``ImageSets/Main``, or of the folders. Images without a file are left out
    and counted.

    Raises:
        DataError: If a file cannot be read, or a box is incomplete.
    """
    sets = _sets(listing, how.config.encoding)
    marked: list[AnnotatedImage] = []
    missing = Missing(listing)
    for file in files:
        root = _root(listing.path(file))
        if root.tag != "annotation":
            continue
        stem = posixpath.splitext(posixpath.basename(file))[0]
        split = sets.get(stem)
        if sets and split is None:
            continue  # the sets name what is to be used
        match = _image(listing, file, root)
        if match.file is None:
            missing.add(file, (root.findtext("filename") or stem).strip())
            continue
        objects = [_object(element, posixpath.basename(file)) for element in root.iter("object")]
        boxes = Objects(
            tuple(box for box, _ in objects),
            tuple(name for _, name in objects),
            declared=_size(root),
        )
        split = split or split_of_path(match.file.split("/")[:-1])
        marked.append(AnnotatedImage(match.file, boxes, split))
    left_out = missing.left_out(len(marked))
    unused = len(listing.images) - len(marked)
    notes = [f"Not used, because no annotation names them: {counted(unused, 'image')}."]
    divided = any(image.split for image in marked)
    source = "the lists of ImageSets" if sets else "the folders"
    reading = Reading(
        "Pascal VOC",
        "the objects of the XML files",
        source if divided else "",
        left_out=tuple(left_out),
    )
    return marked_table(listing, marked, None, notes if unused else [], reading)


def _is_annotation(root: ElementTree.Element) -> bool:
    polygons = root.find("object/polygon") is not None and root.find("object/bndbox") is None
    return root.tag == "annotation" and not polygons


def _root(file: Path) -> ElementTree.Element:
    try:
        # Expat bounds how far entities may expand, and loads no external ones.
        return ElementTree.parse(file).getroot()  # noqa: S314
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f"{file.name}: not readable as XML ({error}).") from None


def _image(listing: Listing, file: str, root: ElementTree.Element) -> Match:
    """By the name in the file; by the file's own name where that is wrong or missing."""
    stem = posixpath.splitext(posixpath.basename(file))[0]
    named = (root.findtext("filename") or "").strip().replace("\\", "/")
    split = split_of_path(file.split("/")[:-1])
    if named:
        match = image_named(listing, posixpath.basename(named), file, _IMAGES, split)
        if match.file is not None:
            return match
    return image_named(listing, stem, file, _IMAGES, split)


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = (int(float(str(root.findtext(f"size/{s}")))) for s in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _object(element: ElementTree.Element, file: str) -> tuple[Box, str]:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise DataError(f"{file}: an object has no name.")
    corners = element.find("bndbox")
    texts = [None if corners is None else corners.findtext(corner) for corner in _CORNERS]
    try:
        x1, y1, x2, y2 = (float(str(text)) for text in texts)
    except ValueError:
        raise DataError(f"{file}: {name!r} has no box of four numbers.") from None
    return from_corners(x1, y1, x2, y2), name


def _sets(listing: Listing, encoding: str | None) -> dict[str, str]:
    """Name of an image to its split, from the lists that divide all of them.

    ``trainval`` is train where there is no list of that name; lists of single classes
    (``cat_train.txt``) are none of them.
    """
    lists: dict[str, str] = {}
    for file in listing.ending(".txt"):
        folders, name = file.split("/")[:-1], posixpath.splitext(posixpath.basename(file))[0]
        if "ImageSets" in folders or folders[-1:] == ["Main"]:
            split = canonical_split(name) or ("trainval" if name == "trainval" else None)
            if split is not None:
                lists[split] = file
    trainval = lists.pop("trainval", None)
    if trainval is not None and "train" not in lists:
        lists["train"] = trainval
    splits: dict[str, str] = {}
    for split, file in lists.items():
        for line in read_text(listing.path(file), encoding, file).text.splitlines():
            if line.strip():
                name = posixpath.basename(line.split()[0].replace("\\", "/"))
                splits[posixpath.splitext(name)[0] if "." in name else name] = split
    return splits
