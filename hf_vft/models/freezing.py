"""Which parts of a model learn, and keeping the others still to the bit."""

from __future__ import annotations

from typing import Any

from torch import nn

from hf_vft.errors import ModelError
from hf_vft.models.structure import Anatomy, anatomy


def set_trainable(model: nn.Module, train: str) -> list[str]:
    """Let a part of the model learn and freeze the rest.

    Of a model with adapters only the adapters and the copied head can learn: the weights under
    them stay as they are, whatever ``train`` says.

    Args:
        model: Any model that ``anatomy`` understands, wrapped or not.
        train: ``head``, ``blocks:K`` (the head, the top K blocks and what follows them) or
            ``all``.

    Returns:
        The names of the parameters that learn.

    Raises:
        ModelError: If ``train`` asks for more blocks than there are, or is none of these.
    """
    parts = anatomy(model)
    lowest, markers = _lowest_depth(parts, train), _markers(model)
    for name, parameter in model.named_parameters():
        free = any(marker in name for marker in markers)
        parameter.requires_grad_(free and parts.depth(name) >= lowest)
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def eval_frozen_modules(model: nn.Module) -> None:
    """Put every module in which nothing learns into ``eval()``.

    ``model.train()`` wakes the BatchNorm statistics and the dropout of frozen parts too; call
    this after it, at each step.
    """
    flags = [parameter.requires_grad for parameter in model.parameters()]
    if flags and not any(flags):
        model.eval()
    elif not all(flags):
        for child in model.children():
            eval_frozen_modules(child)


def eval_batch_norm(model: nn.Module) -> None:
    """Put every BatchNorm into ``eval()``: its statistics stay, its scale and shift may learn."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _lowest_depth(parts: Anatomy, train: str) -> int:
    """The smallest depth at which parameters learn."""
    if train == "all":
        return 0
    if train == "head":
        return parts.head_depth
    word, _, count = train.partition(":")
    if word != "blocks" or not count.isdecimal() or int(count) == 0:
        raise ModelError(f"train={train!r}: write head, all, or blocks:K with K from 1 on.")
    if not parts.blocks:
        raise ModelError(f"train={train!r}: no blocks repeat in this model; train head or all.")
    if int(count) > len(parts.blocks):
        raise ModelError(
            f"train={train!r}: this model has {len(parts.blocks)} blocks; ask for fewer, or all."
        )
    return parts.head_depth - int(count)


def _markers(model: nn.Module) -> tuple[str, ...]:
    """What the names of the parameters hold that are free to learn: adapters alone, if any."""
    adapted: Any = next((m for m in model.modules() if hasattr(m, "peft_config")), None)
    return ("",) if adapted is None else (f".{adapted.prefix}", ".modules_to_save.")
