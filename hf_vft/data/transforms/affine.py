"""Affine maps of the plane: where in one image a point of another one lies.

Coordinates are continuous: the pixel in column i covers [i, i + 1), so that neither reducing an
image nor mirroring it needs half a pixel of correction.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Affine(NamedTuple):
    """``(x, y)`` becomes ``(a x + b y + c, d x + e y + f)``."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 1.0
    f: float = 0.0

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        """The point that ``(x, y)`` becomes."""
        return self.a * x + self.b * y + self.c, self.d * x + self.e * y + self.f

    def after(self, first: Affine) -> Affine:
        """The map that applies ``first``, then this one."""
        a, b, c, d, e, f = self
        return Affine(
            a * first.a + b * first.d,
            a * first.b + b * first.e,
            a * first.c + b * first.f + c,
            d * first.a + e * first.d,
            d * first.b + e * first.e,
            d * first.c + e * first.f + f,
        )

    def inverse(self) -> Affine:
        """The map that undoes this one."""
        a, b, c, d, e, f = self
        size = a * e - b * d
        return Affine(
            e / size, -b / size, (b * f - e * c) / size, -d / size, a / size, (d * c - a * f) / size
        )

    @property
    def steps(self) -> tuple[float, float]:
        """Largest movement of x and y of the result for a step of length 1."""
        return math.hypot(self.a, self.b), math.hypot(self.d, self.e)

    @property
    def is_straight(self) -> bool:
        """Whether upright rectangles stay upright rectangles; their sides may change places."""
        return (self.b == 0.0 and self.d == 0.0) or (self.a == 0.0 and self.e == 0.0)

    def bounds(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[float, float, float, float]:
        """The upright rectangle around what a rectangle becomes."""
        corners = [self(x, y) for x in (left, right) for y in (top, bottom)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return min(xs), min(ys), max(xs), max(ys)


def scaled(x: float, y: float) -> Affine:
    """Multiplies the coordinates."""
    return Affine(a=x, e=y)


def moved(x: float, y: float) -> Affine:
    """Adds to the coordinates."""
    return Affine(c=x, f=y)


def around(change: Affine, x: float, y: float) -> Affine:
    """A linear map whose fixed point is ``(x, y)``."""
    return moved(x, y).after(change).after(moved(-x, -y))


def turned(degrees: float) -> Affine:
    """A rotation around the origin."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return Affine(cosine, -sine, 0.0, sine, cosine, 0.0)


def stored_from_upright(orientation: int, width: int, height: int) -> Affine:
    """The map from a point of the upright image to its place in the file.

    Args:
        orientation: Of the EXIF data, 1 to 8.
        width: Of the image as the file stores it, in pixels.
        height: The same.
    """
    maps = {
        1: Affine(),
        2: Affine(a=-1, c=width),
        3: Affine(a=-1, c=width, e=-1, f=height),
        4: Affine(e=-1, f=height),
        5: Affine(a=0, b=1, d=1, e=0),
        6: Affine(a=0, b=1, d=-1, e=0, f=height),
        7: Affine(a=0, b=-1, c=width, d=-1, e=0, f=height),
        8: Affine(a=0, b=-1, c=width, d=1, e=0),
    }
    return maps[orientation]
