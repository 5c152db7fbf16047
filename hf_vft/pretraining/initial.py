"""Random weights that a short training can start from.

transformers draws all weights at a deviation of 0.02, made for wide networks and long training. In
a narrow one every layer then passes on so little that its activations stay linear, and thousands
of steps go by before anything is learned.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel

from hf_vft.models.fresh_weights import sines

WINDOW = 0.3
"""Deviation of the window over depthwise filters, as a share of their side."""

PLACES = 0.5
"""Amplitude of the sines that tell a patch its place: about that of what it shows."""


@torch.no_grad()
def spread_weights(backbone: PreTrainedModel) -> None:
    """Draw linear layers and convolutions so that they keep the variance of their input.

    The deviation is 1 / sqrt(inputs) (LeCun et al. 1998). Depthwise filters are drawn under a
    Gaussian window: trained ones are largest at their centre (Trockman et al. 2023).

    Places of patches start as sines of row and column (Beyer et al. 2022): noise of 0.02 would not
    be seen beside what a patch shows.

    Args:
        backbone: Changed in place, from the global random generator.
    """
    for module in backbone.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            weight = module.weight
            if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
                window = _window(*weight.shape[-2:])
                weight.copy_(torch.randn_like(weight) * window / window.norm())
            else:
                nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for name, places in backbone.named_parameters():
        if name.endswith("position_embeddings"):
            side = backbone.config.image_size // backbone.config.patch_size
            places[0, -(side**2) :] = PLACES * sines(side, side, places.shape[-1])


def _window(height: int, width: int) -> torch.Tensor:
    down, across = (
        torch.exp(-0.5 * (torch.linspace(-0.5, 0.5, side) / WINDOW) ** 2)
        for side in (height, width)
    )
    return down[:, None] * across
