"""Parameters that several modules share, as they are and not as a configuration says.

A class of transformers names the weights that it may tie; a checkpoint decides: RT-DETR ties the
class layers of its decoder where a checkpoint has one of them, and leaves them apart where each has
a value of its own. So the parameters themselves are asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import nn


def tied_parameters(model: nn.Module) -> list[list[str]]:
    """Names of the parameters that are one, for each that has several."""
    names: dict[int, list[str]] = defaultdict(list)
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names[id(parameter)].append(name)
    return [group for group in names.values() if len(group) > 1]


def tie_parameters(model: nn.Module, groups: Iterable[list[str]]) -> None:
    """Let the parameters of each group be the first of them, in place."""
    for first, *others in groups:
        parameter = model.get_parameter(first)
        for other in others:
            owner, _, name = other.rpartition(".")
            setattr(model.get_submodule(owner), name, parameter)


def state_to_save(model: nn.Module) -> dict[str, torch.Tensor] | None:
    """What ``save_pretrained`` is to write of a model, or None where it knows that by itself.

    It refuses shared parameters that no class of transformers has declared, such as those of
    timm's CoaT, which calls one module from several places: there each name gets a copy.
    """
    if not tied_parameters(model) or getattr(model, "all_tied_weights_keys", None):
        return None
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
