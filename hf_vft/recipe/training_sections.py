"""The recipe's parts on training: stages, what they share, how the result is measured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hf_vft.recipe.base import Auto, Fraction, PositiveFloat, PositiveInt, Section

UNWARMED = ("plateau", "constant")
"""Schedulers that begin at the full rate."""

Train = Annotated[str, Field(pattern=r"^(head|all|blocks:[1-9]\d*)$")]


class StageConfig(Section):
    """One stage: what is trained, for how long, at which rate; one optimizer and one train()."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] = Field(
        description="Names the stage in --set stages.NAME.FIELD and in the report."
    )
    train: Train = Field(
        "all", description="head, all, or blocks:K: the top K blocks and the head."
    )
    epochs: Annotated[float, Field(gt=0.0)] = Field(
        10, description="Passes over the training images, at most."
    )
    learning_rate: PositiveFloat | Auto = Field(
        1e-4, description="Rate of the backbone's top block."
    )
    head_learning_rate: PositiveFloat | None = Field(None, description="Default: learning_rate.")
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] | Auto = Field(
        1.0,
        description="Each block below the top trains at this share of the rate above it. Auto is "
        "0.75 for transformers that were trained on photographs, and 1 for all others.",
    )
    scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup", "plateau"] = Field(
        "cosine", description="How the rate changes; plateau waits for validation."
    )
    warmup: Fraction | Auto = Field(
        0.0,
        description="Share of the steps spent warming up. Auto is 0.1, and 0.3 where the first "
        "steps make held-out images less well known.",
    )
    optimizer: Literal["adamw", "sgd", "auto"] = Field(
        "adamw", description="Auto, also of rate and decay: by what the backbone has learned."
    )
    momentum: Fraction = Field(0.9, description="Of sgd.")
    weight_decay: Annotated[float, Field(ge=0.0)] | Auto = Field(
        0.05, description="Not of biases and norms."
    )
    patience: PositiveInt | None = Field(
        None, description="Epochs without a better validation score before the stage ends."
    )
    views: PositiveInt = Field(
        1, description="Augmented copies of each image in the feature cache of a head stage."
    )
    augment: bool = Field(True, description="Whether the recipe's augmentation is used here.")
    keep_if_better: bool = Field(
        True, description="Undo the stage when it did not improve validation."
    )

    @model_validator(mode="after")
    def _warms_up(self) -> StageConfig:
        if self.warmup not in (0.0, "auto") and self.scheduler in UNWARMED:
            raise ValueError(
                f"the scheduler {self.scheduler} does not warm up: leave warmup out, or take "
                "constant_with_warmup, linear or cosine"
            )
        return self


class TrainingConfig(Section):
    """Settings shared by all stages."""

    batch_size: PositiveInt | Auto = Field("auto", description="Over all processes together.")
    eval_batch_size: PositiveInt | Auto = Field("auto", description="Over all processes together.")
    metric: str = Field(
        "auto",
        description="Validation score that chooses the weights. On auto f1_macro where images "
        "have one label, map where they have several, map50 where they have boxes.",
    )
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Exponential moving average of the weights; 0 is off."
    )
    deliver: Fraction | Auto = Field(
        "auto",
        description="Which place on the straight line from the linear probe (0) to the fine-tuned "
        "weights (1) the run's model has. Auto decides by validation.",
    )
    max_grad_norm: Annotated[float, Field(ge=0.0)] = Field(
        1.0, description="Gradients are clipped to this norm; 0 is off."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Mixed precision; auto takes bf16 where the device is fast at it."
    )
    compile: bool = Field(False, description="torch.compile; worth it for long trainings on a GPU.")
    channels_last: bool | Auto = Field(
        "auto", description="Memory layout; faster for convolutions on many devices."
    )
    num_workers: Annotated[int, Field(ge=0)] | Auto = Field(
        "auto", description="Processes that decode images."
    )
    cache_images: bool | Auto = Field(
        "auto",
        description="Images that are trained on are decoded once and kept on disk at the size that "
        "training needs.",
    )
    cache_features: bool = Field(True, description="Head stages train on cached features.")
    report_to: list[Literal["trackio", "wandb", "mlflow"]] = Field(
        [],
        description="Trackers that also get losses and scores of each epoch; their packages must "
        "be installed. TensorBoard's files are always written.",
    )


class EvaluationConfig(Section):
    """Settings of the final evaluation."""

    bootstrap: PositiveInt = Field(1000, description="Resamples behind each 95 % interval.")
    thresholds: Literal["shared", "per_class"] = Field(
        "shared",
        description="Scores from which on a label or a box is an answer, chosen on validation: "
        "one for all classes, or one for each, which needs more images.",
    )
    beta: PositiveFloat = Field(
        1.0,
        description="The thresholds maximise F-beta: 2 finds more, 0.5 claims less that is wrong.",
    )
    stress: bool | Auto = Field(
        "auto",
        description="Learn on disturbed held-out images how far the monitor can trust what it "
        "estimates without labels. Auto does, but for searches of a few minutes.",
    )
    robustness: bool = Field(
        False, description="Score test images with noise, blur, other light and the like, too."
    )
