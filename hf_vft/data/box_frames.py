"""Boxes that were drawn on the stored pixels of photographs that are shown turned.

Width and height that an annotation file gives do not tell: some tools write those of the stored
pixels beside boxes of the upright image. Boxes that leave the one frame and fit the other do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hf_vft.data.annotated_boxes import TOLERANCE, Box, Objects, from_corners
from hf_vft.utils.text import counted

UPRIGHT = 1
"""The EXIF orientation of an image that is stored as it is shown."""

_SWAPPED = (5, 6, 7, 8)
"""Orientations that exchange width and height."""

Size = tuple[int, int]


def turn_boxes(
    objects: Sequence[Objects | None],
    sizes: Sequence[Size | None],
    orientations: Sequence[int],
) -> tuple[list[Objects | None], list[str]]:
    """Turn boxes with their images where they were drawn on the stored pixels.

    Decided once for all images: if boxes reach over the edge of their upright images and none over
    that of the stored ones, all are turned.

    Args:
        objects: Of each image; None where it has no label.
        sizes: Width and height of the upright images in pixels; None where one cannot be read.
        orientations: Of their EXIF data, 1 to 8.

    Returns:
        The same images, and a note where any is shown turned.
    """
    turned = sum(orientation != UPRIGHT for orientation in orientations)
    if not turned:
        return list(objects), []
    over_upright = over_stored = 0
    for image_objects, size, orientation in zip(objects, sizes, orientations, strict=True):
        if (
            image_objects is None
            or size is None
            or image_objects.relative
            or orientation not in _SWAPPED
        ):
            continue
        over_upright += sum(_leaves(box, size) for box in image_objects.boxes)
        over_stored += sum(_leaves(box, size[::-1]) for box in image_objects.boxes)
    note = f"{turned:,} of {counted(len(objects), 'image')} {'is' if turned == 1 else 'are'} "
    note += "stored turned (EXIF); "
    if not over_upright or over_stored:
        return list(objects), [note + "their boxes are read as drawn on the upright image."]
    mended = [
        image_objects
        if image_objects is None or size is None
        else replace(
            image_objects,
            boxes=tuple(_turned(box, size, orientation) for box in image_objects.boxes),
            declared=None if orientation != UPRIGHT else image_objects.declared,
        )
        for image_objects, size, orientation in zip(objects, sizes, orientations, strict=True)
    ]
    reason = f"{over_upright:,} boxes leave the upright images and none the stored ones"
    return mended, [note + f"their boxes were turned with them, because {reason}."]


def _leaves(box: Box, size: Size) -> bool:
    x, y, w, h = box
    right, bottom = max(x, x + w), max(y, y + h)
    return right > size[0] + TOLERANCE or bottom > size[1] + TOLERANCE


def _turned(box: Box, upright: Size, orientation: int) -> Box:
    """From the stored frame to the upright one."""
    x, y, w, h = box
    width, height = upright[::-1] if orientation in _SWAPPED else upright

    def moved(px: float, py: float) -> tuple[float, float]:
        return {
            1: (px, py),
            2: (width - px, py),
            3: (width - px, height - py),
            4: (px, height - py),
            5: (py, px),
            6: (height - py, px),
            7: (height - py, width - px),
            8: (py, width - px),
        }[orientation]

    (x1, y1), (x2, y2) = moved(x, y), moved(x + w, y + h)
    return from_corners(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
