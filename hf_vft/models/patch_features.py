"""What the middle of a frozen backbone makes of each patch of an image (Roth et al. 2022)."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from hf_vft.errors import ModelError

STRIDES = (8, 16)
"""Pixels of the input for one place of the maps that are taken: local, yet not of mere edges."""

DEPTHS = (0.5, 0.75)
"""Of a network of one resolution, such as a ViT: which of its blocks."""

_PREFIX_TOKENS = 6
"""Class, distillation and register tokens stand before the patches; so many at most."""


class PatchFeatures(nn.Module):
    """Describes every patch of an image by the blocks of a network, which is left as it is.

    The outputs are averaged over a small window, enlarged to the finest of their grids and joined.
    The pass ends with the last block that is asked for. Threads may share it.

    Args:
        network: Takes ``pixel_values``.
        layers: Names of its blocks, in the order in which an image passes them.
        neighbourhood: Side of the window, in places of the block's own grid.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str], neighbourhood: int = 3) -> None:
        super().__init__()
        self.network = network
        self.layers = tuple(layers)
        self.neighbourhood = neighbourhood
        watch(network, layers)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """``[B, 3, H, W]`` to ``float32 [B, D, h, w]``."""
        outputs = block_outputs(self.network, self.layers, pixel_values)
        size = (pixel_values.shape[-2], pixel_values.shape[-1])
        grids = [as_grid(output, size) for output in outputs]
        found: list[torch.Tensor] = []
        for name, grid in zip(self.layers, grids, strict=True):
            if grid is None:
                raise ModelError(f"{name} keeps no map of the image: choose other anomaly.layers.")
            found.append(_local(grid.float(), self.neighbourhood))
        finest = max((grid.shape[-2:] for grid in found), key=lambda sides: sides[0] * sides[1])
        enlarged = [
            grid
            if grid.shape[-2:] == finest
            else nn.functional.interpolate(grid, finest, mode="bilinear", align_corners=False)
            for grid in found
        ]
        return torch.cat(enlarged, dim=1)


class _Enough(Exception):  # noqa: N818  # no error: the rest of the network is not needed
    """Ends a forward pass."""


class _Pass(threading.local):
    """What the blocks of the pass that runs in this thread have given; None outside of one."""

    found: dict[str, torch.Tensor] | None = None
    wanted: frozenset[str] = frozenset()


_pass = _Pass()


def block_outputs(
    network: nn.Module, layers: Sequence[str], pixel_values: torch.Tensor
) -> list[torch.Tensor]:
    """What watched blocks give, in the order of ``layers``; the pass ends when all have answered.

    Raises:
        ModelError: If an image does not pass one of them.
    """
    found: dict[str, torch.Tensor] = {}
    _pass.found, _pass.wanted = found, frozenset(layers)
    try:
        network(pixel_values=pixel_values)
    except _Enough:
        pass
    finally:
        _pass.found = None
    if missing := [name for name in layers if name not in found]:
        raise ModelError(f"anomaly.layers: an image does not pass {missing[0]!r}.")
    return [found[name] for name in layers]


def watch(network: nn.Module, layers: Sequence[str]) -> list[RemovableHandle]:
    """Have blocks tell `block_outputs` what they give.

    Raises:
        ModelError: If there is no such block.
    """
    handles = []
    for name in layers:
        try:
            module = network.get_submodule(name)
        except AttributeError:
            raise ModelError(f"anomaly.layers: the model has no part {name!r}.") from None
        handles.append(module.register_forward_hook(_catcher(name)))
    return handles


def _catcher(name: str) -> Callable[[nn.Module, object, object], None]:
    def catch(module: nn.Module, inputs: object, output: object) -> None:
        found = _pass.found
        if found is None or name not in _pass.wanted:
            return
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, torch.Tensor):
            found[name] = first
        if _pass.wanted <= found.keys():
            raise _Enough

    return catch


def as_grid(output: torch.Tensor, size: tuple[int, int]) -> torch.Tensor | None:
    """``[B, C, h, w]``, ``[B, h, w, C]`` or ``[B, T, C]`` as ``[B, C, h, w]``; None if no map.

    Args:
        output: Of a block.
        size: Height and width of the image that it saw.
    """
    if output.ndim == 4:
        _, a, b, c = output.shape
        if _has_shape((b, c), size):
            return output
        return output.permute(0, 3, 1, 2) if _has_shape((a, b), size) else None
    if output.ndim != 3:
        return None
    sides = _sides_of(output.shape[1], size)
    if sides is None:
        return None
    patches = output[:, output.shape[1] - sides[0] * sides[1] :]
    return patches.transpose(1, 2).reshape(len(output), -1, *sides)


def _sides_of(tokens: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Height and width of the grid of tokens, those that stand before it left out."""
    found: list[tuple[float, tuple[int, int]]] = []
    for count in range(tokens, max(tokens - _PREFIX_TOKENS, 3), -1):
        height = max(round(math.sqrt(count * size[0] / size[1])), 1)
        sides = height, count // height
        if height * sides[1] == count and min(sides) > 1 and _has_shape(sides, size):
            found.append((abs(sides[0] * size[1] / (sides[1] * size[0]) - 1.0), sides))
    # Of several, the one with the proportions of the image.
    return min(found, key=lambda candidate: candidate[0], default=(0.0, None))[1]


def choose_layers(network: nn.Module, blocks: Sequence[str], side: int) -> list[str]:
    """The blocks that describe patches best: of middle depth.

    Args:
        network: In eval mode.
        blocks: Names of its blocks, in the order in which an image passes them.
        side: Of the input, in pixels.

    Raises:
        ModelError: If no block keeps a map of the image.
    """
    device = next(network.parameters()).device
    handles = watch(network, blocks)
    try:
        with torch.inference_mode():
            outputs = block_outputs(network, blocks, torch.zeros(1, 3, side, side, device=device))
    finally:
        for handle in handles:
            handle.remove()
    last: dict[int, str] = {}
    found: list[str] = []
    for name, output in zip(blocks, outputs, strict=True):
        grid = as_grid(output, (side, side))
        if grid is not None and grid.shape[-1] > 1:
            last[round(side / grid.shape[-1])] = name
            found.append(name)
    if not found:
        raise ModelError("No block of the model keeps a map of the image; choose another model.")
    if len(last) == 1:
        return list(dict.fromkeys(found[max(math.ceil(len(found) * at) - 1, 0)] for at in DEPTHS))
    strides = sorted(last)
    usual = [stride for stride in strides if stride in STRIDES]
    chosen = usual if len(usual) == len(STRIDES) else strides[:-1][-len(STRIDES) :]
    return [last[stride] for stride in chosen]


def _local(grid: torch.Tensor, side: int) -> torch.Tensor:
    """The mean of a window around each place."""
    if side == 1:
        return grid
    return nn.functional.avg_pool2d(grid, side, stride=1, padding=side // 2)[
        ..., : grid.shape[-2], : grid.shape[-1]
    ]


def _has_shape(sides: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether a grid has the proportions of the image, as far as strides round."""
    if min(sides) < 1 or sides[0] > size[0] or sides[1] > size[1]:
        return False
    strides = size[0] / sides[0], size[1] / sides[1]
    return abs(strides[0] - strides[1]) <= max(strides) / min(sides) + 1e-6
