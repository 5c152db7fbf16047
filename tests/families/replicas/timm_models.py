"""Repositories of timm: an architecture by its name, and settings of the processing.

Their ``config.json`` has no ``model_type`` and no labels, and there is no processor file. The
settings are those of the installed timm for the same weights, written as its `save_config_for_hf`
writes them; ``model_args``, which most originals do not have, makes the network small.
"""

from __future__ import annotations

from typing import Any

import timm

from tests.families.replicas.form import Replica, Weights

LEFT_OUT = {"architecture", "custom_load", "url", "file", "state_dict", "hf_hub_id", "source"}
"""Fields of timm's settings that are not in ``pretrained_cfg``, or not under that name."""

_SOURCE = "timm's own settings for these weights, as its save_config_for_hf writes them"
_VIT = {"embed_dim": 16, "depth": 3, "num_heads": 2, "patch_size": 8}
_CONVNEXT = {"depths": (1, 1, 2, 1), "dims": (8, 16, 24, 32)}
_RESNET = {"layers": (1, 1, 1, 2), "channels": (8, 8, 16, 16), "stem_width": 8}


def timm_replica(
    name: str,
    side: int = 64,
    weights: Weights = "both",
    source: str = _SOURCE,
    **arguments: Any,
) -> Replica:
    """A repository of timm.

    Args:
        name: Architecture and tag.
        side: Of the square input in pixels.
        weights: How they lie there.
        source: Where the form comes from.
        **arguments: Of the architecture; what makes it small.
    """
    settings = timm.get_pretrained_cfg(name) or timm.get_pretrained_cfg(name.split(".")[0])
    known = {k: v for k, v in settings.to_dict().items() if v is not None and k not in LEFT_OUT}
    if "img_size" in arguments:
        known["input_size"] = (3, side, side)
    config: dict[str, Any] = {
        "architecture": name.split(".")[0],
        "num_classes": 10,
        "num_features": arguments.get("embed_dim", 32),
        "global_pool": "avg",
        "pretrained_cfg": {"custom_load": False, **known, "num_classes": 10,
                           "input_size": (3, side, side), "test_input_size": (3, side, side)},
    }  # fmt: skip
    if arguments:
        config["model_args"] = arguments
    return Replica(f"timm/{name}", config, None, source, side=side, weights=weights)


REPLICAS = (
    timm_replica("vit_tiny_patch16_224.augreg_in21k", 32, img_size=32, **_VIT),
    timm_replica("vit_small_patch16_224.augreg_in21k", 32, "pickle", img_size=32, **_VIT),
    timm_replica("vit_base_patch16_clip_224.openai", 32, img_size=32, **_VIT),
    timm_replica("vit_small_patch14_dinov2.lvd142m", 32, img_size=32, **_VIT),
    timm_replica("vit_small_patch14_reg4_dinov2.lvd142m", 32, img_size=32, **_VIT),
    timm_replica(
        "vit_small_patch16_dinov3.lvd1689m", 32, "safetensors", img_size=32, embed_dim=32, depth=3,
        num_heads=2, patch_size=8,
    ),
    timm_replica(
        "eva02_tiny_patch14_336.mim_in22k_ft_in1k", 32, img_size=32, embed_dim=32, depth=3,
        num_heads=2, patch_size=8,
    ),
    timm_replica("vit_base_patch16_siglip_224.webli", 32, img_size=32, **_VIT),
    timm_replica("beit_base_patch16_224.in22k_ft_in22k", 32, img_size=32, **_VIT),
    timm_replica("deit_small_patch16_224.fb_in1k", 32, img_size=32, **_VIT),
    timm_replica("convnext_tiny.in12k_ft_in1k", **_CONVNEXT),
    timm_replica("convnextv2_nano.fcmae_ft_in22k_in1k", **_CONVNEXT),
    timm_replica("efficientnet_b0.ra_in1k"),
    timm_replica("tf_efficientnetv2_s.in21k_ft_in1k"),
    timm_replica("mobilenetv3_small_100.lamb_in1k"),
    timm_replica("mobilenetv4_conv_small.e2400_r224_in1k"),
    timm_replica("resnet50.a1_in1k", **_RESNET),
    timm_replica("resnet18.a1_in1k", 64, "pickle", **_RESNET),
    timm_replica("swin_tiny_patch4_window7_224.ms_in22k_ft_in1k", 64, img_size=64, embed_dim=16,
                 depths=(1, 1), num_heads=(2, 2), window_size=4),
    timm_replica("swinv2_tiny_window8_256.ms_in1k", 64, img_size=64, embed_dim=16,
                 depths=(1, 1), num_heads=(2, 2), window_size=4),
)  # fmt: skip

ARCHITECTURES = (
    "beitv2_base_patch16_224", "botnet26t_256", "caformer_s18", "cait_xxs24_224",
    "coat_tiny", "coatnet_0_rw_224", "convformer_s18", "convit_tiny", "convmixer_768_32",
    "convnext_atto", "convnextv2_atto", "crossvit_tiny_240", "cs3darknet_s", "cspdarknet53",
    "davit_tiny", "densenet121", "dla34", "dm_nfnet_f0", "dpn48b", "eca_nfnet_l0", "ecaresnet26t",
    "edgenext_xx_small", "efficientformer_l1", "efficientformerv2_s0", "efficientnet_lite0",
    "efficientvit_b0", "efficientvit_m0", "ese_vovnet19b_dw", "fastvit_t8", "fbnetc_100",
    "focalnet_tiny_srf", "gcresnext26ts", "gcvit_xxtiny", "ghostnet_100", "gmixer_24_224",
    "hardcorenas_a", "hgnet_tiny", "hgnetv2_b0", "hiera_tiny_224", "hrnet_w18_small",
    "inception_v3", "inception_next_atto", "lcnet_050", "levit_128s", "maxvit_rmlp_pico_rw_256",
    "mixer_s32_224", "mixnet_s", "mnasnet_small", "mobilenetv2_035", "mobilevit_xxs",
    "mobilevitv2_050", "mvitv2_tiny", "nasnetalarge", "nest_tiny", "nextvit_small", "nf_resnet26",
    "pit_ti_224", "poolformer_s12", "pvt_v2_b0", "regnetx_002", "regnety_002", "repvgg_a0",
    "repvit_m0_9", "res2net50_14w_8s", "resmlp_12_224", "resnest14d", "resnetv2_50", "resnext26ts",
    "rexnet_100", "selecsls42", "semnasnet_050", "seresnet18", "sequencer2d_s", "shvit_s1",
    "skresnet18", "spnasnet_100", "starnet_s1", "swiftformer_xs", "tinynet_e", "tiny_vit_5m_224",
    "tnt_s_legacy_patch16_224", "tresnet_m", "twins_svt_small", "vgg11", "visformer_tiny",
    "volo_d1_224", "vovnet39a", "xception41", "xcit_nano_12_p16_224",
)  # fmt: skip
"""One small architecture of each kind that timm has; what they are made of is left as it is."""

SIZED: dict[str, dict[str, int]] = {
    "efficientformer_l1": {"side": 224},
    "inception_v3": {"side": 96},
} | {
    name: {"img_size": 64}
    for name in (
        "beitv2_base_patch16_224", "botnet26t_256", "cait_xxs24_224", "coat_tiny",
        "coatnet_0_rw_224", "convit_tiny", "efficientformerv2_s0", "gcvit_xxtiny",
        "gmixer_24_224", "hiera_tiny_224", "levit_128s", "maxvit_rmlp_pico_rw_256",
        "mixer_s32_224", "nest_tiny", "pit_ti_224", "resmlp_12_224", "tnt_s_legacy_patch16_224",
        "visformer_tiny", "volo_d1_224",
    )
}  # fmt: skip
"""Architectures that take 64 pixels only where they are told so, or not at all."""
