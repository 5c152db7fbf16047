"""The sound surfaces of the generated inspection line: metal, cloth and board.

Each function paints a grey texture as relative brightness: float32 ``[height, width]`` around
1.0, times a colour. Surfaces carry marks that are no defect (machining lines, thick threads,
pores), because on a real line those are what a model confuses with defects. Lengths are in
pixels of a 96-pixel image times ``unit``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hf_vft.data.demo.noise import clouds, smooth

Surface = Callable[[np.random.Generator, int, float], np.ndarray]

COLOURS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "metal": ((0.60, 0.62, 0.64), (0.54, 0.56, 0.60), (0.66, 0.64, 0.60)),
    "cloth": ((0.42, 0.45, 0.55), (0.58, 0.55, 0.50), (0.44, 0.52, 0.46)),
    "board": ((0.64, 0.52, 0.38), (0.56, 0.44, 0.32), (0.70, 0.60, 0.46)),
}


def metal(rng: np.random.Generator, side: int, unit: float) -> np.ndarray:
    """Brushed metal: streaks along one direction, a few deeper machining lines."""
    streaks = smooth(rng.standard_normal((side, side), dtype=np.float32), 10 * unit, axis=-1)
    texture = 0.045 * streaks / streaks.std()
    for row in rng.integers(0, side, rng.integers(0, 4)):
        texture[row] += rng.choice((-1, 1)) * rng.uniform(0.03, 0.08)
    texture = _sheared(texture, rng.uniform(-0.3, 0.3))
    texture += 0.025 * clouds(rng, side, 3)
    return 1 + (texture.T if rng.random() < 0.5 else texture)


def cloth(rng: np.random.Generator, side: int, unit: float) -> np.ndarray:
    """Plain weave: threads over and under each other, some thicker than the rest."""
    period = rng.uniform(4.5, 6.0) * unit
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    rows = rows + 1.2 * unit * clouds(rng, side, 4)
    columns = columns + 1.2 * unit * clouds(rng, side, 4)
    weft, warp = rows / period, columns / period
    over = (np.floor(weft) + np.floor(warp)) % 2
    profile = np.where(over > 0, np.sin(np.pi * (weft % 1)), np.sin(np.pi * (warp % 1)))
    count = int(side / period) + 8
    shades = 0.05 * rng.standard_normal((2, count), dtype=np.float32)
    shades[0, rng.integers(0, count, 2)] += rng.choice((-1, 1), 2) * 0.10
    thread = np.where(
        over > 0,
        shades[0][np.clip(weft.astype(int) + 2, 0, count - 1)],
        shades[1][np.clip(warp.astype(int) + 2, 0, count - 1)],
    )
    grain = 0.03 * rng.standard_normal((side, side), dtype=np.float32)
    texture: np.ndarray = 0.88 + 0.18 * profile + thread + grain
    return texture.astype(np.float32)


def board(rng: np.random.Generator, side: int, unit: float) -> np.ndarray:
    """Wood-like board: wavy grain, speckle and short dark pores along the grain."""
    rows = np.arange(side, dtype=np.float32)[:, None] + 5 * unit * clouds(rng, side, 2)
    rings = smooth(rng.standard_normal((2 * side, 1), dtype=np.float32), 1.5 * unit, axis=-2)[:, 0]
    grain = np.interp(rows + side / 2, np.arange(2 * side), rings / rings.std())
    pores = rng.standard_normal((side, side), dtype=np.float32) > 2.6
    pores = smooth(pores.astype(np.float32), 2.0 * unit, axis=-1)
    speckle = 0.03 * rng.standard_normal((side, side), dtype=np.float32)
    texture = 1 + 0.05 * grain + 0.03 * clouds(rng, side, 5) - 0.55 * pores + speckle
    return np.asarray(texture.T if rng.random() < 0.5 else texture, dtype=np.float32)


def _sheared(texture: np.ndarray, slope: float) -> np.ndarray:
    """Roll each column by ``slope`` pixels per column, so that streaks run at an angle."""
    side = len(texture)
    shift = np.round(slope * np.arange(side)).astype(int)
    rows = (np.arange(side)[:, None] + shift[None]) % side
    return np.take_along_axis(texture, rows, axis=0)


SURFACES: dict[str, Surface] = {"metal": metal, "cloth": cloth, "board": board}


def painted_surface(
    rng: np.random.Generator, kind: str, side: int, unit: float = 1.0
) -> np.ndarray:
    """A sound surface in colour.

    Args:
        rng: Decides everything that is random about it.
        kind: A key of ``SURFACES``.
        side: Side in pixels.
        unit: Pixels per pixel of a 96-pixel image.

    Returns:
        float32 ``[3, side, side]``, mostly in 0..1.
    """
    colour = np.array(COLOURS[kind][rng.integers(len(COLOURS[kind]))], dtype=np.float32)
    colour = colour * np.float32(rng.uniform(0.92, 1.08))
    return SURFACES[kind](rng, side, unit)[None] * colour[:, None, None]
