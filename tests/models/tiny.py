"""Tiny randomly initialised models over 32-pixel input, one per family of architectures.

Every builder takes ``num_labels`` and is seeded, without touching the global generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as tf
from torch import nn

SIZE = 32
"""Side of the square input in pixels that every model here takes."""

Builder = Callable[..., nn.Module]


def images(count: int = 2, size: int = SIZE, seed: int = 0) -> torch.Tensor:
    """A batch of noise, [count, 3, size, size]."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def build(auto_class: Any, config: Any, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return auto_class(config).eval()


TRANSFORMER: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": SIZE,
    "patch_size": 8,
}


def tiny_vit(num_labels: int = 3, **changes: Any) -> nn.Module:
    config = tf.ViTConfig(**{**TRANSFORMER, "num_labels": num_labels, **changes})
    return build(tf.ViTForImageClassification, config)


def tiny_deit(num_labels: int = 3, **changes: Any) -> nn.Module:
    config = tf.DeiTConfig(**{**TRANSFORMER, "num_labels": num_labels, **changes})
    return build(tf.DeiTForImageClassification, config)


def tiny_deit_with_teacher(num_labels: int = 3) -> nn.Module:
    config = tf.DeiTConfig(**TRANSFORMER, num_labels=num_labels)
    return build(tf.DeiTForImageClassificationWithTeacher, config)


def tiny_beit(num_labels: int = 3) -> nn.Module:
    config = tf.BeitConfig(**TRANSFORMER, num_labels=num_labels, out_indices=[3])
    return build(tf.BeitForImageClassification, config)


def tiny_dinov2(num_labels: int = 3, **changes: Any) -> nn.Module:
    config = tf.Dinov2Config(**{**TRANSFORMER, "mlp_ratio": 2, "num_labels": num_labels, **changes})
    return build(tf.Dinov2ForImageClassification, config)


def tiny_dinov2_swiglu(num_labels: int = 3) -> nn.Module:
    return tiny_dinov2(num_labels, use_swiglu_ffn=True)


def tiny_dinov2_with_registers(num_labels: int = 3) -> nn.Module:
    config = tf.Dinov2WithRegistersConfig(**TRANSFORMER, mlp_ratio=2, num_labels=num_labels)
    return build(tf.Dinov2WithRegistersForImageClassification, config)


def tiny_siglip(num_labels: int = 3) -> nn.Module:
    text = {
        "vocab_size": 8,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    config = tf.SiglipConfig(text_config=text, vision_config=TRANSFORMER, num_labels=num_labels)
    return build(tf.SiglipForImageClassification, config)


def tiny_swin(num_labels: int = 3, **changes: Any) -> nn.Module:
    arguments = {
        "image_size": SIZE,
        "patch_size": 2,
        "embed_dim": 8,
        "depths": [2, 2],
        "num_heads": [1, 2],
        "window_size": 4,
        "num_labels": num_labels,
    }
    return build(tf.SwinForImageClassification, tf.SwinConfig(**{**arguments, **changes}))


def tiny_swinv2(num_labels: int = 3) -> nn.Module:
    config = tf.Swinv2Config(
        image_size=SIZE,
        patch_size=2,
        embed_dim=8,
        depths=[2, 2],
        num_heads=[1, 2],
        window_size=4,
        num_labels=num_labels,
    )
    return build(tf.Swinv2ForImageClassification, config)


def tiny_convnext(num_labels: int = 3, **changes: Any) -> nn.Module:
    arguments = {
        "hidden_sizes": [8, 16],
        "depths": [1, 2],
        "num_stages": 2,
        "patch_size": 4,
        "image_size": SIZE,
        "num_labels": num_labels,
    }
    config = tf.ConvNextConfig(**{**arguments, **changes})
    return build(tf.ConvNextForImageClassification, config)


def tiny_convnextv2(num_labels: int = 3) -> nn.Module:
    config = tf.ConvNextV2Config(
        hidden_sizes=[8, 16], depths=[1, 2], num_stages=2, image_size=SIZE, num_labels=num_labels
    )
    return build(tf.ConvNextV2ForImageClassification, config)


def tiny_resnet(num_labels: int = 3, **changes: Any) -> nn.Module:
    arguments = {
        "embedding_size": 8,
        "hidden_sizes": [8, 16],
        "depths": [2, 2],
        "layer_type": "basic",
        "num_labels": num_labels,
    }
    return build(tf.ResNetForImageClassification, tf.ResNetConfig(**{**arguments, **changes}))


def tiny_resnet_bottleneck(num_labels: int = 3) -> nn.Module:
    return tiny_resnet(num_labels, layer_type="bottleneck")


def tiny_bit(num_labels: int = 3) -> nn.Module:
    config = tf.BitConfig(
        embedding_size=32,
        hidden_sizes=[32, 64],
        depths=[1, 2],
        num_groups=8,
        num_labels=num_labels,
    )
    return build(tf.BitForImageClassification, config)


def tiny_regnet(num_labels: int = 3) -> nn.Module:
    config = tf.RegNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], groups_width=4, num_labels=num_labels
    )
    return build(tf.RegNetForImageClassification, config)


def tiny_efficientnet(num_labels: int = 3) -> nn.Module:
    config = tf.EfficientNetConfig(
        image_size=SIZE,
        width_coefficient=0.25,
        depth_coefficient=0.5,
        hidden_dim=320,
        num_labels=num_labels,
    )
    return build(tf.EfficientNetForImageClassification, config)


def tiny_mobilenet_v1(num_labels: int = 3) -> nn.Module:
    config = tf.MobileNetV1Config(image_size=SIZE, depth_multiplier=0.25, num_labels=num_labels)
    return build(tf.MobileNetV1ForImageClassification, config)


def tiny_mobilenet_v2(num_labels: int = 3) -> nn.Module:
    config = tf.MobileNetV2Config(image_size=SIZE, depth_multiplier=0.25, num_labels=num_labels)
    return build(tf.MobileNetV2ForImageClassification, config)


def tiny_mobilevit(num_labels: int = 3) -> nn.Module:
    config = tf.MobileViTConfig(
        image_size=SIZE,
        hidden_sizes=[16, 16, 16],
        neck_hidden_sizes=[8, 8, 8, 8, 16, 16, 16],
        num_attention_heads=2,
        num_labels=num_labels,
    )
    return build(tf.MobileViTForImageClassification, config)


def tiny_pvt_v2(num_labels: int = 3) -> nn.Module:
    config = tf.PvtV2Config(
        image_size=SIZE,
        hidden_sizes=[8, 16],
        depths=[1, 2],
        num_encoder_blocks=2,
        num_attention_heads=[1, 2],
        sr_ratios=[2, 1],
        mlp_ratios=[2, 2],
        patch_sizes=[3, 3],
        strides=[2, 2],
        num_labels=num_labels,
    )
    return build(tf.PvtV2ForImageClassification, config)


_TIMM_TRANSFORMER = {
    "img_size": SIZE,
    "patch_size": 8,
    "embed_dim": 16,
    "depth": 3,
    "num_heads": 2,
}


def tiny_timm_vit(num_labels: int = 3) -> nn.Module:
    return timm_model("vit_tiny_patch16_224", num_labels, _TIMM_TRANSFORMER)


def tiny_timm_eva(num_labels: int = 3) -> nn.Module:
    return timm_model("eva02_tiny_patch14_224", num_labels, _TIMM_TRANSFORMER)


def tiny_timm_beit(num_labels: int = 3) -> nn.Module:
    return timm_model("beit_base_patch16_224", num_labels, _TIMM_TRANSFORMER)


def tiny_timm_resnet(num_labels: int = 3) -> nn.Module:
    arguments = {"layers": (1, 1, 1, 2), "channels": (8, 8, 16, 16), "stem_width": 8}
    return timm_model("resnet18", num_labels, arguments)


def tiny_timm_convnext(num_labels: int = 3) -> nn.Module:
    arguments = {"depths": (1, 1, 2, 1), "dims": (8, 8, 16, 16)}
    return timm_model("convnext_atto", num_labels, arguments)


def tiny_timm_efficientnet(num_labels: int = 3) -> nn.Module:
    return timm_model("test_efficientnet", num_labels, {})


def timm_model(architecture: str, num_labels: int, arguments: dict[str, Any]) -> nn.Module:
    processing = {"input_size": [3, SIZE, SIZE], "crop_pct": 0.9, "interpolation": "bicubic"}
    config = tf.TimmWrapperConfig(
        architecture=architecture,
        num_labels=num_labels,
        model_args=arguments,
        pretrained_cfg=processing | {"mean": [0.5] * 3, "std": [0.5] * 3},
    )
    return build(tf.TimmWrapperForImageClassification, config)


TRANSFORMERS: dict[str, Builder] = {
    "vit": tiny_vit,
    "deit": tiny_deit,
    "beit": tiny_beit,
    "dinov2": tiny_dinov2,
    "dinov2_swiglu": tiny_dinov2_swiglu,
    "dinov2_with_registers": tiny_dinov2_with_registers,
    "siglip": tiny_siglip,
    "swin": tiny_swin,
    "swinv2": tiny_swinv2,
    "pvt_v2": tiny_pvt_v2,
    "timm_vit": tiny_timm_vit,
    "timm_eva": tiny_timm_eva,
    "timm_beit": tiny_timm_beit,
}
CONVOLUTIONAL: dict[str, Builder] = {
    "convnext": tiny_convnext,
    "convnextv2": tiny_convnextv2,
    "resnet": tiny_resnet,
    "resnet_bottleneck": tiny_resnet_bottleneck,
    "regnet": tiny_regnet,
    "efficientnet": tiny_efficientnet,
    "mobilenet_v1": tiny_mobilenet_v1,
    "mobilenet_v2": tiny_mobilenet_v2,
    "mobilevit": tiny_mobilevit,
    "timm_resnet": tiny_timm_resnet,
    "timm_convnext": tiny_timm_convnext,
    "timm_efficientnet": tiny_timm_efficientnet,
}
ALL: dict[str, Builder] = TRANSFORMERS | CONVOLUTIONAL
