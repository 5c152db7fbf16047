"""Boxes on an image, each with its class and score."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from hf_vft.explain.overlay import SIDE, shown_scale, shown_size
from hf_vft.tasks import DetectedObject

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#7b3fa0", "#4d4d4d")
"""Told apart with colour blindness too (Okabe & Ito 2008, some darkened for white letters)."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

_LETTER = 17
_LONGEST = 24


def draw_boxes(
    image: Image.Image,
    objects: Sequence[DetectedObject],
    names: Sequence[str],
    *,
    side: int = SIDE,
    size: tuple[int, int] | None = None,
) -> Image.Image:
    """The image with boxes over it, the surest on top.

    Args:
        image: RGB.
        objects: Boxes in pixels of ``size``, the surest first.
        names: All classes; each has its colour.
        side: Longest side of the result; small images are enlarged up to four times.
        size: Width and height that the boxes belong to; by default those of the image.
    """
    scale = shown_scale(size or image.size, side)
    size = shown_size(image.size, side)
    shown = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(shown)
    font = ImageFont.load_default(_LETTER)
    for detected in reversed(objects):
        box = tuple(edge * scale for edge in detected.box)
        draw.rectangle(box, outline=_colour(detected, names), width=3)
    written: list[Box] = []
    for detected in objects:
        tag, text = _tag(draw, font, detected, scale, size)
        if any(_overlap(tag, other) for other in written):
            continue  # where boxes crowd, what can be read is that of the surest
        written.append(tag)
        draw.rectangle(tag, fill=_colour(detected, names))
        draw.text((tag[0] + 4, tag[1] + 1), text, fill="white", font=font)
    return shown


def _colour(detected: DetectedObject, names: Sequence[str]) -> str:
    return COLOURS[list(names).index(detected.label) % len(COLOURS)]


def _tag(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    detected: DetectedObject,
    scale: float,
    size: tuple[int, int],
) -> tuple[Box, str]:
    """What is written to a box and where: above it, or inside where there is no room."""
    text = f"{detected.label[:_LONGEST]} {100 * detected.score:.0f} %"
    _, _, width, height = draw.textbbox((0, 0), text, font=font)
    left, top = (edge * scale for edge in detected.box[:2])
    x = min(max(left, 0), max(size[0] - width - 8, 0))
    y = top - height - 6 if top > height + 6 else top
    return (x, y, x + width + 8, y + height + 6), text


def _overlap(first: Box, other: Box) -> bool:
    return (
        first[0] < other[2] and other[0] < first[2] and first[1] < other[3] and other[1] < first[3]
    )
