"""Families without a checkpoint that many people use for this job, in a small configuration.

They are here so that the table of what is supported has a row for each.
"""

from __future__ import annotations

from typing import Any

from tests.families.replicas.form import CLASSIFICATION, HALVES, RESCALED, Replica, labels, square

_SOURCE = "plain: the fields of the configuration class, the processor that transformers maps to it"
_STAGES: dict[str, Any] = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}


def _processor(kind: str, side: int, **more: Any) -> dict[str, Any]:
    base = {"do_normalize": True, **RESCALED, "do_resize": True, **HALVES}
    return {**base, "image_processor_type": kind, "size": square(side), **more}


def _plain(
    family: str, kind: str, config: dict[str, Any], processor: str, side: int = 32, **more: Any
) -> Replica:
    config = {"architectures": [kind], "model_type": family, **labels(10), **config}
    return Replica(
        f"plain/{family}",
        config,
        _processor(processor, side, **more),
        _SOURCE,
        side,
        CLASSIFICATION,
    )


REPLICAS = (
    _plain(
        "donut-swin", "DonutSwinForImageClassification",
        {"depths": [1, 2], "embed_dim": 16, "image_size": 32, "num_heads": [2, 4],
         "patch_size": 4, "window_size": 4},
        "DonutImageProcessor",
    ),
    _plain(
        "hgnet_v2", "HGNetV2ForImageClassification",
        {**_STAGES, "embedding_size": 8, "stage_downsample": [False, True, True, True],
         "stage_in_channels": [8, 8, 16, 24], "stage_kernel_size": [3, 3, 5, 5],
         "stage_light_block": [False, False, True, True], "stage_mid_channels": [8, 8, 8, 8],
         "stage_num_blocks": [1, 1, 2, 1], "stage_numb_of_layers": [2, 2, 2, 2],
         "stage_out_channels": [8, 16, 24, 32], "stem_channels": [3, 8, 8]},
        "ViTImageProcessor", 128,
    ),
    _plain(
        "imagegpt", "ImageGPTForImageClassification",
        {"n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 64, "vocab_size": 17},
        "ImageGPTImageProcessor", 8, clusters=[[n / 8 - 1.0] * 3 for n in range(16)],
    ),
    _plain(
        "metaclip_2", "MetaClip2ForImageClassification",
        {"projection_dim": 16,
         "text_config": {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2,
                         "num_hidden_layers": 1, "vocab_size": 50, "eos_token_id": 2},
         "vision_config": {"hidden_size": 16, "image_size": 32, "intermediate_size": 32,
                           "num_attention_heads": 2, "num_hidden_layers": 3, "patch_size": 8}},
        "CLIPImageProcessor",
        crop_size=square(32), do_center_crop=True,
    ),
    _plain(
        "perceiver", "PerceiverForImageClassificationLearned",
        {"d_latents": 16, "d_model": 16, "image_size": 32, "num_blocks": 1,
         "num_cross_attention_heads": 1, "num_latents": 4, "num_self_attends_per_block": 2,
         "num_self_attention_heads": 2},
        "PerceiverImageProcessor", 32, crop_size=square(32),
    ),
    _plain(
        "pp_lcnet", "PPLCNetForImageClassification", {"scale": 0.25}, "PPLCNetImageProcessor", 128
    ),
    _plain(
        "textnet", "TextNetForImageClassification",
        {"hidden_sizes": [8, 8, 16, 16, 32], "stem_out_channels": 8},
        "TextNetImageProcessor", 64,
    ),
)  # fmt: skip
