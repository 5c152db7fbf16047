"""Which parts of an image speak for a class: gradient times activation at the deepest blocks.

For convolutional maps this is HiResCAM (Draelos & Carin 2020), which unlike Grad-CAM (Selvaraju
et al. 2017) does not average the gradient over the map and so only marks what raised the score.
Transformers are read in the same way, with their patch tokens as the map; a last block whose
patch tokens no longer matter (only the class token does) is passed over. Where what follows
normalises each token by itself, as at the end of a Swin, the product vanishes by construction (a
token's length no longer matters): there a token is taken by how it differs from the average one.
Where a convolutional network halves its resolution, the two deepest resolutions are averaged: the
deeper one knows what, the other knows where.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from hf_vft.errors import ModelError
from hf_vft.models.private_copy import private_copy
from hf_vft.models.structure import anatomy

RESOLUTIONS = 2
VANISHED = 0.05
"""Below this share of its parts the sum over channels is what rounding leaves of zero."""

_STRETCH = 1.5
"""A map may differ so much from the image's proportions: strides and margins round."""

_PREFIX_TOKENS = 6
"""Class, distillation and register tokens stand before the patches; so many at most."""


def heat_map(model: nn.Module, pixels: torch.Tensor, target: int) -> np.ndarray:
    """The regions of an image that speak for a class.

    Threads may share the model: its modules are not touched.

    Args:
        model: A classifier in eval mode.
        pixels: ``[3, H, W]`` as the model takes them, on any device.
        target: Id of the class.

    Returns:
        ``float32 [H, W]`` from 0 to 1; all zero where nothing speaks for the class.

    Raises:
        ModelError: If no block of the model keeps a map of the image.
    """
    device = next(model.parameters()).device
    shown = pixels.detach().to(device, torch.float32)[None].requires_grad_()
    watched = private_copy(model)
    outputs = _block_outputs(watched, anatomy(model).blocks)
    with torch.enable_grad():
        score = watched(pixel_values=shown).logits[0, target]
        gradients = torch.autograd.grad(score, outputs, allow_unused=True) if outputs else ()
    maps: dict[tuple[int, int], np.ndarray] = {}
    for output, gradient in zip(reversed(outputs), reversed(gradients), strict=True):
        attribution = None if gradient is None else _as_map(_attribution(output, gradient), pixels)
        if attribution is None or not _reaches_the_head(gradient):
            continue
        side = (attribution.shape[0], attribution.shape[1])
        if side not in maps:
            maps[side] = _unit(_enlarged(attribution.clamp(min=0), pixels.shape[-2:]))
        if len(maps) == RESOLUTIONS or output.ndim == 3:
            break
    if not maps:
        raise ModelError(
            f"{type(model).__name__} keeps no map of the image in its blocks: its answers cannot "
            "be shown as a heat map."
        )
    return _unit_array(np.mean(list(maps.values()), axis=0))


def _block_outputs(model: nn.Module, blocks: Sequence[str]) -> list[torch.Tensor]:
    """A list that fills with what each block gives, in the order in which the image passes them.

    Args:
        model: The caller's own; its hooks stay.
        blocks: Names of its blocks.
    """
    outputs: list[torch.Tensor] = []

    def catch(module: nn.Module, inputs: object, output: object) -> None:
        first = output[0] if isinstance(output, tuple | list) else output
        if isinstance(first, torch.Tensor) and first.requires_grad:
            outputs.append(first)

    for name in blocks:
        model.get_submodule(name).register_forward_hook(catch)
    return outputs


def _attribution(output: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Gradient times activation; of tokens whose length does not matter, from their average on."""
    product = output * gradient
    if output.ndim == 3 and product.sum(-1).abs().sum() < VANISHED * product.abs().sum():
        return (output - output.mean(1, keepdim=True)) * gradient
    return product


def _as_map(values: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor | None:
    """``[1, C, h, w]``, ``[1, h, w, C]`` or ``[1, T, C]`` summed over channels to ``[h, w]``."""
    if values.ndim == 4:
        _, a, b, c = values.shape
        summed = values[0].sum(-1) if a == b != c else values[0].sum(0)
        return summed if _is_grid(summed, pixels) else None
    if values.ndim != 3:
        return None
    side = math.isqrt(values.shape[1])
    prefix = values.shape[1] - side * side
    if side < 2 or prefix >= _PREFIX_TOKENS:
        return None
    return values[0, prefix:].sum(-1).reshape(side, side)


def _is_grid(values: torch.Tensor, pixels: torch.Tensor) -> bool:
    """Whether the two axes are those of the image, by its proportions, and not patches of it."""
    height, width = values.shape
    lengthened = height * pixels.shape[-1] / (width * pixels.shape[-2])
    return min(height, width) > 1 and 1 / _STRETCH < lengthened < _STRETCH


def _reaches_the_head(gradient: torch.Tensor) -> bool:
    """Whether the score depends on more than the class token of this output."""
    if gradient.ndim != 3:
        return bool(gradient.abs().max() > 0)
    side = math.isqrt(gradient.shape[1])
    prefix = gradient.shape[1] - side * side
    return bool(gradient[:, prefix:].abs().max() > 0)


def _enlarged(values: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return nn.functional.interpolate(
        values[None, None].float(), tuple(size), mode="bicubic", align_corners=False
    )[0, 0].clamp(min=0)


def _unit(values: torch.Tensor) -> np.ndarray:
    return _unit_array(np.asarray(values.detach().cpu()))


def _unit_array(values: np.ndarray) -> np.ndarray:
    top = float(values.max())
    return (values / top if top > 0 else np.zeros_like(values)).astype(np.float32)
