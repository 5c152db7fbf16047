"""The straight line in weight space from where training started to where it ended.

Between the weights of the linear probe and the fine-tuned ones lie networks that often keep more of
what the backbone knew, above all on disturbed images (WiSE-FT, Wortsman et al. 2022). All weights
are interpolated, head included; serving costs the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

State = dict[str, torch.Tensor]

WRAPPED, SAVED, ORIGINAL = "base_model.model.", ".modules_to_save.default.", ".original_module."
"""What peft adds to the names of a model that it wraps."""


def copied(model: nn.Module) -> State:
    """Weights and buffers as they are now, on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def start_of_line(start: Mapping[str, torch.Tensor], end: Mapping[str, torch.Tensor]) -> State:
    """The start under the names of the end, which may be those of a model with adapters.

    An adapter begins as nothing: its first factor is that of the end, so that the line scales the
    product, and its second is zero.

    Args:
        start: Weights of the plain model.
        end: Of the same model after training, perhaps wrapped by peft.

    Returns:
        One tensor for each of the end; a part that the start does not have is that of the end.
    """
    state = {}
    for name, value in end.items():
        plain = name.removeprefix(WRAPPED).replace(".base_layer.", ".")
        plain = plain.replace(SAVED, ".").replace(ORIGINAL, ".")
        if ".lora_B." in name:
            state[name] = torch.zeros_like(value)
        else:
            same = plain in start and start[plain].shape == value.shape
            state[name] = start[plain].to(value) if same else value
    return state


def on_line(start: Mapping[str, torch.Tensor], end: Mapping[str, torch.Tensor], at: float) -> State:
    """The weights at a place on the line: 0 is the start, 1 the end.

    Counters are those of the end.
    """
    return {
        name: torch.lerp(start[name], value, at) if value.is_floating_point() else value
        for name, value in end.items()
    }
