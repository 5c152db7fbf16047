"""A few patches that stand for many: greedy k-centre (Sener & Savarese 2018)."""

from __future__ import annotations

import torch

PROJECTED = 64
"""Numbers that distances are compared in: a random projection keeps them within a few per cent
(Johnson & Lindenstrauss 1984), and makes the choice as many times cheaper."""


def coreset(patches: torch.Tensor, size: int, *, seed: int) -> torch.Tensor:
    """Rows that cover all others: each next one is the farthest from those that were taken.

    Args:
        patches: ``float32 [N, D]``.
        size: How many to take.
        seed: Of the projection and the first row.

    Returns:
        ``int64 [size]``, no row twice; all rows where there are no more.
    """
    n, dimensions = patches.shape
    if size >= n:
        return torch.arange(n)
    generator = torch.Generator().manual_seed(seed)
    projected = patches
    if dimensions > PROJECTED:
        directions = torch.randn(dimensions, PROJECTED, generator=generator)
        projected = patches @ (directions.to(patches) / PROJECTED**0.5)
    squares = projected.square().sum(1)
    taken = torch.empty(size, dtype=torch.int64)
    row = int(torch.randint(n, (1,), generator=generator))
    nearest = torch.full((n,), torch.inf, device=patches.device)
    for place in range(size):
        taken[place] = row
        # Squares of distances, but for rounding; a row that was taken is never the farthest.
        distances = squares + squares[row] - 2.0 * (projected @ projected[row])
        torch.minimum(nearest, distances, out=nearest)
        nearest[row] = -torch.inf
        row = int(nearest.argmax())
    return taken
