"""The defects of the generated inspection line: small, and low in contrast.

A defect is a relative change of brightness and colour: ``surface * (1 + change)``, exactly
zero outside the defect, so that its box follows from it. Each function here returns its shape,
``[side, side]`` in -1..1, and its strength for red, green and blue. The marks overlap
on purpose: a short crack resembles a scratch, a pit an inclusion, and brushed metal is full of
lines that are neither.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hf_vft.data.demo.noise import clouds, smooth

Point = tuple[float, float]
"""Row and column in pixels."""

Mark = tuple[np.ndarray, np.ndarray]
Defect = Callable[[np.random.Generator, int, Point, float], Mark]

GREY = np.ones(3, dtype=np.float32)


def scratch(rng: np.random.Generator, side: int, centre: Point, unit: float) -> Mark:
    """A thin smooth line, slightly bent, bright or dark, fading at both ends."""
    angle, length = rng.uniform(0, np.pi), rng.uniform(18, 40) * unit
    along = np.linspace(-0.5, 0.5, 160)
    bend = rng.uniform(-0.12, 0.12) * length * (4 * along**2)
    rows = centre[0] + length * along * np.sin(angle) + bend * np.cos(angle)
    columns = centre[1] + length * along * np.cos(angle) - bend * np.sin(angle)
    line = _stroke(rows, columns, side, rng.uniform(0.6, 0.9) * unit, 1 - (2 * along) ** 4)
    return line, GREY * _either(rng, 0.16, 0.28)


def crack(rng: np.random.Generator, side: int, centre: Point, unit: float) -> Mark:
    """A dark jagged line with a side branch."""
    main = _jagged(rng, centre, rng.uniform(0, 2 * np.pi), int(rng.integers(7, 13)), unit)
    start = main[len(main) // 2]
    heading = np.arctan2(*(main[-1] - main[0]))
    branch = _jagged(
        rng, (start[0], start[1]), heading + rng.choice((-1, 1)) * rng.uniform(0.6, 1.1), 5, unit
    )
    points = np.concatenate([_dense(main), _dense(branch)])
    points[:, 0] += centre[0] - start[0]
    points[:, 1] += centre[1] - start[1]
    line = _stroke(points[:, 0], points[:, 1], side, rng.uniform(0.6, 0.85) * unit)
    return line, GREY * -rng.uniform(0.22, 0.38)


def pit(rng: np.random.Generator, side: int, centre: Point, unit: float) -> Mark:
    """One to three small round holes, dark, with a rim that catches the light."""
    change = np.zeros((side, side), dtype=np.float32)
    for _ in range(rng.integers(1, 4)):
        row, column = np.asarray(centre) + rng.uniform(-7, 7, 2) * unit
        radius = rng.uniform(1.3, 2.3) * unit
        hole = _disc(side, row, column, radius)
        rim = _disc(side, row + 0.9 * unit, column + 0.9 * unit, radius) * (1 - hole)
        change += 0.6 * rim - hole
    return np.clip(change, -1, 1), GREY * rng.uniform(0.22, 0.36)


def stain(rng: np.random.Generator, side: int, centre: Point, unit: float) -> Mark:
    """A soft patch of irregular outline, a little darker and off colour."""
    rows, columns = np.ogrid[0:side, 0:side]
    radius = rng.uniform(8, 14) * unit
    stretch = rng.uniform(0.7, 1.4)
    distance = np.hypot((rows - centre[0]) * stretch, (columns - centre[1]) / stretch) / radius
    patch = np.clip(2.5 * (1 - distance + 0.3 * clouds(rng, side, 7)), 0, 1)
    patch *= distance < 1.6
    tint = GREY + rng.uniform(-0.35, 0.35, 3)
    return patch, tint * -rng.uniform(0.07, 0.13)


def inclusion(rng: np.random.Generator, side: int, centre: Point, unit: float) -> Mark:
    """One angular particle of foreign material with sharp edges, bright or dark, tinted."""
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    inside = np.ones((side, side), dtype=np.float32)
    start, radius = rng.uniform(0, 2 * np.pi), rng.uniform(2.0, 3.8) * unit
    sides = int(rng.integers(4, 7))
    for angle in start + 2 * np.pi * (np.arange(sides) + rng.uniform(-0.2, 0.2, sides)) / sides:
        reach = (rows - centre[0]) * np.sin(angle) + (columns - centre[1]) * np.cos(angle)
        inside = np.minimum(inside, np.clip(radius * rng.uniform(0.7, 1.1) - reach + 0.5, 0, 1))
    tint = GREY + rng.uniform(-0.5, 0.5, 3)
    return inside, tint * _either(rng, 0.18, 0.32)


def dent(rng: np.random.Generator, side: int, centre: Point, unit: float) -> Mark:
    """A shallow hollow: one flank in the shade, the other in the light. New in production."""
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    radius = rng.uniform(5, 8) * unit
    rows, columns = (rows - centre[0]) / radius, (columns - centre[1]) / radius
    bowl = np.exp(-(rows**2 + columns**2))
    light = rng.uniform(-0.5, 0.5) - np.pi / 2
    flank = 2.3 * bowl * (rows * np.sin(light) + columns * np.cos(light))
    flank[bowl < 0.03] = 0
    return flank, GREY * rng.uniform(0.16, 0.26)


DEFECTS: dict[str, Defect] = {
    "scratch": scratch,
    "pit": pit,
    "crack": crack,
    "stain": stain,
    "inclusion": inclusion,
}
NEW_DEFECT = "dent"


def defect_change(
    rng: np.random.Generator,
    kind: str,
    side: int,
    centre: Point,
    unit: float = 1.0,
    contrast: float = 1.0,
) -> np.ndarray:
    """The relative change that a defect makes to a surface.

    Args:
        rng: Decides everything that is random about it.
        kind: A key of ``DEFECTS``, or ``NEW_DEFECT``.
        side: Side of the surface in pixels.
        centre: Row and column around which it lies.
        unit: Pixels per pixel of a 96-pixel image.
        contrast: Factor on the strength; 1.0 is hard, 2.0 easy.

    Returns:
        float32 ``[3, side, side]``, zero outside the defect.
    """
    shape, strength = {**DEFECTS, NEW_DEFECT: dent}[kind](rng, side, centre, unit)
    shape = np.where(np.abs(shape) < 0.1 * np.abs(shape).max(), 0, shape).astype(np.float32)
    return shape[None] * (contrast * strength).astype(np.float32)[:, None, None]


def defect_box(change: np.ndarray) -> tuple[int, int, int, int] | None:
    """The box around what ``change`` alters: x, y, width, height in pixels; None if nothing."""
    altered = change[0] != 0
    rows, columns = np.flatnonzero(altered.any(axis=1)), np.flatnonzero(altered.any(axis=0))
    if not len(rows):
        return None
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1


def _either(rng: np.random.Generator, low: float, high: float) -> float:
    """A strength between ``low`` and ``high``, of either sign."""
    return float(rng.choice((-1, 1)) * rng.uniform(low, high))


def _disc(side: int, row: float, column: float, radius: float) -> np.ndarray:
    """A filled circle with a soft edge of one pixel, 0..1."""
    rows, columns = np.ogrid[0:side, 0:side]
    return np.clip(radius - np.hypot(rows - row, columns - column) + 0.5, 0, 1).astype(np.float32)


def _jagged(
    rng: np.random.Generator,
    start: Point,
    heading: float,
    steps: int,
    unit: float,
) -> np.ndarray:
    """Corners of a walk that turns sharply at each step: float ``[steps + 1, 2]``."""
    headings = heading + rng.normal(0, 0.75, steps)
    lengths = rng.uniform(1.5, 4.0, steps) * unit
    moves = lengths[:, None] * np.stack([np.sin(headings), np.cos(headings)], axis=1)
    return np.concatenate([[start], np.asarray(start) + np.cumsum(moves, axis=0)])


def _dense(corners: np.ndarray, per_step: int = 12) -> np.ndarray:
    """Points along a line through ``corners``: float ``[n, 2]``."""
    at = np.linspace(0, len(corners) - 1, per_step * (len(corners) - 1) + 1)
    steps = np.arange(len(corners))
    return np.stack([np.interp(at, steps, corners[:, axis]) for axis in (0, 1)], axis=1)


def _stroke(
    rows: np.ndarray,
    columns: np.ndarray,
    side: int,
    width: float,
    strength: np.ndarray | None = None,
) -> np.ndarray:
    """A soft line through points, 0..1; points outside the surface are left out."""
    inside = (rows >= 0) & (rows < side - 0.5) & (columns >= 0) & (columns < side - 0.5)
    at = np.round(rows[inside]).astype(int) * side + np.round(columns[inside]).astype(int)
    line = np.zeros(side * side, dtype=np.float32)
    line[at] = 1.0 if strength is None else strength[inside]
    soft = smooth(line.reshape(side, side), width)
    return np.clip(soft / max(float(soft.max()), 1e-6), 0, 1)
