"""A model for another input size than the one it was trained at."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel

from hf_vft.errors import ModelError

PREFIX_TOKENS = (0, 1, 2)
"""How many embeddings may stand before the grid: none, class token, class and distillation."""


def resize_input(model: PreTrainedModel, size: int) -> Any:
    """A model that takes square images of ``size`` pixels.

    Learned position embeddings are interpolated once, here, and the configuration says the new
    size: the saved model then loads in plain transformers like any other.

    Args:
        model: A transformers model; it is changed or given back as it is where nothing in it
            depends on the size.
        size: Side in pixels.

    Raises:
        ModelError: If the architecture is bound to the size that it has.
    """
    if hasattr(model, "timm_model"):
        _resize_timm(model, size)
    else:
        model = _rebuilt(model, size)
    try_size(model, size)
    return model


def interpolate_positions(positions: torch.Tensor, length: int) -> torch.Tensor | None:
    """Resample a square grid of position embeddings.

    Args:
        positions: ``[..., old, channels]``: tokens before the grid, then the grid by rows.
        length: New number of positions, with the same tokens before the grid.

    Returns:
        ``[..., length, channels]``, or None where the two numbers are no square grids.
    """
    *batch, old, channels = positions.shape
    for prefix in PREFIX_TOKENS:
        before, after = math.isqrt(max(old - prefix, 0)), math.isqrt(max(length - prefix, 0))
        if before**2 + prefix == old and after**2 + prefix == length and before and after:
            break
    else:
        return None
    tokens, grid = positions[..., :prefix, :], positions[..., prefix:, :]
    grid = grid.reshape(-1, before, before, channels).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, (after, after), mode="bicubic", antialias=True)
    grid = grid.permute(0, 2, 3, 1).reshape(*batch, after * after, channels)
    return torch.cat([tokens, grid], dim=-2)


def _resize_timm(model: Any, size: int) -> None:
    if hasattr(model.timm_model, "set_input_size"):
        model.timm_model.set_input_size(img_size=(size, size))
        model.config.model_args = {**(model.config.model_args or {}), "img_size": size}


def _rebuilt(model: nn.Module, size: int) -> Any:
    """The same weights in a model built for ``size``."""
    config = copy.deepcopy(model.config)
    part = config if hasattr(config, "image_size") else getattr(config, "vision_config", None)
    if part is None or not hasattr(part, "image_size"):
        return model
    if part.image_size in (size, [size, size], (size, size)):
        return model
    part.image_size = size if isinstance(part.image_size, int) else [size, size]
    with torch.random.fork_rng(devices=[]):
        resized = type(model)(config)
    target = resized.state_dict()
    state = {
        name: _fitted(name, value, target[name], size) for name, value in model.state_dict().items()
    }
    resized.load_state_dict(state)
    return resized.train(model.training)


def _fitted(name: str, value: torch.Tensor, target: torch.Tensor, size: int) -> torch.Tensor:
    if value.shape == target.shape:
        return value
    if not value.is_floating_point():  # an index that the new model has computed for itself
        return target
    fitted = None
    if value.ndim == target.ndim and value.shape[-1] == target.shape[-1]:
        fitted = interpolate_positions(value, target.shape[-2])
    if fitted is None or fitted.shape != target.shape:
        raise ModelError(
            f"image.size={size}: {name} of this model is bound to its own input size; leave "
            "image.size on auto."
        )
    return fitted


def check_logits(model: nn.Module, size: int, classes: int) -> None:
    """Let one image through a classifier.

    Raises:
        ModelError: If it does not give a logit for each class.
    """
    logits = getattr(try_size(model, size), "logits", None)
    if logits is None:
        raise ModelError(f"{type(model).__name__} gives no logits; choose another model.")
    if logits.shape != (1, classes):
        raise ModelError(
            f"{type(model).__name__} gives {tuple(logits.shape)} logits for one image and "
            f"{classes} classes; choose another model."
        )


@torch.no_grad()
def try_size(model: nn.Module, size: int) -> Any:
    """Let one image through, so that a size that does not fit is found now.

    Returns:
        What the model answers.
    """
    was_training = model.training
    try:
        return model.eval()(pixel_values=torch.zeros(1, 3, size, size))
    # A family refuses a size in a way of its own.
    except Exception as error:  # noqa: BLE001
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ModelError(
            f"image.size={size}: the model cannot take it ({reason}); choose another size, or auto."
        ) from None
    finally:
        model.train(was_training)
