"""How many bits the images of a data set use, where their files have room for more than 8.

Cameras, microscopes and X-ray detectors write 10, 12 or 14 bits into files of 16. Read as 16 bits
such images are nearly black; stretched one by one, the same thing would look different in two of
them. So the depth is decided once, for all images, and travels in the recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from hf_vft.data.verify import DecodeCheck
from hf_vft.utils.text import counted

DEPTHS = (8, 10, 12, 14, 16)
"""What is chosen from: the depths that devices have."""

FULL = DEPTHS[-1]

_GAP = 4
"""Bits that most images leave unused, from which on a few of another depth must be at fault."""


@dataclass(frozen=True)
class BitDepth:
    """The bit depth that was decided, and why.

    Attributes:
        bits: For `hf_vft.data.images.Decoder`, 8 to 16.
        reason: Why, for choices.json.
        notes: What a person should know, a sentence each.
    """

    bits: int = FULL
    reason: str = "no image has more than 8 bits a channel"
    notes: list[str] = field(default_factory=list)


def settle_bit_depth(checks: Sequence[DecodeCheck], asked: int | Literal["auto"]) -> BitDepth:
    """Decide how the images with more than 8 bits a channel are read.

    The least depth of `DEPTHS` that holds every value, but not less than what a file states; a
    file that states one and keeps to it counts by that alone.

    Args:
        checks: Of all usable images.
        asked: The depth that the recipe asks for, or ``auto``.
    """
    deep = [(check.highest, check.stated_bits) for check in checks if check.highest is not None]
    if not deep:
        return BitDepth() if asked == "auto" else BitDepth(asked, "set in the recipe")
    highest = max(value for value, _ in deep)
    bits = max(_needed(*pair) for pair in deep) if asked == "auto" else asked
    reason = f"no value of the {counted(len(deep), 'deep image')} is above {highest:,}"
    if stated_bits := [stated for _, stated in deep if stated is not None]:
        reason += f"; files state up to {max(stated_bits)} bits"
    notes = [
        f"More than 8 bits a channel: {len(deep):,} of {counted(len(checks), 'image')}, with "
        f"values up to {highest:,} of 65,535. They are read at data.bit_depth={bits}, here and "
        "wherever the model is used through hf-vft. "
        "Plain transformers leaves such a file to Pillow, which cuts grey values off at 255 and "
        "takes colour for 16 bits deep."
    ]
    if asked != "auto":
        notes += above_notes(checks, bits)
        return BitDepth(bits, "set in the recipe", notes)
    usual = _rounded(int(median(value for value, _ in deep)))
    if bits - usual >= _GAP and not stated_bits:
        brighter = sum(value >= 1 << usual for value, _ in deep)
        notes.append(
            f"Half of these images use {usual} of {bits} bits and look dark because of "
            f"{brighter:,} with greater values; data.bit_depth={usual} cuts those off instead."
        )
    return BitDepth(bits, reason, notes)


def above_notes(checks: Sequence[DecodeCheck], bits: int) -> list[str]:
    """A note if images have values that ``bits`` bits cannot hold."""
    values = [check.highest or 0 for check in checks]
    above = [value for value in values if value >= 1 << bits]
    if not above:
        return []
    return [
        f"Values above the {(1 << bits) - 1:,} of data.bit_depth={bits}, up to {max(above):,}, are "
        f"cut off in {counted(len(above), 'image')}."
    ]


def page_notes(checks: Sequence[DecodeCheck]) -> list[str]:
    """A note if files hold several images."""
    several = sum(check.pages > 1 for check in checks)
    if not several:
        return []
    return [f"Only the first page or frame is used of {counted(several, 'file')} with several."]


def _needed(highest: int, stated: int | None) -> int:
    is_true = stated is not None and highest < 1 << stated
    return max(8, stated) if is_true and stated is not None else _rounded(highest)


def _rounded(highest: int) -> int:
    return next(depth for depth in DEPTHS if highest < 1 << depth)
