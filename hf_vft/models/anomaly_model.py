"""A backbone with a memory of good parts, as one folder that plain transformers loads.

The folder holds the backbone (``config.json``, ``model.safetensors``; ``AutoModel`` loads it, and
``AutoBackbone`` where the family has one), ``memory_bank.safetensors`` with the tensor ``patches``
``float32 [M, D]``, and ``anomaly.json`` with how patches are described and what the threshold is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel, PreTrainedModel

from hf_vft.errors import ModelError
from hf_vft.models.load import quiet
from hf_vft.models.memory_bank import MemoryBank
from hf_vft.models.patch_features import PatchFeatures
from hf_vft.models.structure import Anatomy
from hf_vft.models.tied import state_to_save
from hf_vft.utils.frozen import Frozen
from hf_vft.utils.reading import read_as

BANK_FILE, SETTINGS_FILE = "memory_bank.safetensors", "anomaly.json"
_PATCHES = "patches"
_LEAST = 1e-12


class AnomalySettings(Frozen):
    """The content of ``anomaly.json``."""

    layers: tuple[str, ...] = Field(description="Blocks of the backbone that describe a patch.")
    neighbourhood: int = Field(description="Side of the window that they are averaged over.")
    neighbours: int = Field(description="Remembered patches that weight the score of an image.")
    threshold: float = Field(description="An image with a higher score is an anomaly.")
    low: float | None = Field(None, description="Lower end of the threshold's 95 % interval.")
    high: float | None = Field(None, description="Upper end of the threshold's 95 % interval.")
    false_alarm_rate: float = Field(description="Of good images, as the threshold was set for.")
    images: int = Field(0, description="Held-out good images that the threshold rests on.")
    method: str = Field("", description="How the threshold was found.")


class AnomalyModel(nn.Module):
    """Tells good images from all others by their patches (PatchCore, Roth et al. 2022).

    The answer has the form of a classifier of two classes: the logits of good and anomaly are 0
    and the logarithm of score over threshold, so that the larger one says on which side of the
    threshold an image is.

    Args:
        backbone: With the two classes in its configuration.
        patches: What is remembered, ``float32 [M, D]``.
        settings: Written beside it.
    """

    anatomy = Anatomy(stem=("features",), blocks=(), tail=(), head=("bank",))

    def __init__(
        self, backbone: PreTrainedModel, patches: torch.Tensor, settings: AnomalySettings
    ) -> None:
        super().__init__()
        self.settings = settings
        self.features = PatchFeatures(backbone, settings.layers, settings.neighbourhood)
        self.bank = MemoryBank(patches, settings.neighbours)

    @property
    def config(self) -> Any:
        """That of the backbone."""
        return self.features.network.config

    @property
    def name_or_path(self) -> str:
        """That of the backbone."""
        return str(self.config._name_or_path)

    def describe_by(self, layers: Sequence[str], neighbourhood: int, neighbours: int) -> None:
        """Describe patches otherwise; what was remembered before is of no use then."""
        changes = {
            "layers": tuple(layers),
            "neighbourhood": neighbourhood,
            "neighbours": neighbours,
        }
        self.settings = self.settings.model_copy(update=changes)
        self.features = PatchFeatures(self.features.network, layers, neighbourhood)
        self.bank.neighbours = neighbours

    def forward(self, pixel_values: torch.Tensor, **options: object) -> dict[str, torch.Tensor]:
        """``[B, 3, H, W]`` to ``logits [B, 2]`` and ``anomaly_map [B, h, w]``.

        The map is in shares of the threshold.
        """
        grid = self.features(pixel_values)
        distances, scores = self.bank(grid.flatten(2).transpose(1, 2))
        limit = max(self.settings.threshold, _LEAST)
        relative = (scores / limit).clamp(min=_LEAST).log()
        return {
            "logits": torch.stack([torch.zeros_like(relative), relative], dim=1),
            "anomaly_map": distances.view(-1, *grid.shape[-2:]) / limit,
        }

    def save_pretrained(
        self, folder: str | Path, *, state_dict: dict[str, torch.Tensor] | None = None
    ) -> None:
        """Write backbone, memory and settings.

        Args:
            folder: Where to.
            state_dict: Not looked at: the backbone has names of its own.
        """
        folder = Path(folder)
        backbone: Any = self.features.network
        backbone.save_pretrained(folder, state_dict=state_to_save(backbone))
        save_file({_PATCHES: self.bank.patches.detach().cpu().contiguous()}, folder / BANK_FILE)
        text = json.dumps(self.settings.model_dump(mode="json"), indent=2) + "\n"
        (folder / SETTINGS_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, output_loading_info: bool = False, **options: Any
    ) -> Any:
        """What `save_pretrained` wrote, in eval mode; with the loading info where that is asked.

        Raises:
            ModelError: If the memory is missing, damaged, or not that of the backbone.
        """
        folder = Path(folder)
        options.pop("use_safetensors", None)  # nothing else is read here
        with quiet():  # of a pooler that is missing, which no patch passes
            backbone, info = AutoModel.from_pretrained(
                folder, output_loading_info=True, use_safetensors=True, **options
            )
        settings = read_as(AnomalySettings, folder / SETTINGS_FILE)
        model = cls(backbone, _bank_of(folder), settings).eval()
        # Some families end with a pooler, which no patch passes.
        missing = {key for key in info["missing_keys"] if not key.startswith("pooler.")}
        return (model, {**info, "missing_keys": missing}) if output_loading_info else model


def _bank_of(folder: Path) -> torch.Tensor:
    try:
        patches = load_file(folder / BANK_FILE)[_PATCHES]
    except (OSError, KeyError, SafetensorError) as error:
        raise ModelError(f"{folder / BANK_FILE}: the memory cannot be read ({error}).") from None
    if patches.ndim != 2 or not len(patches) or not patches.isfinite().all():
        raise ModelError(f"{folder / BANK_FILE}: the memory holds no patches.")
    return patches.float()


def without_head(
    model: PreTrainedModel, blocks: Sequence[str]
) -> tuple[PreTrainedModel, list[str]]:
    """The backbone of a classifier as a model of its own, and its blocks' names in it."""
    base: Any = model.base_model
    backbone: Any
    if base is not model and isinstance(base, PreTrainedModel):
        prefix = f"{model.base_model_prefix}."
        backbone, names = base, [name.removeprefix(prefix) for name in blocks]
    else:  # timm's networks stand in a wrapper of transformers
        auto: Any = AutoModel
        backbone, names = auto.from_config(model.config), list(blocks)
        timm_model: Any = model.timm_model
        timm_model.reset_classifier(0)
        backbone.timm_model = timm_model
    backbone.config = model.config
    backbone.requires_grad_(False)
    return backbone.eval(), names
