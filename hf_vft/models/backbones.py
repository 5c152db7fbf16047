"""The catalogue: which backbone a run starts from, and why.

Folders under ``embedded/`` come with hf-vft and are found by their name. A backbone whose name
starts with ``scratch:`` has random weights: the last resort where nothing pre-trained can be had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from huggingface_hub import is_offline_mode
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]
from transformers import ConvNextV2Config, PreTrainedConfig, ResNetConfig, ViTImageProcessor
from transformers.image_processing_utils import BaseImageProcessor

from hf_vft.errors import HubError, ModelError
from hf_vft.models.hub_models import (
    cached_folder,
    cached_image_models,
    check_files,
    check_hub,
    download,
)
from hf_vft.models.imagenet_weights import EXTRA, PACKAGED, installed, packaged_folder
from hf_vft.models.mini_detectors import MINI_DETECTORS

HUB_DEFAULTS = (
    "facebook/convnextv2-tiny-22k-224",
    "google/vit-base-patch16-224-in21k",
    "facebook/convnext-tiny-224",
)
"""Well-established backbones, the first choice first."""

EMBEDDED = Path(__file__).with_name("embedded")
SCRATCH_PREFIX = "scratch:"


@dataclass(frozen=True)
class Checkpoint:
    """A backbone that can be loaded.

    Attributes:
        name: What stands in the recipe: a Hub id, a folder or a name of the catalogue.
        path: What ``from_pretrained`` takes, or a name of the catalogue.
        pretrained: Whether the weights have learned anything.
        reason: Which and why, in a sentence.
    """

    name: str
    path: str
    pretrained: bool
    reason: str

    @property
    def address(self) -> str:
        """The address of the checkpoint for plain transformers; peft writes it into an adapter.

        A Hub id stays one, since a path in the cache means nothing elsewhere; an embedded one
        has a name that only hf-vft knows, as has one of a package, so it is its folder.
        """
        return self.path if self.name in PACKAGED or self.name in embedded() else self.name


def resnet_mini() -> tuple[PreTrainedConfig, BaseImageProcessor]:
    """A ResNet (He et al. 2016) of 0.7 million weights for images of 96 pixels.

    From random weights and a thousand images it learns within minutes what a ConvNeXt of the
    same size does not begin to: BatchNorm and overlapping convolutions make the difference.
    """
    config = ResNetConfig(
        embedding_size=24,
        hidden_sizes=[24, 48, 96, 192],
        depths=[1, 1, 1, 1],
        layer_type="basic",
    )
    return config, plain_processor(96)


def convnextv2_mini() -> tuple[PreTrainedConfig, BaseImageProcessor]:
    """A ConvNeXt V2 (Woo et al. 2023) of a million weights for images of 96 pixels."""
    config = ConvNextV2Config(
        hidden_sizes=[32, 64, 128, 256], depths=[1, 1, 2, 1], image_size=96, drop_path_rate=0.0
    )
    return config, plain_processor(96)


def plain_processor(side: int) -> BaseImageProcessor:
    """Squeezes an image to ``side`` pixels, values to [-1, 1]."""
    neutral = [0.5, 0.5, 0.5]
    size = {"height": side, "width": side}
    return ViTImageProcessor(size=size, image_mean=neutral, image_std=neutral)


SCRATCH: dict[str, Callable[[], tuple[PreTrainedConfig, BaseImageProcessor]]] = {
    "scratch:resnet-mini": resnet_mini,
    "scratch:convnextv2-mini": convnextv2_mini,
    **MINI_DETECTORS,
}


def embedded() -> dict[str, Path]:
    """Name and folder of the pre-trained backbones that come with hf-vft."""
    return {path.parent.name: path.parent for path in sorted(EMBEDDED.glob("*/config.json"))}


def choose_checkpoint(
    candidates: Sequence[str] | Literal["auto"], *, offline: bool | None = None
) -> Checkpoint:
    """Decide which backbone a run starts from.

    Args:
        candidates: One Hub id, local folder or name of the catalogue; ``auto`` takes a
            well-established backbone from the local cache or the Hub, else the smallest one of
            the extra ``imagenet``, else an embedded one, else one with random weights.
        offline: Whether to leave the Hub alone; None follows ``HF_HUB_OFFLINE``.

    Raises:
        ModelError: If a named backbone cannot be had; the line says what can.
    """
    offline = is_offline_mode() if offline is None else offline
    if candidates == "auto":
        return _default(offline)
    if len(candidates) != 1:
        raise ModelError(
            f"model.candidates names {len(candidates)} models: name one, or leave it on auto."
        )
    return _named(candidates[0], offline)


def fetched(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint as a folder: what is on the Hub is fetched into the local cache.

    Raises:
        ModelError: If the model's files will not do.
        HubError: If the Hub does not answer.
    """
    if checkpoint.path in SCRATCH or Path(checkpoint.path).is_dir():
        return checkpoint
    folder = cached_folder(checkpoint.path) or download(checkpoint.path)
    return replace(checkpoint, path=str(folder))


def _named(name: str, offline: bool) -> Checkpoint:
    """The one that the recipe names."""
    if name in SCRATCH:
        return Checkpoint(name, name, False, f"{name} was named: random weights, from scratch.")
    if name in embedded():
        folder = embedded()[name]
        return Checkpoint(name, str(folder), True, f"{name} was named; it comes with hf-vft.")
    if name in PACKAGED:
        reason = f"{name} was named; its package is installed."
        return Checkpoint(name, str(packaged_folder(name)), True, reason)
    folder = Path(name).expanduser()
    if folder.is_dir():
        check_files(name, [path.name for path in folder.iterdir()])
        return Checkpoint(name, str(folder), True, f"The folder {name} was named.")
    try:
        validate_repo_id(name)
    except HFValidationError:
        raise ModelError(f"{name}: no such folder. {_what_can_be_had()}") from None
    cached = cached_folder(name)
    if cached is not None:
        return Checkpoint(name, str(cached), True, f"{name} was named; it is in the local cache.")
    if offline:
        raise ModelError(
            f"{name}: no such folder, not whole in the local cache, and the Hub is switched off. "
            f"{_what_can_be_had()}"
        )
    try:
        check_hub(name)
    except HubError as error:
        raise ModelError(
            f"{name}: no such folder, not whole in the local cache, and {error}. "
            f"{_what_can_be_had()}"
        ) from None
    return Checkpoint(name, name, True, f"{name} was named; it comes from the Hub.")


def _default(offline: bool) -> Checkpoint:
    """The best that can be had where none is named."""
    for name in HUB_DEFAULTS:
        cached = cached_folder(name)
        if cached is not None:
            reason = (
                f"No model was named: {name}, a well-established backbone, from the local cache."
            )
            return Checkpoint(name, str(cached), True, reason)
    why = "the Hub is switched off"
    if not offline:
        try:
            check_hub(HUB_DEFAULTS[0])
        except (HubError, ModelError) as error:
            why = str(error).rstrip(".")
        else:
            reason = (
                f"No model was named: {HUB_DEFAULTS[0]}, a well-established backbone, from the Hub."
            )
            return Checkpoint(HUB_DEFAULTS[0], HUB_DEFAULTS[0], True, reason)
    for name in installed():
        reason = (
            f"No model was named and {why}: {name}, pre-trained on ImageNet, from the extra "
            f"{EXTRA}."
        )
        return Checkpoint(name, str(packaged_folder(name)), True, reason)
    for name, folder in embedded().items():
        reason = f"No model was named and {why}: {name}, pre-trained, which comes with hf-vft."
        return Checkpoint(name, str(folder), True, reason)
    name = next(iter(SCRATCH))
    reason = (
        f"No model was named and {why}: {name} is trained FROM SCRATCH, without pre-training; a "
        "pre-trained model (model.candidates: a local folder or a Hub id) will do far better."
    )
    return Checkpoint(name, name, False, reason)


def _what_can_be_had() -> str:
    cached = cached_image_models()
    names = [*cached[:5], *installed(), *embedded(), *SCRATCH]
    return f"Can be had: a local folder, {', '.join(names)}."
