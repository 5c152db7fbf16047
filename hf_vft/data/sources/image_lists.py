"""Text files that list images: a name and a label a line, as Caffe and many downloads have it."""

from __future__ import annotations

import re
from typing import Any

from hf_vft.data.images import IMAGE_SUFFIXES
from hf_vft.data.sources.column_names import IMAGE_NAMES, plain_name
from hf_vft.errors import DataError

_SUFFIXES = "|".join(re.escape(suffix) for suffix in sorted(IMAGE_SUFFIXES))
_IMAGE_FIRST = re.compile(rf"(.+?(?:{_SUFFIXES}))(?:\s*[,;\t]\s*|\s+)(\S.*)", re.IGNORECASE)
_LABEL_FIRST = re.compile(rf"(\S+)(?:\s*[,;\t]\s*|\s+)(\S.*(?:{_SUFFIXES}))", re.IGNORECASE)
_BOXES = re.compile(r"\d+(?:,\d+){4}(?:\s|$)")


def list_columns(text: str, file: str) -> dict[str, list[Any]]:
    """The columns of a list of images with labels.

    A first line with the number of images and a second one with names of attributes, as CelebA
    has them, make a column of each attribute.

    Args:
        text: Of the file.
        file: What it is called in messages.

    Raises:
        DataError: If it is none.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 2 and plain_name(lines[0].split()[0]) in IMAGE_NAMES:
        lines = lines[1:]  # a header
    if len(lines) > 2 and lines[0].isdecimal():
        return _attributes(lines[1].split(), lines[2:], file)
    for pattern, image, label in ((_IMAGE_FIRST, 1, 2), (_LABEL_FIRST, 2, 1)):
        matches = [pattern.fullmatch(line) for line in lines]
        if lines and all(matches):
            labels = [match[label].strip() for match in matches if match]
            if len(set(labels)) == len(labels) > 2 and all(map(str.isdecimal, labels)):
                raise _no_list(file)  # numbers of the images, as CUB has them
            if all(map(_holds_box, labels)):
                raise DataError(
                    f"{file} lists boxes after the names of images, which is not read: convert it "
                    "to COCO, Pascal VOC or YOLO."
                )
            return {"image": [match[image].strip() for match in matches if match], "label": labels}
    pairs = [line.replace("\t", " ").split(" ", 1) for line in lines]
    if len(lines) > 2 and all(len(pair) == 2 for pair in pairs):
        names = [pair[0].rstrip(",;") for pair in pairs]
        counting = {name.isdecimal() and int(name) - at for at, name in enumerate(names)}
        if len(set(names)) == len(names) and not counting <= {0, 1}:  # names without their ending
            return {"image": names, "label": [pair[1].strip() for pair in pairs]}
    raise _no_list(file)


def _no_list(file: str) -> DataError:
    return DataError(f"{file} is not a list of images with labels.")


def _holds_box(label: str) -> bool:
    """Whether four corners follow, in a word as keras-yolo3 has them, or in four words."""
    words = label.split()[-4:]
    four = len(words) == 4 and all(word.replace(".", "", 1).isdecimal() for word in words)
    return bool(_BOXES.match(label)) or (four and not set(words) <= {"0", "1"})


def _attributes(names: list[str], lines: list[str], file: str) -> dict[str, list[Any]]:
    rows = [line.split() for line in lines]
    if not names or any(len(row) != len(names) + 1 for row in rows):
        raise DataError(f"{file} is not a list of images with attributes.")
    columns: dict[str, list[Any]] = {"image": [row[0] for row in rows]}
    return columns | {name: [row[at] for row in rows] for at, name in enumerate(names, start=1)}
