"""How fast this machine reads images and how fast it learns from them: which waits for which."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from random import Random

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageClassification

from hf_vft.automl.environment import has_fast_bf16
from hf_vft.data.images import Decoder
from hf_vft.data.transforms.images import STRENGTHS, stack_pixels, train_transform
from hf_vft.models.backbones import choose_checkpoint
from hf_vft.models.load import load_model
from hf_vft.recipe.schema import AugmentConfig
from hf_vft.utils.cores import cores

PHOTO = (1600, 1200)
"""Width and height of the images that are read."""

_BATCH = {"cpu": 8, "cuda": 64}
_LEAST_SECONDS = 0.7  # a measurement takes at least so long


@dataclass(frozen=True)
class InputRates:
    """Images a second, with the augmentation and the backbone that `hf-vft fit` takes by itself.

    Attributes:
        core: That one core reads, augments and frames.
        cores: That may do so at the same time.
        model: That the device learns from.
        backbone: Which one learned.
        device: ``cpu``, ``cuda``, …
    """

    core: float
    cores: int
    model: float
    backbone: str
    device: str

    @property
    def keeps_up(self) -> bool:
        """Whether a device beside the cores would not wait for images."""
        return self.core * self.cores >= self.model

    def __str__(self) -> str:
        """One line for people."""
        width, height = PHOTO
        read = f"a core reads {self.core:.0f} JPEG images of {width} × {height} a second"
        learned = f"{self.backbone} learns from {self.model:.0f} a second on {self.device}"
        if self.device == "cpu":
            share = 1 / (1 + self.core * self.cores / self.model)
            return f"{read}, {learned}: reading takes {share:.0%} of the time"
        said = f"{read}, {self.cores} cores {self.core * self.cores:.0f}; {learned}: "
        if self.keeps_up:
            return f"{said}the loaders keep up"
        return f"{said}the device will wait; store images smaller (about twice image.size)"


def measure_input_rates() -> InputRates:
    """Measure for a few seconds, with a backbone that needs no network.

    Raises:
        ModelError: If there is none.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = choose_checkpoint("auto", offline=True)
    loaded = load_model(checkpoint, AutoModelForImageClassification, labels=["a", "b"], seed=0)
    augment = AugmentConfig.model_validate({"strength": "light", **STRENGTHS["light"]})
    transform = train_transform(loaded.processor, augment)
    files = cycle([_photo(seed) for seed in range(4)])
    rng = Random(0)  # noqa: S311 - no secret

    def read() -> torch.Tensor:
        return stack_pixels([{"pixel_values": transform.read(next(files), Decoder(), rng)}])

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        pixels = read()
        core = _rate(read, 1)
    finally:
        torch.set_num_threads(threads)
    batch = pixels.repeat(_BATCH[device], 1, 1, 1).to(device)
    model: torch.nn.Module = loaded.model
    step = _training_step(model.to(device).train(), batch)
    return InputRates(core, cores().usable, _rate(step, len(batch)), checkpoint.name, device)


def _training_step(model: torch.nn.Module, batch: torch.Tensor) -> Callable[[], object]:
    labels = torch.zeros(len(batch), dtype=torch.long, device=batch.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    bf16 = has_fast_bf16(batch.device.type)

    def step() -> None:
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=bf16):
            loss = model(pixel_values=batch, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if batch.device.type == "cuda":
            torch.cuda.synchronize()

    return step


def _rate(work: Callable[[], object], images: int) -> float:
    """Images a second, after one warm-up."""
    work()
    done, begin = 0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < _LEAST_SECONDS:
        work()
        done += images
    return done / spent


def _photo(seed: int) -> bytes:
    """A JPEG file with detail at several scales, as photographs have it."""
    draw = np.random.default_rng(seed)
    width, height = PHOTO
    pixels = np.zeros((height, width, 3), np.float32)
    for block, share in ((4, 0.2), (32, 0.3), (128, 0.5)):
        shape = (height // block + 1, width // block + 1, 3)
        coarse = Image.fromarray(draw.integers(0, 256, shape, dtype=np.uint8))
        pixels += share * np.asarray(coarse.resize(PHOTO, Image.Resampling.BILINEAR), np.float32)
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()
