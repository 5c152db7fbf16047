"""The recipe's parts on the model: input, backbone, augmentation, loss, probe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hf_vft.recipe.base import Auto, Fraction, PositiveFloat, PositiveInt, Section


class ImageConfig(Section):
    """Preparation of images for the model, in training and in serving."""

    size: PositiveInt | Auto = Field("auto", description="Side of the square input in pixels.")
    fit: Literal["auto", "processor", "squash", "pad"] = Field(
        "auto",
        description="processor: as the checkpoint says (often a centre crop, which can cut a "
        "defect off); squash: the whole image, aspect ratio lost; pad: the whole image on "
        "a square canvas.",
    )


class LoraRecipe(Section):
    """Low-rank adapters through peft (Hu et al. 2021)."""

    r: PositiveInt = Field(8, description="Rank of the adapters.")
    alpha: PositiveFloat = Field(16.0, description="Adapters are scaled by alpha / r.")
    dropout: Fraction = Field(0.0, description="Before each adapter.")
    target: list[str] | Auto = Field("auto", description="Module names, or found by structure.")


class ModelConfig(Section):
    """The backbone, and its changes before training."""

    candidates: list[str] | Auto = Field(
        "auto", description="Hub ids or local folders; of several, a probe chooses."
    )
    keep_head: bool = Field(
        False,
        description="Go on with the checkpoint's head, for classes of the same names; new classes "
        "get rows of their own. For models that were fine-tuned before.",
    )
    dropout: Fraction | Auto = Field("auto", description="Dropout before the head.")
    drop_path: Fraction | Auto = Field("auto", description="Stochastic depth, where it exists.")
    batch_norm_momentum: Fraction | Auto = Field(
        "auto", description="In the sense of PyTorch; 0 keeps the checkpoint's statistics."
    )
    lora: LoraRecipe | None = Field(None, description="Train low-rank adapters; none by default.")


class AugmentConfig(Section):
    """Random changes to training images; ``strength`` fills what is left on auto."""

    strength: Literal["none", "light", "medium", "strong", "auto"] = Field(
        "auto", description="Preset for every field below that is auto."
    )
    horizontal_flip: Fraction | Auto = Field(
        "auto", description="Probability. Auto: where a probe knows mirrored images as well."
    )
    vertical_flip: Fraction | Auto = Field(
        "auto", description="Probability. Auto: where a probe knows such images as well."
    )
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] | Auto = Field(
        "auto", description="Largest angle, in degrees either way."
    )
    crop_scale: Fraction | Auto = Field(
        "auto", description="Smallest share of the image's area that a random crop keeps."
    )
    color_jitter: Fraction | Auto = Field(
        "auto", description="Largest change of brightness, contrast and saturation."
    )
    blur: Fraction | Auto = Field("auto", description="Probability of a Gaussian blur.")
    trivial_augment: bool | Auto = Field(
        "auto", description="TrivialAugment (Müller & Hutter 2021)."
    )
    erasing: Fraction | Auto = Field(
        "auto", description="Probability that a rectangle is erased (Zhong et al. 2020)."
    )
    mixup_alpha: Annotated[float, Field(ge=0.0)] | Auto = Field(
        "auto", description="Beta parameter (Zhang et al. 2018); 0 is off."
    )
    cutmix_alpha: Annotated[float, Field(ge=0.0)] | Auto = Field(
        "auto", description="Beta parameter (Yun et al. 2019); 0 is off."
    )


class LossConfig(Section):
    """The loss, and the weights of mistakes."""

    name: Literal[
        "auto",
        "cross_entropy",
        "focal",
        "logit_adjusted",
        "generalised_cross_entropy",
        "bce",
        "asymmetric",
        "detection",
        "none",
    ] = Field(
        "auto",
        description="With one label an image cross_entropy, focal (Lin et al. 2017), "
        "logit_adjusted (Menon et al. 2021, for rare classes) or generalised_cross_entropy (Zhang "
        "and Sabuncu 2018, for wrong labels); with several bce or asymmetric (Ridnik et al. 2021).",
    )
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.1, description="Probability that is spread over the other classes."
    )
    class_weights: Literal["none", "balanced", "effective"] = Field(
        "none",
        description="balanced: rare classes weigh more in the loss; effective: by the effective "
        "number of images (Cui et al. 2019), which is gentler.",
    )
    sampling: Literal["shuffled", "balanced"] = Field(
        "shuffled", description="balanced: every class is drawn equally often; one label an image."
    )


class ProbeConfig(Section):
    """The first head: logistic regression on cached features, fitted to convergence."""

    enabled: bool = Field(
        True, description="Fit the linear probe; without it there is no such baseline."
    )
    head: Literal["auto", "logistic", "few_shot"] = Field(
        "auto",
        description="logistic: training begins with the linear probe; few_shot: with the best of "
        "several linear heads, compared by cross-fitting. Auto takes few_shot where classes have "
        "a handful of images.",
    )
    views: PositiveInt = Field(
        5, description="Of each image, the first as it is and the others changed, for few_shot."
    )
    folds: Annotated[int, Field(ge=2)] = Field(
        5, description="Of the cross-validation that chooses the penalty."
    )
    class_weights: Literal["none", "balanced"] = Field(
        "balanced", description="balanced: rare classes weigh more."
    )
