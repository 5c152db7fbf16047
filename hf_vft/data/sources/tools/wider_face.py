"""WIDER FACE: one text for a split, of image names, numbers of faces, and a line for each face."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from hf_vft.data.annotated_boxes import Box
from hf_vft.data.sources.folder_words import split_in_words
from hf_vft.data.sources.listing import Listing, has_image_suffix
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.drawn import Drawn, drawn_table
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.errors import DataError

_CLASS = "face"
_INVALID = 7
"""The flag of a face that is too bad to be learned or counted; blur and expression precede it."""


def wider_face_files(listing: Listing, how: ReadOptions) -> list[str]:
    """The texts of the format."""
    del how
    return [file for file in listing.ending("gt.txt") if _begins_so(listing, file)]


def read_wider_face(listing: Listing, files: list[str], how: ReadOptions) -> Table:
    """Read every text; faces that are marked as invalid are left out and counted.

    Raises:
        DataError: If a text breaks off, or a line has not four numbers.
    """
    shapes = Shapes()
    drawn = (image for file in files for image in _images(listing, file, shapes))
    return drawn_table(listing, drawn, shapes, how, "WIDER FACE")


def _images(listing: Listing, file: str, shapes: Shapes) -> Iterator[Drawn]:
    words = split_in_words(posixpath.splitext(posixpath.basename(file))[0])
    lines = enumerate(_text(listing, file).splitlines(), start=1)
    for number, line in lines:
        name = line.strip()
        if not name:
            continue
        _, count = next(lines, (0, ""))
        if not has_image_suffix(name) or not count.strip().isdecimal():
            raise DataError(f"{file}, line {number}: no image and, below it, a number of faces.")
        faces = int(count)
        boxes: list[Box] = []
        for _ in range(max(faces, 1)):  # an image without a face has one line of zeros
            at, values = next(lines, (number, ""))
            box = _face(values.split(), f"{file}, line {at}", shapes)
            if box is not None and faces:
                boxes.append(box)
        objects = tuple((box, _CLASS) for box in boxes)
        yield Drawn(file, name, objects, split=words[0] if words is not None else None)


def _face(words: list[str], where: str, shapes: Shapes) -> Box | None:
    try:
        x, y, width, height = map(float, words[:4])
    except ValueError:
        raise DataError(f"{where}: four numbers of a face should be here.") from None
    if len(words) > _INVALID and words[_INVALID] == "1":
        shapes.unused["invalid face"] += 1
        return None
    return (x, y, width, height)


def _begins_so(listing: Listing, file: str) -> bool:
    try:
        with listing.path(file).open(encoding="utf-8", errors="replace") as opened:
            name, count, face = (opened.readline(2000).strip() for _ in range(3))
    except OSError:
        return False
    return has_image_suffix(name) and count.isdecimal() and len(face.split()) >= 4


def _text(listing: Listing, file: str) -> str:
    return listing.path(file).read_text(encoding="utf-8", errors="replace")
