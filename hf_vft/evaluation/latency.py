"""What a model costs where it answers: milliseconds, bytes, operations. Measured, not looked up."""

from __future__ import annotations

import statistics
import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from hf_vft.errors import RecipeError
from hf_vft.utils.frozen import Frozen

WARM_UP = 3
MOST_RUNS = 50
ENOUGH_SECONDS = 1.0
"""Time that measuring a latency may take once it has a few runs."""


class Cost(Frozen):
    """The cost of answering for one image on one device."""

    device: str
    side: int = Field(description="Of the square input in pixels.")
    parameters: int
    latency_ms: float = Field(description="Median over single images, in float32.")
    latency_p95_ms: float
    memory: int = Field(description="Bytes: weights and the most activations held at a time.")
    gmacs: float = Field(description="Billions of multiply-adds of matrix operations.")


def measure_cost(model: nn.Module, side: int, *, device: str | None = None) -> Cost:
    """Let a model answer for one image at a time, and measure it.

    Args:
        model: Put in eval mode and on ``device``, and back.
        side: Of the square input in pixels.
        device: ``cpu``, ``cuda``, …; by default where the model is.

    Raises:
        RecipeError: If this machine has no such device.
    """
    home, was_training = next(model.parameters()).device, model.training
    place = _device(device, home)
    model.to(place).eval()
    image = torch.zeros(1, 3, side, side, device=place)
    try:
        with torch.inference_mode():
            times = _times(lambda: model(pixel_values=image), place)
        # The counter hooks parameters that modules are given (position embeddings of YOLOS) into
        # the graph, which has to be there.
        with torch.enable_grad(), FlopCounterMode(display=False) as flops:
            model(pixel_values=image)
        with torch.no_grad():
            activations = peak_bytes(lambda: model(pixel_values=image))
    finally:
        model.to(home).train(was_training)
    return Cost(
        device=place.type,
        side=side,
        parameters=sum(p.numel() for p in model.parameters()),
        latency_ms=statistics.median(times),
        latency_p95_ms=sorted(times)[round(0.95 * (len(times) - 1))],
        memory=weight_bytes(model) + activations,
        gmacs=flops.get_total_flops() / 2e9,
    )


def median_ms(work: Callable[[], Any], device: torch.device) -> float:
    """Milliseconds that ``work`` takes, the median of a few dozen runs."""
    return statistics.median(_times(work, device))


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers."""
    tensors = [*model.parameters(), *model.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def peak_bytes(work: Callable[[], Any]) -> int:
    """The most bytes that tensors made by ``work`` hold at one time, on whatever device.

    Every operation is watched; memory that a kernel takes for itself and gives back is not seen.
    """
    with _Watch() as watch:
        made = work()
    del made
    return int(watch.peak)


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows each storage that an operation makes, until it is freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._known: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = {
            tensor.untyped_storage()
            for tensor in tree_leaves((args, kwargs))
            if isinstance(tensor, torch.Tensor)
        }
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage not in given and storage not in self._known:
                    self._follow(storage)
        return made

    def _follow(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self._known[storage] = size
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.now -= size


def _device(name: str | None, home: torch.device) -> torch.device:
    if name is None:
        return home
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise RecipeError(
            f"search.latency_device: this machine has no {name!r}; leave it out to measure on "
            f"the {home.type} that trains."
        ) from None
    return device


def _times(work: Callable[[], Any], device: torch.device) -> list[float]:
    """Milliseconds of each run, after a few to warm up."""
    for _ in range(WARM_UP):
        work()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < MOST_RUNS:
        _wait(device)
        started = time.perf_counter()
        work()
        _wait(device)
        times.append(1000 * (time.perf_counter() - started))
        if len(times) >= WARM_UP and time.perf_counter() - began > ENOUGH_SECONDS:
            break
    return times


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
