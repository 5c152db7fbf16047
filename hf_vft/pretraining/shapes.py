"""Classes of shapes, each a formula: what the backbones learn to distinguish.

A class is a cloud of points in the square [-1, 1]², drawn once from the seed. Four families take
turns, so that any number of classes holds about as many of each:

- ``fractal``: the attractor of an iterated function system (FractalDB, Kataoka et al. 2020),
  its maps drawn so that none collapses (Anderson and Farrell 2022);
- ``contour``: a closed line r(θ) of a few waves (RCDB, Kataoka et al. 2022; VisualAtom,
  Takashima et al. 2023);
- ``blob``: the same, filled;
- ``stroke``: an open line whose curvature along its length is a sum of waves.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

FAMILIES = ("fractal", "contour", "blob", "stroke")
WALKERS = 64
BURN_IN = 12


def shape_bank(classes: int, points: int, seed: int) -> np.ndarray:
    """The point clouds of all classes.

    Args:
        classes: K; class k is of family ``FAMILIES[k % 4]`` and does not depend on K.
        points: P, of each cloud.
        seed: Decides everything.

    Returns:
        ``[K, P, 2]`` in float32, x and y in [-1, 1], centred.
    """
    bank = np.empty((classes, points, 2), np.float32)
    for index in range(classes):
        rng = np.random.default_rng((seed, index))
        bank[index] = _fitted(_FAMILY[FAMILIES[index % len(FAMILIES)]](rng, points))
    return bank


def fractal(rng: np.random.Generator, points: int) -> np.ndarray:
    """The attractor of two to four affine maps, by the chaos game, ``[P, 2]``."""
    count = int(rng.integers(2, 5))
    matrices, shares = _contractions(rng, count)
    shifts = rng.uniform(-1, 1, (count, 2))
    steps = -(-points // WALKERS)
    walkers = np.zeros((WALKERS, 2))
    visited = np.empty((steps, WALKERS, 2))
    choices = rng.choice(count, (steps + BURN_IN, WALKERS), p=shares)
    for step, chosen in enumerate(choices):
        walkers = np.einsum("wij,wj->wi", matrices[chosen], walkers) + shifts[chosen]
        if step >= BURN_IN:
            visited[step - BURN_IN] = walkers
    return visited.reshape(-1, 2)[:points]


def contour(rng: np.random.Generator, points: int) -> np.ndarray:
    """A closed line around the origin, ``[P, 2]``."""
    return _ray(rng, rng.uniform(0, 2 * np.pi, points))


def blob(rng: np.random.Generator, points: int) -> np.ndarray:
    """The inside of a closed line, evenly filled along every ray, ``[P, 2]``."""
    outline = _ray(rng, rng.uniform(0, 2 * np.pi, points))
    filled: np.ndarray = outline * np.sqrt(rng.uniform(0, 1, (points, 1)))
    return filled


def stroke(rng: np.random.Generator, points: int) -> np.ndarray:
    """An open line of unit speed, ``[P, 2]``."""
    place = np.linspace(0, 1, points)
    heading = rng.uniform(0, 2 * np.pi) + rng.normal(0, 1.5) * place
    for wave in range(1, 5):
        heading += rng.normal(0, 2.0 / wave) * np.sin(
            2 * np.pi * wave * place + rng.uniform(0, 2 * np.pi)
        )
    line: np.ndarray = np.stack([np.cos(heading), np.sin(heading)], -1).cumsum(0)
    return line


_FAMILY: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "fractal": fractal,
    "contour": contour,
    "blob": blob,
    "stroke": stroke,
}


def _ray(rng: np.random.Generator, angles: np.ndarray) -> np.ndarray:
    """Where the line crosses the rays at ``angles``; its waves come from ``rng``."""
    radius = np.ones_like(angles)
    for wave in rng.choice(np.arange(2, 10), int(rng.integers(1, 4)), replace=False):
        radius += rng.uniform(0.1, 0.45) * np.sin(wave * angles + rng.uniform(0, 2 * np.pi))
    radius = np.maximum(radius, 0.05)
    stretch = rng.uniform(0.4, 1.0)
    return np.stack([radius * np.cos(angles), stretch * radius * np.sin(angles)], -1)


def _contractions(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Linear parts ``[count, 2, 2]`` and how often each map is taken.

    The singular values of all maps together, the smaller ones twice, sum to about (5 + count) / 2:
    the range in which attractors are neither dust nor filled squares.
    """
    total = rng.uniform(5 + count, 6 + count) / 2
    while True:
        values = np.sort(rng.uniform(0, 1, (count, 2)))[:, ::-1]
        values = values * (total / (values[:, 0] + 2 * values[:, 1]).sum())
        if values.max() < 0.98:
            break
    before, after = (_rotation(rng.uniform(0, 2 * np.pi, count)) for _ in range(2))
    mirrored = values * rng.choice([-1.0, 1.0], (count, 2))
    matrices = np.einsum("mij,mj,mjk->mik", before, mirrored, after)
    areas = np.maximum(values.prod(1), 0.02)
    return matrices, areas / areas.sum()


def _rotation(angles: np.ndarray) -> np.ndarray:
    cosine, sine = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)


def _fitted(cloud: np.ndarray) -> np.ndarray:
    """Moved and scaled into the square; the outermost per cent of the points is cut to its edge."""
    low, high = np.percentile(cloud, [0.5, 99.5], axis=0)
    half = max(float((high - low).max()) / 2, 1e-6)
    fitted: np.ndarray = np.clip((cloud - (low + high) / 2) / half, -1, 1)
    return fitted
