"""Generated parts in the layout of MVTec AD: good ones, and ones with a bright spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 48
SPOT = 10


def part(rng: np.random.Generator, *, spot: tuple[int, int] | None = None) -> Image.Image:
    """A striped, noisy surface; the spot's left and top in pixels."""
    grey = 110 + 20 * np.sin(np.arange(SIDE) / 3)[None, :] + rng.normal(0, 5, (SIDE, SIDE))
    if spot is not None:
        left, top = spot
        grey[top : top + SPOT, left : left + SPOT] += 90
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")


def write_parts(root: Path, *, good: int = 24, held: int = 8, bad: int = 8) -> Path:
    """``train/good``, ``test/good``, ``test/spot`` and ``ground_truth/spot``."""
    rng = np.random.default_rng(0)
    for folder, count in (("train/good", good), ("test/good", held)):
        (root / folder).mkdir(parents=True)
        for number in range(count):
            part(rng).save(root / folder / f"{number:03d}.png")
    for folder in ("test/spot", "ground_truth/spot"):
        (root / folder).mkdir(parents=True)
    for number in range(bad):
        left, top = (int(v) for v in rng.integers(4, SIDE - SPOT - 4, 2))
        part(rng, spot=(left, top)).save(root / "test" / "spot" / f"{number:03d}.png")
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[top : top + SPOT, left : left + SPOT] = 255
        Image.fromarray(mask).save(root / "ground_truth" / "spot" / f"{number:03d}_mask.png")
    return root
