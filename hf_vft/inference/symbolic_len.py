"""A length that may stay unknown while a model is translated.

``len`` of a tensor has to be a number, so a model that asks for it is bound to the batch that it
is traced with. What it wants to know is the first of the tensor's sizes, which may be a symbol.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def symbolic_len(model: nn.Module) -> Iterator[None]:
    """Context in which ``len`` of a tensor is its first size, in the modules of a model's parts.

    Args:
        model: Whose Python modules are changed meanwhile, those of transformers and timm alone.
    """
    names = {type(part).__module__ for part in model.modules()}
    changed = [
        vars(sys.modules[name])
        for name in sorted(names)
        if name.startswith(("transformers.", "timm.")) and "len" not in vars(sys.modules[name])
    ]
    for module in changed:
        module["len"] = _length
    try:
        yield
    finally:
        for module in changed:
            del module["len"]


def _length(value: Any) -> Any:
    return value.shape[0] if isinstance(value, torch.Tensor) else builtins.len(value)
