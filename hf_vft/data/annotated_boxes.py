"""Boxes as they come from annotation tools, and what is done about the bad ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hf_vft.errors import DataError
from hf_vft.utils.text import counted

Box = tuple[float, float, float, float]
"""x, y, width, height; x and y of the top left corner."""

BoxFormat = Literal["xywh", "xyxy"]

TOLERANCE = 1.0
"""Pixels that a box may reach over the edge unremarked: annotation tools round."""

SMALLEST = 1e-3
"""Boxes narrower than this many pixels have no area."""


@dataclass(frozen=True)
class Objects:
    """The annotated objects of one image.

    Attributes:
        boxes: In pixels, or in shares of the image's sides if ``relative``.
        categories: A class name for each box.
        size: Width and height of the image in pixels; (0, 0) until it is known.
        relative: Whether the boxes still wait for the size.
        declared: Width and height that the annotations give for the image; None where they do
            not, and once the boxes fit it.
    """

    boxes: tuple[Box, ...]
    categories: tuple[str, ...]
    size: tuple[int, int] = (0, 0)
    relative: bool = False
    declared: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if len(self.boxes) != len(self.categories):
            raise DataError(
                f"{len(self.boxes)} boxes but {len(self.categories)} categories in one image: "
                "give one each."
            )


def from_corners(x1: float, y1: float, x2: float, y2: float) -> Box:
    """A box from two opposite corners; a negative side tells that they are in the wrong order."""
    return (x1, y1, x2 - x1, y2 - y1)


def are_shares(boxes: Iterable[Box]) -> bool:
    """Whether all numbers lie between 0 and 1, as shares of the image's sides do."""
    sides = [side for box in boxes for side in box if math.isfinite(side)]
    return bool(sides) and min(sides) >= 0 and max(sides) <= 1.0 and any(0 < s < 1 for s in sides)


def clean_objects(
    objects: Sequence[Objects | None], sizes: Sequence[tuple[int, int] | None]
) -> tuple[list[Objects | None], list[str]]:
    """Mend what can be mended and leave out what cannot, and say how often.

    Corners in the wrong order are swapped; what reaches over the edge of the image is cut off;
    boxes outside of it, of no area or of numbers that are none are left out, and so are repeats.

    Args:
        objects: Of each image; None where it has no label.
        sizes: Width and height in pixels; None where an image cannot be read.

    Returns:
        The same images, with their sizes, and one plain line for each kind of fault.
    """
    faults: Counter[str] = Counter()
    cleaned: list[Objects | None] = []
    for image_objects, size in zip(objects, sizes, strict=True):
        if image_objects is None or size is None:
            cleaned.append(image_objects)
        else:
            cleaned.append(_clean(image_objects, size, faults))
    total = sum(len(image_objects.boxes) for image_objects in objects if image_objects is not None)
    notes = [
        f"Of {counted(total, 'box') if total == 1 else f'{total:,} boxes'}, {n:,} {what}."
        for what, n in faults.items()
    ]
    empty = sum(image_objects is not None and not image_objects.boxes for image_objects in cleaned)
    if empty:
        notes.append(f"Without objects, and used as such: {counted(empty, 'image')}.")
    return cleaned, notes


def fit_declared(
    objects: Sequence[Objects | None], sizes: Sequence[tuple[int, int] | None]
) -> tuple[list[Objects | None], list[str]]:
    """Bring boxes to images that were resized after they were annotated.

    Where the annotations give another width and height than the image has, in the same shape, the
    boxes are scaled. Width and height that are only swapped are left to who turns images upright.

    Args:
        objects: Of each image; ``declared`` is what its annotations say.
        sizes: Width and height in pixels; None where an image cannot be read.

    Raises:
        DataError: If an image has another shape than its annotations say.
    """
    fitted: list[Objects | None] = []
    scaled = 0
    for image_objects, size in zip(objects, sizes, strict=True):
        if (
            image_objects is None
            or size is None
            or image_objects.relative
            or not _differs(image_objects.declared, size)
        ):
            fitted.append(image_objects)
            continue
        width, height = image_objects.declared or size
        across, down = size[0] / width, size[1] / height
        if abs(width * down - size[0]) > max(2.0, 0.02 * size[0]):
            raise DataError(
                f"The annotations are of an image of {width} × {height} pixels, the file has "
                f"{size[0]} × {size[1]}: another shape, so the boxes do not fit; give the images "
                "that were annotated."
            )
        boxes = tuple(
            (x * across, y * down, w * across, h * down) for x, y, w, h in image_objects.boxes
        )
        fitted.append(replace(image_objects, boxes=boxes, declared=None))
        scaled += 1
    if not scaled:
        return fitted, []
    return fitted, [
        f"Boxes were scaled, because {counted(scaled, 'image')} of {len(objects):,} "
        f"{'has' if scaled == 1 else 'have'} another size than the annotations say."
    ]


def _differs(declared: tuple[int, int] | None, size: tuple[int, int]) -> bool:
    if declared is None or declared == size or declared == size[::-1]:
        return False
    return abs(declared[0] - size[0]) > 1 or abs(declared[1] - size[1]) > 1


def refuse_format(
    objects: Sequence[Objects | None], sizes: Sequence[tuple[int, int] | None]
) -> None:
    """Stop where boxes were read as x, y, width, height but are plainly corners.

    Raises:
        DataError: If more than half of the boxes reach over the edge, and none would as corners.
    """
    over = corners = total = 0
    for image_objects, size in zip(objects, sizes, strict=True):
        if image_objects is None or size is None or image_objects.relative:
            continue
        for x, y, w, h in image_objects.boxes:
            total += 1
            over += x + w > size[0] + TOLERANCE or y + h > size[1] + TOLERANCE
            corners += w > x and h > y and w <= size[0] + TOLERANCE and h <= size[1] + TOLERANCE
    if total and corners == total and over > total / 2:
        raise DataError(
            f"Read as x, y, width, height, {over:,} of {total:,} boxes reach over the edge of "
            "their image; they look like corners: set data.box_format to xyxy."
        )


def _clean(objects: Objects, size: tuple[int, int], faults: Counter[str]) -> Objects:
    distinct: dict[tuple[Box, str], None] = {}
    for box, category in zip(objects.boxes, objects.categories, strict=True):
        mended = _mend(_scaled(box, size) if objects.relative else box, size, faults)
        if mended is None:
            continue
        if (mended, category) in distinct:
            faults["name a box once more, and are left out"] += 1
        distinct[mended, category] = None
    boxes, categories = tuple(box for box, _ in distinct), tuple(name for _, name in distinct)
    return replace(
        objects, boxes=boxes, categories=categories, size=size, relative=False, declared=None
    )


def _scaled(box: Box, size: tuple[int, int]) -> Box:
    x, y, w, h = box
    return (x * size[0], y * size[1], w * size[0], h * size[1])


def _mend(box: Box, size: tuple[int, int], faults: Counter[str]) -> Box | None:
    """The part of a box inside the image, or None."""
    x, y, w, h = box
    if not all(map(math.isfinite, box)):
        faults["hold values that are not numbers, and are left out"] += 1
        return None
    if w < 0 or h < 0:
        faults["had their corners in the wrong order, and were mended"] += 1
        x, y, w, h = min(x, x + w), min(y, y + h), abs(w), abs(h)
    if w < SMALLEST or h < SMALLEST:
        faults["have no area, and are left out"] += 1
        return None
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + w, float(size[0])), min(y + h, float(size[1]))
    if right - left < SMALLEST or bottom - top < SMALLEST:
        faults["lie outside of their image, and are left out"] += 1
        return None
    if max(left - x, top - y, x + w - right, y + h - bottom) > TOLERANCE:
        faults["reach over the edge of their image, and were cut off there"] += 1
    return (left, top, right - left, bottom - top)
