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


def _build(auto_class: Any, config: Any, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return auto_class(config).eval()


_TRANSFORMER: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": SIZE,
    "patch_size": 8,
}


def tiny_vit(num_labels: int = 3, **changes: Any) -> nn.Module:
    config = tf.ViTConfig(**{**_TRANSFORMER, "num_labels": num_labels, **changes})
    return _build(tf.ViTForImageClassification, config)


def tiny_deit(num_labels: int = 3, **changes: Any) -> nn.Module:
    config = tf.DeiTConfig(**{**_TRANSFORMER, "num_labels": num_labels, **changes})
    return _build(tf.DeiTForImageClassification, config)


def tiny_deit_with_teacher(num_labels: int = 3) -> nn.Module:
    config = tf.DeiTConfig(**_TRANSFORMER, num_labels=num_labels)
    return _build(tf.DeiTForImageClassificationWithTeacher, config)


def tiny_beit(num_labels: int = 3) -> nn.Module:
    config = tf.BeitConfig(**_TRANSFORMER, num_labels=num_labels, out_indices=[3])
    return _build(tf.BeitForImageClassification, config)


def tiny_dinov2(num_labels: int = 3, **changes: Any) -> nn.Module:
    config = tf.Dinov2Config(
        **{**_TRANSFORMER, "mlp_ratio": 2, "num_labels": num_labels, **changes}
    )
    return _build(tf.Dinov2ForImageClassification, config)


def tiny_dinov2_swiglu(num_labels: int = 3) -> nn.Module:
    return tiny_dinov2(num_labels, use_swiglu_ffn=True)


def tiny_dinov2_with_registers(num_labels: int = 3) -> nn.Module:
    config = tf.Dinov2WithRegistersConfig(**_TRANSFORMER, mlp_ratio=2, num_labels=num_labels)
    return _build(tf.Dinov2WithRegistersForImageClassification, config)


def tiny_siglip(num_labels: int = 3) -> nn.Module:
    text = {
        "vocab_size": 8,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    config = tf.SiglipConfig(text_config=text, vision_config=_TRANSFORMER, num_labels=num_labels)
    return _build(tf.SiglipForImageClassification, config)


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
    return _build(tf.SwinForImageClassification, tf.SwinConfig(**{**arguments, **changes}))


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
    return _build(tf.Swinv2ForImageClassification, config)


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
    return _build(tf.ConvNextForImageClassification, config)


def tiny_convnextv2(num_labels: int = 3) -> nn.Module:
    config = tf.ConvNextV2Config(
        hidden_sizes=[8, 16], depths=[1, 2], num_stages=2, image_size=SIZE, num_labels=num_labels
    )
    return _build(tf.ConvNextV2ForImageClassification, config)


def tiny_resnet(num_labels: int = 3, **changes: Any) -> nn.Module:
    arguments = {
        "embedding_size": 8,
        "hidden_sizes": [8, 16],
        "depths": [2, 2],
        "layer_type": "basic",
        "num_labels": num_labels,
    }
    return _build(tf.ResNetForImageClassification, tf.ResNetConfig(**{**arguments, **changes}))


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
    return _build(tf.BitForImageClassification, config)


def tiny_regnet(num_labels: int = 3) -> nn.Module:
    config = tf.RegNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], groups_width=4, num_labels=num_labels
    )
    return _build(tf.RegNetForImageClassification, config)


def tiny_efficientnet(num_labels: int = 3) -> nn.Module:
    config = tf.EfficientNetConfig(
        image_size=SIZE,
        width_coefficient=0.25,
        depth_coefficient=0.5,
        hidden_dim=320,
        num_labels=num_labels,
    )
    return _build(tf.EfficientNetForImageClassification, config)


def tiny_mobilenet_v1(num_labels: int = 3) -> nn.Module:
    config = tf.MobileNetV1Config(image_size=SIZE, depth_multiplier=0.25, num_labels=num_labels)
    return _build(tf.MobileNetV1ForImageClassification, config)


def tiny_mobilenet_v2(num_labels: int = 3) -> nn.Module:
    config = tf.MobileNetV2Config(image_size=SIZE, depth_multiplier=0.25, num_labels=num_labels)
    return _build(tf.MobileNetV2ForImageClassification, config)


def tiny_mobilevit(num_labels: int = 3) -> nn.Module:
    config = tf.MobileViTConfig(
        image_size=SIZE,
        hidden_sizes=[16, 16, 16],
        neck_hidden_sizes=[8, 8, 8, 8, 16, 16, 16],
        num_attention_heads=2,
        num_labels=num_labels,
    )
    return _build(tf.MobileViTForImageClassification, config)


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
    return _build(tf.PvtV2ForImageClassification, config)


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
    return _build(tf.TimmWrapperForImageClassification, config)


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


DETECTION_SIZE = 64
"""Side of the input that the detectors below take."""

_CLASSIC = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_queries": 12,
}
_REAL_TIME = _CLASSIC | {
    "encoder_hidden_dim": 16,
    "encoder_in_channels": [8, 16, 16],
    "feat_strides": [8, 16, 32],
    "decoder_in_channels": [16, 16, 16],
    "hidden_expansion": 0.5,
    "freeze_backbone_batch_norms": False,
    "num_denoising": 8,  # what they cost grows with their square
}


def _small_resnet(stages: list[int]) -> Any:
    return tf.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_indices=stages,
    )


def tiny_yolos(num_labels: int = 3) -> nn.Module:
    config = tf.YolosConfig(
        **_TRANSFORMER | {"image_size": [DETECTION_SIZE, DETECTION_SIZE]},
        num_detection_tokens=12,
        num_labels=num_labels,
    )
    return _build(tf.YolosForObjectDetection, config)


def tiny_detr(num_labels: int = 3) -> nn.Module:
    config = tf.DetrConfig(
        **_CLASSIC,
        backbone_config=_small_resnet([4]),
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        num_labels=num_labels,
    )
    return _build(tf.DetrForObjectDetection, config)


def tiny_conditional_detr(num_labels: int = 3) -> nn.Module:
    config = tf.ConditionalDetrConfig(
        **_CLASSIC, backbone_config=_small_resnet([4]), num_labels=num_labels
    )
    return _build(tf.ConditionalDetrForObjectDetection, config)


def tiny_table_transformer(num_labels: int = 3) -> nn.Module:
    config = tf.TableTransformerConfig(
        **_CLASSIC, backbone_config=_small_resnet([4]), num_labels=num_labels
    )
    return _build(tf.TableTransformerForObjectDetection, config)


def tiny_dab_detr(num_labels: int = 3) -> nn.Module:
    sizes = {**_CLASSIC, "hidden_size": _CLASSIC["d_model"]}
    del sizes["d_model"]
    config = tf.DabDetrConfig(**sizes, backbone_config=_small_resnet([4]), num_labels=num_labels)
    return _build(tf.DabDetrForObjectDetection, config)


def tiny_deformable_detr(num_labels: int = 3, **changes: Any) -> nn.Module:
    config = tf.DeformableDetrConfig(
        **_CLASSIC | {"d_model": 64},  # its norms have 32 groups
        backbone_config=_small_resnet([2, 3, 4]),
        num_labels=num_labels,
        **changes,
    )
    return _build(tf.DeformableDetrForObjectDetection, config)


def tiny_deformable_detr_refined(num_labels: int = 3) -> nn.Module:
    return tiny_deformable_detr(
        num_labels, with_box_refine=True, two_stage=True, two_stage_num_proposals=12
    )


def tiny_rt_detr(num_labels: int = 3) -> nn.Module:
    config = tf.RTDetrConfig(
        **_REAL_TIME, backbone_config=_small_resnet([2, 3, 4]), num_labels=num_labels
    )
    return _build(tf.RTDetrForObjectDetection, config)


def tiny_rt_detr_v2(num_labels: int = 3) -> nn.Module:
    config = tf.RTDetrV2Config(
        **_REAL_TIME, backbone_config=_small_resnet([2, 3, 4]), num_labels=num_labels
    )
    return _build(tf.RTDetrV2ForObjectDetection, config)


def tiny_d_fine(num_labels: int = 3) -> nn.Module:
    config = tf.DFineConfig(
        **_REAL_TIME, backbone_config=_small_resnet([2, 3, 4]), num_labels=num_labels
    )
    return _build(tf.DFineForObjectDetection, config)


def tiny_deimv2(num_labels: int = 3) -> nn.Module:
    config = tf.Deimv2Config(
        **_REAL_TIME, backbone_config=_small_resnet([2, 3, 4]), num_labels=num_labels
    )
    return _build(tf.Deimv2ForObjectDetection, config)


_GROUPED: dict[str, Any] = {
    "d_model": 16,
    "decoder_layers": 2,
    "decoder_ffn_dim": 32,
    "decoder_self_attention_heads": 2,
    "decoder_cross_attention_heads": 2,
    "decoder_n_points": 2,
    "num_queries": 12,
    "group_detr": 2,
}


def tiny_lw_detr(num_labels: int = 3) -> nn.Module:
    backbone = tf.LwDetrViTConfig(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=DETECTION_SIZE,
        pretrain_image_size=DETECTION_SIZE,
        patch_size=8,
        window_block_indices=[0],
        num_windows=4,
        out_indices=[2, 3],
    )
    config = tf.LwDetrConfig(
        **_GROUPED,
        backbone_config=backbone,
        projector_scale_factors=[2.0, 0.5],
        num_labels=num_labels,
    )
    return _build(tf.LwDetrForObjectDetection, config)


def tiny_rf_detr(num_labels: int = 3) -> nn.Module:
    backbone = tf.RfDetrDinov2Config(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=DETECTION_SIZE,
        patch_size=8,
        num_windows=2,
        out_indices=[2, 3],
    )
    config = tf.RfDetrConfig(**_GROUPED, backbone_config=backbone, num_labels=num_labels)
    return _build(tf.RfDetrForObjectDetection, config)


DETECTORS: dict[str, Builder] = {
    "yolos": tiny_yolos,
    "detr": tiny_detr,
    "conditional_detr": tiny_conditional_detr,
    "table_transformer": tiny_table_transformer,
    "dab_detr": tiny_dab_detr,
    "deformable_detr": tiny_deformable_detr,
    "deformable_detr_refined": tiny_deformable_detr_refined,
    "rt_detr": tiny_rt_detr,
    "rt_detr_v2": tiny_rt_detr_v2,
    "d_fine": tiny_d_fine,
    "deimv2": tiny_deimv2,
    "lw_detr": tiny_lw_detr,
    "rf_detr": tiny_rf_detr,
}
