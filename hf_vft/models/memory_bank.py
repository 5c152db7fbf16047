"""Remembered patches of good images, and how far those of another image are from them."""

from __future__ import annotations

import torch
from torch import nn

_AT_A_TIME = 2048
"""Patches that are compared at a time, so that memory stays bounded."""


class MemoryBank(nn.Module):
    """The nearest remembered patch of each patch (PatchCore, Roth et al. 2022).

    Args:
        patches: ``float32 [M, D]``.
        neighbours: Remembered patches that say how unusual the nearest one is.
    """

    def __init__(self, patches: torch.Tensor, neighbours: int = 9) -> None:
        super().__init__()
        self.patches = nn.Parameter(patches, requires_grad=False)
        self.neighbours = neighbours

    def forward(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``[B, P, D]`` to the distance of each patch ``[B, P]``, and the score of each image."""
        flat = patches.flatten(0, 1)
        nearest = torch.cat([self._nearest(part) for part in torch.split(flat, _AT_A_TIME)])
        distances = (flat - self.patches[nearest]).norm(dim=1).view(patches.shape[:2])
        return distances, self._scores(patches, distances, nearest.view_as(distances))

    def _nearest(self, rows: torch.Tensor) -> torch.Tensor:
        """``[N, D]`` to the row of the nearest remembered patch ``[N]``."""
        # The squares of the rows are the same for all candidates.
        return (self.patches.square().sum(1) - 2.0 * (rows @ self.patches.T)).argmin(1)

    def _scores(
        self, patches: torch.Tensor, distances: torch.Tensor, nearest: torch.Tensor
    ) -> torch.Tensor:
        """The largest distance, weighted up where what it is nearest to is rare itself.

        Equation 7 of the paper.
        """
        farthest = distances.argmax(1)
        images = torch.arange(len(patches), device=patches.device)
        patch, known = patches[images, farthest], nearest[images, farthest]
        largest = distances[images, farthest]
        k = min(self.neighbours, len(self.patches))
        if k < 2:
            return largest
        around = torch.cdist(self.patches[known], self.patches).topk(k, largest=False).indices
        to_around = (patch[:, None] - self.patches[around]).norm(dim=2)
        share = torch.softmax(torch.cat([largest[:, None], to_around[:, 1:]], dim=1), dim=1)[:, 0]
        return (1.0 - share) * largest
