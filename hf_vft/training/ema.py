"""A moving average of the weights, kept beside the ones that are trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

FILE = "ema.safetensors"


class WeightAverage:
    """Exponential moving average (Polyak and Juditsky 1992; as used by timm and torchvision).

    The decay is warmed up as min(decay, (1 + steps) / (10 + steps)), so that a short training
    is not dominated by the weights it started from. The statistics of BatchNorm are averaged
    too: those of the model belong to its own weights. Counters are copied.

    Args:
        model: The model that is trained.
        decay: In (0, 1).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = model
        self.decay = decay
        self.average = AveragedModel(model, multi_avg_fn=self._blend, use_buffers=True)

    @torch.no_grad()
    def _blend(
        self,
        averaged: Sequence[torch.Tensor],
        current: Sequence[torch.Tensor],
        steps: torch.Tensor | int,
    ) -> None:
        # The tensors of one call are of one type.
        if not averaged[0].is_floating_point():
            torch._foreach_copy_(list(averaged), list(current))
            return
        decay = min(self.decay, (1 + float(steps)) / (10 + float(steps)))
        torch._foreach_lerp_(list(averaged), list(current), 1 - decay)

    def update(self) -> None:
        """Take in the weights as they are now."""
        self.average.update_parameters(self.model)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Context in which the model has the averaged weights; afterwards its own again."""
        own = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.copy_to_model()
        try:
            yield
        finally:
            self.model.load_state_dict(own)

    def copy_to_model(self) -> None:
        """Give the model the averaged weights."""
        self.model.load_state_dict(self.average.module.state_dict())

    def save(self, folder: Path) -> None:
        """Write the average beside a checkpoint."""
        state = {
            key: value.detach().clone(memory_format=torch.contiguous_format)
            for key, value in self.average.state_dict().items()
        }
        save_file(state, folder / FILE)

    def load(self, folder: Path) -> None:
        """Read the average of a checkpoint."""
        self.average.load_state_dict(load_file(folder / FILE))
