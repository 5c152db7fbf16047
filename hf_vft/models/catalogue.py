"""Well-known backbones, and what is known of them before one is downloaded.

Parameters and multiply-adds are those of the backbone without its head, counted on the
architecture. The licence is what the model's card on the Hub says of its weights; read the card
before you ship one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Backbone:
    """A backbone that hf-vft knows.

    Attributes:
        name: Hub id, or the name of weights that a package holds.
        family: Of architectures.
        pretraining: Data, and how it was learned from where that was not by labels.
        licence: SPDX identifier, or ``other``.
        millions: Parameters.
        gmacs: Billions of multiply-adds for one image of ``size`` pixels.
        size: Side of the input.
        shortlisted: Whether it is worth a download where no model was named: the best of its
            size and kind.
        packaged: Whether a package of the extra ``imagenet`` holds it, and not the Hub.
    """

    name: str
    family: str
    pretraining: str
    licence: str
    millions: float
    gmacs: float
    size: int
    shortlisted: bool = False
    packaged: bool = False


CATALOGUE: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        *(
            Backbone(
                f"efficientnet-lite{number}", "EfficientNet-Lite", "ImageNet-1k",
                "apache-2.0", millions, gmacs, side, packaged=True,
            )
            for number, (millions, gmacs, side) in enumerate(
                [(3.4, 0.38, 224), (4.1, 0.60, 240), (4.8, 0.86, 260)]
            )
        ),
        # The authors' own repository has these weights under CC-BY-NC-4.0.
        Backbone(
            "facebook/convnextv2-tiny-22k-224", "ConvNeXt V2", "ImageNet-22k",
            "apache-2.0", 27.9, 4.45, 224, shortlisted=True,
        ),
        Backbone(
            "facebook/convnextv2-nano-22k-224", "ConvNeXt V2", "ImageNet-22k",
            "apache-2.0", 15.0, 2.44, 224,
        ),
        Backbone(
            "facebook/convnextv2-atto-1k-224", "ConvNeXt V2", "ImageNet-1k",
            "apache-2.0", 3.4, 0.55, 224,
        ),
        Backbone(
            "facebook/convnext-tiny-224", "ConvNeXt", "ImageNet-1k",
            "apache-2.0", 27.8, 4.45, 224,
        ),
        Backbone(
            "google/vit-base-patch16-224-in21k", "ViT", "ImageNet-21k",
            "apache-2.0", 85.8, 17.56, 224,
        ),
        Backbone(
            "timm/vit_small_patch16_224.augreg_in21k", "ViT", "ImageNet-21k",
            "apache-2.0", 21.7, 4.60, 224,
        ),
        Backbone(
            "timm/vit_tiny_patch16_224.augreg_in21k", "ViT", "ImageNet-21k",
            "apache-2.0", 5.5, 1.25, 224, shortlisted=True,
        ),
        Backbone(
            "facebook/deit-small-patch16-224", "DeiT", "ImageNet-1k",
            "apache-2.0", 21.7, 4.60, 224,
        ),
        Backbone(
            "microsoft/beit-base-patch16-224-pt22k-ft22k", "BEiT", "ImageNet-22k",
            "apache-2.0", 85.7, 17.56, 224,
        ),
        Backbone(
            "facebook/dinov2-small", "DINOv2", "LVD-142M, self-supervised",
            "apache-2.0", 22.1, 6.12, 224, shortlisted=True,
        ),
        Backbone(
            "facebook/dinov2-base", "DINOv2", "LVD-142M, self-supervised",
            "apache-2.0", 86.6, 23.16, 224,
        ),
        Backbone(
            "google/siglip-base-patch16-224", "SigLIP", "WebLI, with captions",
            "apache-2.0", 92.9, 17.71, 224,
        ),
        Backbone(
            "microsoft/swinv2-tiny-patch4-window8-256", "Swin V2", "ImageNet-1k",
            "apache-2.0", 27.6, 5.94, 256,
        ),
        Backbone(
            "microsoft/resnet-50", "ResNet", "ImageNet-1k", "apache-2.0", 23.5, 4.09, 224,
        ),
        Backbone(
            "microsoft/resnet-18", "ResNet", "ImageNet-1k", "apache-2.0", 11.2, 1.81, 224,
        ),
        Backbone(
            "google/efficientnet-b2", "EfficientNet", "ImageNet-1k", "apache-2.0", 7.7, 0.86, 260,
        ),
        Backbone(
            "google/efficientnet-b0", "EfficientNet", "ImageNet-1k",
            "apache-2.0", 4.0, 0.38, 224, shortlisted=True,
        ),
        Backbone(
            "google/mobilenet_v2_1.0_224", "MobileNet V2", "ImageNet-1k", "other", 2.2, 0.30, 224,
        ),
        Backbone(
            "google/mobilenet_v1_1.0_224", "MobileNet V1", "ImageNet-1k", "other", 3.2, 0.57, 224,
        ),
    )
}  # fmt: skip
"""By name."""
