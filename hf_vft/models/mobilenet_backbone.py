"""MobileNetV2 as a backbone: transformers has it only as a classifier, timm has it as both.

The layers are the same and in the same order, so weights are handed over one by one. Two things
differ. Where timm pads a convolution of stride 2 on both sides, TensorFlow's weights expect it on
the right and below: all feature maps are moved by a constant number of pixels, which the layers
behind them learn. And the epsilon of BatchNorm, which is added to the variances instead.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoModel, PreTrainedConfig, TimmBackboneConfig

from hf_vft.errors import ModelError
from hf_vft.models.foreign_weights import read_weights

TIMM_EPSILON = 1e-5
WIDTHS = {0.35: "035", 0.5: "050", 0.75: "075", 1.0: "100", 1.4: "140"}
PARTS = ("weight", "bias", "running_mean", "running_var")


def backbone_config(config: PreTrainedConfig) -> TimmBackboneConfig:
    """The backbone that a MobileNetV2 configuration means, at strides 8, 16 and 32.

    Raises:
        ModelError: If timm has none of this width.
    """
    width = WIDTHS.get(config.depth_multiplier)
    if width is None:
        raise ModelError(
            f"MobileNetV2 of width {config.depth_multiplier:g}: as a backbone there are "
            f"{', '.join(f'{w:g}' for w in WIDTHS)}."
        )
    settings: Any = TimmBackboneConfig
    backbone: TimmBackboneConfig = settings(
        backbone=f"mobilenetv2_{width}", out_indices=[2, 3, 4], use_pretrained_backbone=False
    )
    return backbone


def backbone_weights(path: str, target: nn.Module) -> dict[str, torch.Tensor]:
    """The weights of a MobileNetV2 checkpoint by the names of timm's backbone.

    Args:
        path: Of the checkpoint.
        target: The timm backbone.

    Raises:
        ModelError: If the layers differ.
    """
    source = read_weights(AutoModel, path)
    tensors = [(n, t) for n, t in source.state_dict().items() if n.endswith(PARTS)]
    wanted = [(n, t) for n, t in target.state_dict().items() if n.endswith(PARTS)]
    weights = {}
    # The classifier's last convolution stands behind the last feature map.
    for (name, tensor), (their, value) in zip(wanted, tensors, strict=False):
        if tensor.shape != value.shape:
            raise ModelError(f"{path}: {their} does not fit {name}; is it a plain MobileNetV2?")
        moved = source.config.layer_norm_eps - TIMM_EPSILON
        weights[name] = value + moved if name.endswith("running_var") else value
    return weights
