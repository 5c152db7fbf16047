"""Which batch sizes fit, found by measuring a small one rather than by a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn

from hf_vft.evaluation.latency import peak_bytes, weight_bytes

USABLE = 0.7
"""Share of what is free that training may take: kernels need some that is not seen."""

OPTIMIZER_COPIES = 3
"""Gradients and two moments, each as large as the weights."""


def fitting_batches(
    model: nn.Module, side: int, sizes: Sequence[int], *, free: int | None = None
) -> tuple[int, ...]:
    """The batch sizes that fit into memory, the smallest always among them.

    The activations of one and of two images are measured, and grow in a straight line.

    Args:
        model: On its device; its weights, gradients and statistics are left alone.
        side: Of the square input in pixels.
        sizes: To choose from, ascending.
        free: Bytes; by default what the device has.
    """
    device = next(model.parameters()).device
    of_one, of_two = (peak_bytes(_step(model, side, n, device)) for n in (1, 2))
    each = max(of_two - of_one, 1)
    fixed = of_one - each + OPTIMIZER_COPIES * weight_bytes(model)
    usable = USABLE * (free_bytes(device) if free is None else free)
    return tuple(n for n in sizes if n == sizes[0] or fixed + n * each <= usable)


def free_bytes(device: torch.device) -> int:
    """Bytes that can still be allocated on a device, within the limits of a container."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    limit, used = (_number(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    return free if limit is None or used is None else min(free, limit - used)


def _step(model: nn.Module, side: int, n: int, device: torch.device) -> Callable[[], Any]:
    weights = [p for p in model.parameters() if p.requires_grad]
    images = torch.zeros(n, 3, side, side, device=device)

    def work() -> Any:
        was_training = model.training
        model.eval()  # statistics stay as they are
        try:
            loss = model(pixel_values=images)["logits"].sum()
            return torch.autograd.grad(loss, weights, allow_unused=True)
        finally:
            model.train(was_training)

    return work


def _number(file: str) -> int | None:
    try:
        text = Path(file).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
