"""Replicas of the checkpoints that people use most for this job, by the names of the originals."""

from __future__ import annotations

from tests.families.replicas import (
    compact,
    detectors,
    hierarchical,
    image_text,
    plain,
    pyramids,
    real_time_detectors,
    timm_models,
    vits,
)
from tests.families.replicas.form import Replica

REPLICAS: dict[str, Replica] = {
    replica.repo_id: replica
    for replica in (
        *vits.REPLICAS,
        *image_text.REPLICAS,
        *hierarchical.REPLICAS,
        *compact.REPLICAS,
        *pyramids.REPLICAS,
        *detectors.REPLICAS,
        *real_time_detectors.REPLICAS,
        *timm_models.REPLICAS,
        *plain.REPLICAS,
    )
}

DOZEN = (
    "facebook/convnextv2-tiny-22k-224",
    "google/vit-base-patch16-224-in21k",
    "dima806/facial_age_image_detection",
    "facebook/dinov2-with-registers-small",
    "google/siglip-base-patch16-224",
    "microsoft/swin-tiny-patch4-window7-224",
    "microsoft/resnet-50",
    "google/efficientnet-b0",
    "OpenGVLab/pvt_v2_b0",
    "timm/vit_tiny_patch16_224.augreg_in21k",
    "timm/resnet18.a1_in1k",
    "PekingU/rtdetr_r18vd",
)
"""Those that differ most; all others are tried by ``make test-families`` alone."""
