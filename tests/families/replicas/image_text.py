"""Models of images and texts, whose image tower is tuned: CLIP and SigLIP."""

from __future__ import annotations

from typing import Any

from tests.families.replicas.form import HALVES, RESCALED, SIZES, Replica, square

_CLIP_PROCESSOR: dict[str, Any] = {
    "crop_size": 32,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 32,
}
_SIGLIP_PROCESSOR: dict[str, Any] = {
    "do_normalize": True,
    **RESCALED,
    "do_resize": True,
    **HALVES,
    "image_processor_type": "SiglipImageProcessor",
    "processor_class": "SiglipProcessor",
    "resample": 3,
    "size": square(32),
}
_SIGLIP_VISION = {"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 8, **SIZES}
_SIGLIP_TEXT = {"model_type": "siglip_text_model", "vocab_size": 50, **SIZES}

REPLICAS = (
    Replica(
        "openai/clip-vit-base-patch32",
        {
            "architectures": ["CLIPModel"],
            "initializer_factor": 1.0,
            "logit_scale_init_value": 2.6592,
            "model_type": "clip",
            "projection_dim": 16,
            "text_config": {
                "model_type": "clip_text_model",
                "vocab_size": 50,
                "eos_token_id": 2,
                **SIZES,
            },
            "text_config_dict": None,
            "torch_dtype": "float32",
            "vision_config": {
                "model_type": "clip_vision_model",
                "image_size": 32,
                "patch_size": 8,
                **SIZES,
            },
            "vision_config_dict": None,
        },
        _CLIP_PROCESSOR,
        "preprocessor_config.json as many programs quote it; config.json: CLIPConfig of 4.16",
        weights="pickle",
    ),
    Replica(
        "google/siglip-base-patch16-224",
        {
            "architectures": ["SiglipModel"],
            "initializer_factor": 1.0,
            "model_type": "siglip",
            "text_config": _SIGLIP_TEXT,
            "torch_dtype": "float32",
            "transformers_version": "4.37.0.dev0",
            "vision_config": _SIGLIP_VISION,
        },
        _SIGLIP_PROCESSOR,
        "both files as code that checks them quotes them",
        weights="safetensors",
    ),
    Replica(
        "google/siglip2-base-patch16-224",
        {
            "architectures": ["SiglipModel"],
            "initializer_factor": 1.0,
            "model_type": "siglip",
            "text_config": {"model_type": "siglip_text_model", "vocab_size": 64, **SIZES},
            "torch_dtype": "float32",
            "vision_config": _SIGLIP_VISION,
        },
        {**_SIGLIP_PROCESSOR, "do_convert_rgb": None, "resample": 2},
        "both files as code that checks them quotes them: of fixed size, it is a SigLIP",
        weights="safetensors",
    ),
    Replica(
        "google/siglip2-base-patch16-naflex",
        {
            "architectures": ["Siglip2Model"],
            "initializer_factor": 1.0,
            "model_type": "siglip2",
            "text_config": {"model_type": "siglip2_text_model", "vocab_size": 64, **SIZES},
            "vision_config": {
                "model_type": "siglip2_vision_model",
                "num_patches": 16,
                "patch_size": 8,
                **SIZES,
            },
        },
        {
            **HALVES,
            "image_processor_type": "Siglip2ImageProcessorFast",
            "max_num_patches": 16,
            "patch_size": 8,
            "resample": 2,
        },
        "both files as code that checks them quotes them",
        weights="safetensors",
    ),
)
