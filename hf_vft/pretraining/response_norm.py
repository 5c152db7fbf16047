"""ConvNeXt V2's response normalisation, computed so that it costs little on a CPU."""

from __future__ import annotations

import torch
from torch import nn
from transformers.models.convnextv2.modeling_convnextv2 import ConvNextV2GRN

TINY = 1e-12
"""Added to a sum of squares: the root of zero has no slope."""


class QuickGRN(ConvNextV2GRN):
    """Global response normalisation (Woo et al. 2023), from a sum of squares.

    ``vector_norm`` over places reduces the slow way where channels come last: with it a fifth of
    a training step goes into the norms. Weights and answers are those of transformers.
    """

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Normalise ``[B, H, W, C]``; the shape is kept."""
        energy = hidden_states.float().square().sum((1, 2), keepdim=True)
        response = (energy + TINY).sqrt()
        share = response / (response.mean(-1, keepdim=True) + 1e-6)
        # Not 1 + weight * share: bfloat16 would round small weights away.
        scaled = self.weight * share
        kept = hidden_states
        return scaled.to(kept.dtype) * kept + self.bias.to(kept.dtype) + kept


def quicken_norms(model: nn.Module) -> None:
    """Compute all of a model's response norms the quick way, in place."""
    for module in model.modules():
        if type(module) is ConvNextV2GRN:
            module.__class__ = QuickGRN
