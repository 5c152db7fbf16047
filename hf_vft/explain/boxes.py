"""Boxes on a picture, each with its class and score."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from hf_vft.tasks import DetectedObject

SIDE = 900
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#7b3fa0", "#4d4d4d")
"""Told apart with colour blindness too (Okabe & Ito 2008, some darkened for white letters)."""

_LETTER = 17
_LONGEST = 24


def draw_boxes(
    image: Image.Image,
    objects: Sequence[DetectedObject],
    names: Sequence[str],
    *,
    side: int = SIDE,
) -> Image.Image:
    """The picture with boxes over it, the surest on top.

    Args:
        image: RGB.
        objects: Boxes in pixels of the picture, the surest first.
        names: All classes; each has its colour.
        side: Longest side of the result; small pictures are enlarged up to four times.
    """
    scale = min(side / max(image.size), 4.0)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    shown = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(shown)
    font = ImageFont.load_default(_LETTER)
    for found in reversed(objects):
        colour = COLOURS[list(names).index(found.label) % len(COLOURS)]
        left, top, right, bottom = (edge * scale for edge in found.box)
        draw.rectangle((left, top, right, bottom), outline=colour, width=3)
        text = f"{found.label[:_LONGEST]} {100 * found.score:.0f} %"
        _, _, width, height = draw.textbbox((0, 0), text, font=font)
        x = min(max(left, 0), max(size[0] - width - 8, 0))
        y = top - height - 6 if top > height + 6 else top
        draw.rectangle((x, y, x + width + 8, y + height + 6), fill=colour)
        draw.text((x + 4, y + 1), text, fill="white", font=font)
    return shown
