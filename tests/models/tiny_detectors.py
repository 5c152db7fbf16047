"""Tiny randomly initialised detectors, one per family, as `tests.models.tiny` has classifiers."""

from __future__ import annotations

from typing import Any

import transformers as tf
from torch import nn

from tests.models.tiny import TRANSFORMER, Builder, build

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
        **TRANSFORMER | {"image_size": [DETECTION_SIZE, DETECTION_SIZE]},
        num_detection_tokens=12,
        num_labels=num_labels,
    )
    return build(tf.YolosForObjectDetection, config)


def tiny_detr(num_labels: int = 3) -> nn.Module:
    config = tf.DetrConfig(
        **_CLASSIC,
        backbone_config=_small_resnet([4]),
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        num_labels=num_labels,
    )
    return build(tf.DetrForObjectDetection, config)


def tiny_conditional_detr(num_labels: int = 3) -> nn.Module:
    config = tf.ConditionalDetrConfig(
        **_CLASSIC, backbone_config=_small_resnet([4]), num_labels=num_labels
    )
    return build(tf.ConditionalDetrForObjectDetection, config)


def tiny_table_transformer(num_labels: int = 3) -> nn.Module:
    config = tf.TableTransformerConfig(
        **_CLASSIC, backbone_config=_small_resnet([4]), num_labels=num_labels
    )
    return build(tf.TableTransformerForObjectDetection, config)


def tiny_dab_detr(num_labels: int = 3) -> nn.Module:
    sizes = {**_CLASSIC, "hidden_size": _CLASSIC["d_model"]}
    del sizes["d_model"]
    config = tf.DabDetrConfig(**sizes, backbone_config=_small_resnet([4]), num_labels=num_labels)
    return build(tf.DabDetrForObjectDetection, config)


def tiny_deformable_detr(num_labels: int = 3, **changes: Any) -> nn.Module:
    config = tf.DeformableDetrConfig(
        **_CLASSIC | {"d_model": 64},  # its norms have 32 groups
        backbone_config=_small_resnet([2, 3, 4]),
        num_labels=num_labels,
        **changes,
    )
    return build(tf.DeformableDetrForObjectDetection, config)


def tiny_deformable_detr_refined(num_labels: int = 3) -> nn.Module:
    return tiny_deformable_detr(
        num_labels, with_box_refine=True, two_stage=True, two_stage_num_proposals=12
    )


def tiny_rt_detr(num_labels: int = 3) -> nn.Module:
    config = tf.RTDetrConfig(
        **_REAL_TIME, backbone_config=_small_resnet([2, 3, 4]), num_labels=num_labels
    )
    return build(tf.RTDetrForObjectDetection, config)


def tiny_rt_detr_v2(num_labels: int = 3) -> nn.Module:
    config = tf.RTDetrV2Config(
        **_REAL_TIME, backbone_config=_small_resnet([2, 3, 4]), num_labels=num_labels
    )
    return build(tf.RTDetrV2ForObjectDetection, config)


def tiny_d_fine(num_labels: int = 3) -> nn.Module:
    config = tf.DFineConfig(
        **_REAL_TIME, backbone_config=_small_resnet([2, 3, 4]), num_labels=num_labels
    )
    return build(tf.DFineForObjectDetection, config)


def tiny_deimv2(num_labels: int = 3) -> nn.Module:
    config = tf.Deimv2Config(
        **_REAL_TIME, backbone_config=_small_resnet([2, 3, 4]), num_labels=num_labels
    )
    return build(tf.Deimv2ForObjectDetection, config)


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
    return build(tf.LwDetrForObjectDetection, config)


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
    return build(tf.RfDetrForObjectDetection, config)


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
