"""Drawn shapes as the upright boxes around them; what was drawn is counted by kind."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hf_vft.data.annotated_boxes import Box, from_corners

Point = Sequence[float]


@dataclass
class Shapes:
    """Number of drawn shapes, by kind.

    Attributes:
        boxed: Shapes that are not upright boxes and were read as the box around them.
        unused: Shapes that have no area, or no class, and were left out.
    """

    boxed: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)

    def notes(self) -> list[str]:
        """Remarks on the shapes for people, in sentences."""
        boxed = ", ".join(f"{number:,} {kind}" for kind, number in sorted(self.boxed.items()))
        unused = ", ".join(f"{number:,} {kind}" for kind, number in sorted(self.unused.items()))
        notes = []
        if boxed:
            notes.append(f"Each shape is read as the upright box around it: {boxed}.")
        if unused:
            notes.append(f"Not used, because they mark no area of a class: {unused}.")
        return notes

    def around(self, points: Iterable[Point], kind: str) -> Box | None:
        """The box around the points of a shape that is none."""
        box = around(points)
        if box is None:
            self.unused[kind] += 1
        else:
            self.boxed[kind] += 1
        return box

    def turned(self, box: Box, degrees: float, *, about_corner: bool = False) -> Box:
        """The box around one that is turned clockwise about its centre, or its first corner."""
        if not degrees % 360 or (not degrees % 180 and not about_corner):
            return box
        x, y, w, h = box
        about = (x, y) if about_corner else (x + w / 2, y + h / 2)
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        corners = [
            (
                about[0] + (px - about[0]) * cosine - (py - about[1]) * sine,
                about[1] + (px - about[0]) * sine + (py - about[1]) * cosine,
            )
            for px, py in ((x, y), (x + w, y), (x, y + h), (x + w, y + h))
        ]
        self.boxed["turned box"] += 1
        return around(corners) or box


def around(points: Iterable[Point]) -> Box | None:
    """The smallest upright box that holds all points; None without any."""
    pairs = [(float(point[0]), float(point[1])) for point in points]
    if not pairs:
        return None
    xs, ys = zip(*pairs, strict=True)
    return from_corners(min(xs), min(ys), max(xs), max(ys))


def round_box(x: float, y: float, across: float, down: float | None = None) -> Box:
    """The box around a circle or an upright ellipse of these radii."""
    down = across if down is None else down
    return (x - across, y - down, 2 * across, 2 * down)
