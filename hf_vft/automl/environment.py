"""What the decisions rest on: the data and the device, measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import datasets
import torch
from accelerate import PartialState

from hf_vft.data.images import image_header
from hf_vft.data.load import ImageData
from hf_vft.utils.cores import cores

SAMPLE = 200
"""Images whose size is read; more would not change a decision."""


@dataclass(frozen=True)
class Facts:
    """Properties of the data and the machine of a run.

    Attributes:
        images: Training images in all.
        class_counts: Training images that show each class.
        aspect_ratio: Median of the long over the short side of an image.
        short_side: Median of the short sides in pixels.
        device: ``cpu``, ``cuda``, …
        processes: Over which training is spread.
        cores: That this process may use.
        bf16: Whether the device computes bfloat16 faster than float32.
    """

    images: int
    class_counts: tuple[int, ...]
    aspect_ratio: float
    short_side: float
    device: str
    processes: int
    cores: int
    bf16: bool

    @property
    def imbalance(self) -> float:
        """Size of the largest class divided by that of the smallest."""
        return max(self.class_counts) / max(min(self.class_counts), 1)


def gather_facts(data: ImageData) -> Facts:
    """Measure the data and look at the device."""
    train = data.splits["train"]
    counts = (data.members("train") > 0).sum(axis=0)
    sizes = _sizes(train)
    state = PartialState()
    return Facts(
        images=len(train),
        class_counts=tuple(counts.tolist()),
        aspect_ratio=statistics.median(max(size) / min(size) for size in sizes),
        short_side=statistics.median(min(size) for size in sizes),
        device=state.device.type,
        processes=state.num_processes,
        cores=cores().usable,
        bf16=has_fast_bf16(state.device.type),
    )


def has_fast_bf16(device: str) -> bool:
    """Whether bfloat16 is computed by the hardware rather than emulated."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "cpu":
        flags = torch.cpu.get_capabilities()
        return bool(flags.get("avx512_bf16") or flags.get("amx_bf16") or flags.get("bf16"))
    return False


def _sizes(split: datasets.Dataset) -> Sequence[tuple[int, int]]:
    """Width and height from the headers of evenly spread images."""
    step = max(1, len(split) // SAMPLE)
    sizes = []
    for row in split.select(range(0, len(split), step))["image"]:
        sizes.append(image_header(row["bytes"] or row["path"])[1])
    return sizes
