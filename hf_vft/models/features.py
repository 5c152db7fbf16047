"""What the head sees: the features of a frozen backbone, computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from transformers import PretrainedConfig

from hf_vft.models.structure import Anatomy, head_module


class HeadOnFeatures(nn.Module):
    """The head of a model as a model of its own; it shares the weights.

    Args:
        head: What ``head_module`` found.
    """

    anatomy = Anatomy(stem=(), blocks=(), tail=(), head=("head",))

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head
        # The Trainer asks every model for one.
        self.config = PretrainedConfig()

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Features ``[B, …]``, as the head takes them, to logits ``[B, C]``."""
        return {"logits": self.head(features)}


def head_inputs(
    model: nn.Module, batches: Iterable[Mapping[str, Any]], *, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """The input of the head for every image, in order.

    Args:
        model: On its device; put into eval mode and back.
        batches: With ``pixel_values`` ``[B, C, H, W]``.
        dtype: For autocast; None computes in full precision.

    Returns:
        ``[N, …]`` in float32 on the CPU.
    """
    caught: list[torch.Tensor] = []

    def catch(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        caught.append(inputs[0].float().cpu())

    was_training = model.training
    device = next(model.parameters()).device
    model.eval()
    hook = head_module(model).register_forward_pre_hook(catch)
    try:
        with torch.inference_mode():
            for batch in batches:
                with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
                    model(pixel_values=batch["pixel_values"].to(device))
    finally:
        hook.remove()
        model.train(was_training)
    # Outside of inference mode, so that the result may be learned from.
    return torch.cat(caught)
