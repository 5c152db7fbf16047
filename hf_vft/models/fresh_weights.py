"""What a detector that was never trained starts from."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

PRIOR = 0.01
"""Probability that a new class head gives each query (Lin et al. 2017)."""

DRAWN = (nn.Linear, nn.Conv2d, nn.BatchNorm2d, nn.Embedding)

AS_IT_IS = "denoising_class_embed"
"""Of the noisy boxes in RT-DETR's training. As loud as its authors draw it (deviation 1), two seeds
of two took longer to learn 205 photographs of blood (mAP50 of validation after two epochs: 0.24
and 0.36 against 0.45 and 0.53)."""

START_AT_ZERO = ("enc_bbox_head", "pre_bbox_head")
"""Heads that change a box, which to begin with they leave as it is."""


FROZEN = "FrozenBatchNorm2d"
"""How the class ends that stands for BatchNorm in DETR and its kin; each has one of its own."""

TEMPERATURE = 100.0
"""Longest wave of a place, in patches: these grids have some ten on a side."""


def draw_weights(model: PreTrainedModel, kept: nn.Module | None = None) -> None:
    """Draw the weights of a detector in place, as the authors of these networks do.

    transformers is made for loading them, and what it draws hardly learns. In RT-DETR the scales
    of BatchNorm and in all families the layers have a deviation of 0.01 or 0.02, and at usual
    rates it takes thousands of steps to get out of there; all queries of YOLOS are alike, and no
    patch of it knows its place.

    Args:
        model: Of the DETR family, or YOLOS.
        kept: Its backbone, which stays as it is.
    """
    rest = _modules(model, kept)
    for name, module in rest:
        if isinstance(module, DRAWN) and not name.endswith(AS_IT_IS):
            module.reset_parameters()
    for _, module in rest:
        if not isinstance(module, DRAWN):
            # What has a start of its own, such as class heads and where an attention looks.
            model._init_weights(module)  # type: ignore[no-untyped-call]
            _tell_apart(module)
    for name, module in model.named_modules():
        if name.endswith(START_AT_ZERO):
            last = [part for part in module.modules() if isinstance(part, nn.Linear)][-1]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
    if model.config.model_type == "yolos":
        _give_places(model.base_model.get_submodule("embeddings"), model.config)


def _modules(model: nn.Module, kept: nn.Module | None) -> list[tuple[str, nn.Module]]:
    outside = set() if kept is None else set(kept.modules())
    return [(name, module) for name, module in model.named_modules() if module not in outside]


def _tell_apart(module: nn.Module) -> None:
    """Tokens and places that are all zero get values of their own."""
    for parameter in module.parameters(recurse=False):
        if parameter.ndim > 1 and not parameter.any():
            nn.init.trunc_normal_(parameter, std=0.02)


def _give_places(embeddings: nn.Module, config: PreTrainedConfig) -> None:
    """Patches of YOLOS start with sines of their row and column, its queries far apart.

    Noise of 0.02 would be a thirtieth of what a patch shows. Of a ViT that begins with sines:
    Beyer et al. 2022, "Better plain ViT baselines for ImageNet-1k".
    """
    rows, columns = (side // config.patch_size for side in config.image_size)
    with torch.no_grad():
        places = embeddings.get_parameter("position_embeddings")
        places[0, 1:] = 0.0
        places[0, 1 : 1 + rows * columns] = sines(rows, columns, places.shape[-1])
        nn.init.normal_(embeddings.get_parameter("detection_tokens"))


def sines(rows: int, columns: int, width: int) -> torch.Tensor:
    """Sine and cosine of each place of a grid ``[rows * columns, width]``; width is 4 n."""
    waves = TEMPERATURE ** -(torch.arange(width // 4) / (width // 4))
    down, along = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [place.reshape(-1, 1) * waves for place in (along, down)]
    return torch.cat([part(angle) for angle in angles for part in (torch.sin, torch.cos)], dim=1)


def thaw_batch_norm(model: nn.Module) -> None:
    """Put BatchNorm where its frozen stand-in is, in place; for backbones of random weights.

    The stand-in knows no statistics before there are any, and norms nothing, which ended in NaN.
    Saved, BatchNorm is what plain transformers reads as the stand-in.
    """
    for parent in list(model.modules()):
        for name, module in parent.named_children():
            if type(module).__name__.endswith(FROZEN):
                setattr(parent, name, LivingBatchNorm(module.get_buffer("weight").numel()))


class LivingBatchNorm(nn.BatchNorm2d):
    """BatchNorm with the state of its frozen stand-in, which does not count batches."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.num_batches_tracked = None

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: object
    ) -> None:
        # A state without a version gets the count that old ones lacked.
        current = {**local_metadata, "version": self._version}
        super()._load_from_state_dict(state_dict, prefix, current, *rest)
