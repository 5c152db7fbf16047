"""Parameter groups: learning rates by depth, and no weight decay where it does harm."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from hf_vft.errors import ModelError
from hf_vft.models.structure import Anatomy, anatomy

MATRIX_LAYERS = (nn.Linear, nn.modules.conv._ConvNd, nn.Bilinear, nn.MultiheadAttention)
"""Layers whose weights are decayed. Nothing else is: norms, biases, scales, embeddings, tokens."""


def parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    head_learning_rate: float | None = None,
    layer_decay: float = 1.0,
    weight_decay: float = 0.0,
    rates: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Groups for a torch optimizer, over the parameters that learn.

    A parameter at depth d of n blocks learns at ``learning_rate * layer_decay ** (n - d)``: the
    top block and the final norm at ``learning_rate``, the stem (d = 0) slowest.

    Args:
        model: Any model that ``anatomy`` understands, wrapped or not.
        learning_rate: Rate of the backbone's top block.
        head_learning_rate: Rate of the head; the backbone's if not given.
        layer_decay: Share of the rate above it at which each block learns, in (0, 1].
        weight_decay: Decay of the weights of linear and convolutional layers; 0 for the rest.
        rates: Regular expressions (searched for in parameter names) and the rate of what they
            match, whatever its depth. The first that matches counts.

    Returns:
        Dicts of ``params``, ``lr``, ``weight_decay`` and ``name``, from input to output. The
        rate is written as ``lr``, not as a scale that only some schedulers apply.

    Raises:
        ModelError: If nothing learns, or a pattern matches no parameter that does.
    """
    rates = rates or {}
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not learning:
        raise ModelError("No parameter of the model learns: call set_trainable first.")
    _check_patterns(rates, learning)
    parts = anatomy(model)
    decayed = _decayed_parameters(model)
    by_depth = {
        depth: learning_rate * layer_decay ** (len(parts.blocks) - depth)
        for depth in range(parts.head_depth)
    }
    head_rate = learning_rate if head_learning_rate is None else head_learning_rate
    by_depth[parts.head_depth] = head_rate

    groups: dict[str, dict[str, Any]] = {}
    for name in sorted(learning, key=parts.depth):
        depth = parts.depth(name)
        pattern = next((pattern for pattern in rates if re.search(pattern, name)), None)
        part = _part(parts, depth, layer_decay) if pattern is None else pattern
        decay = weight_decay if name in decayed else 0.0
        key = part if decay == weight_decay else f"{part}, no decay"
        rate = by_depth[depth] if pattern is None else rates[pattern]
        group = {"params": [], "lr": rate, "weight_decay": decay, "name": key}
        groups.setdefault(key, group)["params"].append(learning[name])
    return list(groups.values())


def _part(parts: Anatomy, depth: int, layer_decay: float) -> str:
    """The name of the group that a depth belongs to."""
    if depth == parts.head_depth:
        return "head"
    if layer_decay == 1.0:
        return "backbone"
    return f"block {depth}" if depth else "stem"


def _decayed_parameters(model: nn.Module) -> set[str]:
    """Names of the weights of linear and convolutional layers."""
    return {
        f"{module_name}.{name}" if module_name else name
        for module_name, module in model.named_modules()
        if isinstance(module, MATRIX_LAYERS)
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.ndim >= 2
    }


def _check_patterns(rates: Mapping[str, float], learning: Mapping[str, nn.Parameter]) -> None:
    for pattern in rates:
        try:
            matched = any(re.search(pattern, name) for name in learning)
        except re.error as error:
            raise ModelError(
                f"Learning rate of {pattern!r}: no regular expression ({error})."
            ) from None
        if not matched:
            example = ", ".join(list(learning)[-3:])
            raise ModelError(
                f"Learning rate of {pattern!r}: no parameter that learns matches; names are like "
                f"{example}."
            )
