"""Small detectors of random weights, one of each family, for images of about 96 pixels.

RT-DETR v2 is not among them: ``hf_vft.models.detectors`` builds it on any backbone.
"""

from __future__ import annotations

from typing import Any

from transformers import (
    DetrConfig,
    DetrImageProcessor,
    DFineConfig,
    PreTrainedConfig,
    ResNetConfig,
    RTDetrImageProcessor,
    YolosConfig,
    YolosImageProcessor,
)
from transformers.image_processing_utils import BaseImageProcessor

from hf_vft.models.fresh_weights import PRIOR

SIDE = 96
SQUARE = {"height": SIDE, "width": SIDE}
STRIDES = [8, 16, 32]

DECODER: dict[str, Any] = {
    "d_model": 128,
    "decoder_layers": 3,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 256,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 256,
}


def yolos_mini() -> tuple[PreTrainedConfig, BaseImageProcessor]:
    """YOLOS (Fang et al. 2021): a plain ViT with tokens that look for objects.

    Few tokens, so that each is matched often: with 20 it had learned nothing after 24,000 images.
    """
    config = YolosConfig(
        hidden_size=96,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=192,
        image_size=[SIDE, SIDE],
        patch_size=8,
        num_detection_tokens=10,
        use_mid_position_embeddings=False,
    )
    return config, YolosImageProcessor(size=SQUARE, do_pad=False)


def detr_mini() -> tuple[PreTrainedConfig, BaseImageProcessor]:
    """DETR (Carion et al. 2020) on a ResNet with a last stride of 8: small objects stay seen."""
    config = DetrConfig(
        **DECODER,
        dropout=0.0,
        encoder_layers=2,
        num_queries=20,
        auxiliary_loss=True,
        backbone_config=_resnet([48, 96], [2]),
    )
    return config, DetrImageProcessor(size=SQUARE, do_pad=False)


def d_fine_mini() -> tuple[PreTrainedConfig, BaseImageProcessor]:
    """D-FINE (Peng et al. 2025) on a ResNet."""
    widths = [24, 48, 96, 192]
    config = DFineConfig(
        **DECODER,
        backbone_config=_resnet(widths, [2, 3, 4]),
        freeze_backbone_batch_norms=False,
        encoder_in_channels=widths[1:],
        feat_strides=STRIDES,
        encoder_hidden_dim=128,
        decoder_in_channels=[128] * len(STRIDES),
        hidden_expansion=0.5,
        num_queries=20,
        num_denoising=32,
        initializer_bias_prior_prob=PRIOR,
    )
    return config, RTDetrImageProcessor(size=SQUARE)


MINI_DETECTORS = {
    "scratch:yolos-mini": yolos_mini,
    "scratch:detr-mini": detr_mini,
    "scratch:d-fine-mini": d_fine_mini,
}


def _resnet(widths: list[int], stages: list[int]) -> PreTrainedConfig:
    """A ResNet with one stage per width: the first map has stride 4, each other half the size."""
    kind: Any = ResNetConfig
    config: PreTrainedConfig = kind(
        embedding_size=widths[0],
        hidden_sizes=widths,
        depths=[1] * len(widths),
        layer_type="basic",
        out_indices=stages,
    )
    return config
