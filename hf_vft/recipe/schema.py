"""The recipe: everything a run does, as strict data.

A recipe is read from YAML, checked here, and written back resolved: no ``auto`` is left in
the ``recipe.yaml`` of a finished run. This module imports no deep-learning library, so a
wrong recipe is refused at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from hf_vft.errors import RecipeError
from hf_vft.recipe.base import Auto, Fraction, PositiveFloat, PositiveInt, Section
from hf_vft.recipe.edit import flatten, parse_change, set_value
from hf_vft.recipe.errors import explain
from hf_vft.recipe.search import SearchConfig
from hf_vft.utils.resources import bundled
from hf_vft.utils.yaml_text import parse_yaml


class DataConfig(Section):
    """Which images, which columns, and how they are split."""

    path: str | None = Field(
        None, description="The images: a folder, a file, a zip, or a dataset's Hub id."
    )
    subset: str | None = Field(None, description="Configuration name of a Hub dataset.")
    format: str | None = Field(
        None, description="What a folder is read as: folders, table, coco, voc, yolo, ..."
    )
    table: str | None = Field(None, description="The file of a folder that describes its images.")
    class_level: PositiveInt | None = Field(
        None,
        description="Of class folders within folders, which level names the class; 1 is the "
        "outermost that is no split.",
    )
    leave_out: list[str] | None = Field(
        None,
        description="Patterns of folders and files that are not read, such as *_mask*. Left out, "
        "these are masks, annotations and copies of the data within itself; [] is nothing.",
    )
    encoding: str | None = Field(
        None, description="Of text files that are not UTF-8, such as cp1252."
    )
    image_column: str = Field("auto", description="The column that names or holds the images.")
    label_column: str = Field(
        "auto", description="A class, a list of classes, or boxes with classes, for each image."
    )
    label_columns: list[str] | Auto = Field(
        "auto", description="Columns of 0 and 1, one for each class, in place of label_column."
    )
    classes: list[str] | None = Field(
        None,
        description="Names for labels that are the numbers 0, 1, 2, ..., or the places of a vector "
        "of 0 and 1.",
    )
    label_separator: str | None = Field(
        None,
        min_length=1,
        description="What stands between several labels in a text; none: a text is one label. "
        "Left out, | and ; are taken for separators.",
    )
    missing_labels: list[str] | None = Field(
        None, description="Texts that mean no label. Left out, nan, NA, null and the like."
    )
    uncertain_labels: Literal["ask", "negative", "positive", "leave_out"] = Field(
        "ask", description="What -1 means in columns of 0 and 1; leave_out drops the images."
    )
    box_format: Literal["xywh", "xyxy"] = Field(
        "xywh", description="Boxes of a table: corner and size as in COCO, or two corners."
    )
    time_format: str | None = Field(
        None,
        description="How other images say when they were taken, for the monitor: day_first, "
        "month_first, or a pattern such as %d.%m.%Y %H:%M. Left out, ISO 8601, EXIF and seconds "
        "since 1970 are read by themselves.",
    )
    split_column: str = Field(
        "auto",
        description="A column; none: divide all images anew; source: as its folders say.",
    )
    group_column: str | None = Field(
        None, description="Images of one group (patient, part, camera roll) share a split."
    )
    slice_columns: list[str] = Field(
        default_factory=list, description="Columns that the metrics are also broken down by."
    )
    validation_size: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.2, description="Share of the images, where no validation split is given."
    )
    test_size: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.2, description="Share of the images, where no test split is given."
    )
    max_pixels: PositiveInt = Field(
        100_000_000, description="Larger images are refused (decompression bombs)."
    )
    bit_depth: Annotated[int, Field(ge=8, le=16)] | Auto = Field(
        "auto",
        description="How many bits the values of images with more than 8 bits a channel use.",
    )
    strict: bool = Field(False, description="Stop at the first unusable image.")


class ImageConfig(Section):
    """How an image becomes the tensor that the model sees, in training and in serving."""

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
    """Which backbone, and what of it is changed before training."""

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
    """How mistakes are weighed."""

    name: Literal["auto", "cross_entropy", "bce", "asymmetric", "detection"] = Field(
        "auto",
        description="With several labels an image, bce or asymmetric (Ridnik et al. 2021).",
    )
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.1, description="Probability that is spread over the other classes."
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: rare classes weigh more in the loss."
    )
    sampling: Literal["shuffled", "balanced"] = Field(
        "shuffled", description="balanced: every class is drawn equally often; one label an image."
    )


class ProbeConfig(Section):
    """The first head: logistic regression on cached features, fitted to convergence."""

    enabled: bool = Field(
        True, description="Fit the linear probe; without it there is no such baseline."
    )
    folds: Annotated[int, Field(ge=2)] = Field(
        5, description="Of the cross-validation that chooses the penalty."
    )
    class_weights: Literal["none", "balanced"] = Field(
        "balanced", description="balanced: rare classes weigh more."
    )


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
    """What all stages share."""

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
    cache_features: bool = Field(True, description="Head stages train on cached features.")
    report_to: list[Literal["trackio", "wandb", "mlflow"]] = Field(
        [],
        description="Trackers that also get losses and scores of each epoch; their packages must "
        "be installed. TensorBoard's files are always written.",
    )


class EvaluationConfig(Section):
    """How the result is proven."""

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


DEFAULT = "staged"
"""The recipe that is used where none is named, and whose stages stand where a recipe has none."""


@cache
def _default_stages() -> tuple[StageConfig, ...]:
    text = (bundled("recipes") / f"{DEFAULT}.yaml").read_text(encoding="utf-8")
    return tuple(StageConfig.model_validate(stage) for stage in yaml.safe_load(text)["stages"])


class Recipe(Section):
    """A whole run. See ``recipes/`` for the ones that come with hf-vft."""

    description: str = Field("", description="What it is for; shown by hf-vft recipes.")
    task: Literal[
        "auto", "image-classification", "multi-label-classification", "object-detection"
    ] = Field("auto", description="Auto takes the one that the labels are for.")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        42, description="Of splits, weights and all random changes."
    )
    data: DataConfig = DataConfig()
    image: ImageConfig = ImageConfig()
    model: ModelConfig = ModelConfig()
    augment: AugmentConfig = AugmentConfig()
    loss: LossConfig = LossConfig()
    probe: ProbeConfig = ProbeConfig()
    stages: Annotated[list[StageConfig], Field(min_length=1)] = Field(
        default_factory=lambda: list(_default_stages()),
        description="In order; by default those of the recipe staged.",
    )
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    search: SearchConfig = SearchConfig()

    @field_validator("stages")
    @classmethod
    def _unique_names(cls, stages: list[StageConfig]) -> list[StageConfig]:
        names = [stage.name for stage in stages]
        if len(set(names)) < len(names):
            raise ValueError(f"every stage needs a name of its own, not {names}")
        return stages

    @model_validator(mode="after")
    def _sizes(self) -> Recipe:
        if self.data.validation_size + self.data.test_size >= 1.0:
            raise ValueError("data.validation_size + data.test_size leave nothing to train on")
        return self

    def unresolved(self) -> list[str]:
        """Dotted names of the fields that are still ``auto``."""
        return sorted(key for key, value in flatten(self.model_dump()) if value == "auto")

    def replaced(self, changes: Mapping[str, Any]) -> Recipe:
        """A copy with ``changes`` (dotted name to value), checked again."""
        tree = self.model_dump()
        for key, value in changes.items():
            set_value(tree, key, value)
        return parse_recipe(tree)

    def to_yaml(self) -> str:
        """The recipe as YAML, in the order of the fields."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


@dataclass(frozen=True)
class Choice:
    """One thing that was decided, for ``choices.json``.

    Attributes:
        name: Dotted name in the recipe.
        was: What stood there.
        value: What was chosen.
        reason: Why, in a sentence.
    """

    name: str
    was: Any
    value: Any
    reason: str


def parse_recipe(tree: Mapping[str, Any], origin: str = "recipe") -> Recipe:
    """Check a nested mapping.

    Raises:
        RecipeError: Names the first wrong field, and what is allowed there.
    """
    try:
        return Recipe.model_validate(tree, strict=False)
    except ValidationError as error:
        raise RecipeError(f"{origin}: {explain(error, tree, _field_names())}") from None


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a bundled recipe by name, or a YAML file, and apply ``a.b=c`` overrides.

    Raises:
        RecipeError: If it cannot be found, read or understood.
    """
    path = _find(name_or_path)
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(tree, dict):
        raise RecipeError(
            f"{path}: a recipe is a mapping of sections, not a {type(tree).__name__}."
        )
    recipe = parse_recipe(tree, origin=str(name_or_path))
    changes = dict(map(parse_change, overrides))
    return recipe.replaced(changes) if changes else recipe


def bundled_recipes() -> dict[str, Path]:
    """Name and file of each recipe that comes with hf-vft."""
    return {path.stem: path for path in sorted(bundled("recipes").glob("*.yaml"))}


def _field_names() -> list[str]:
    """The dotted names of all fields; NAME stands for that of a stage."""
    sections: dict[str, type[Section]] = {
        "": Recipe,
        "model.lora": LoraRecipe,
        "stages.NAME": StageConfig,
        **{name: type(part) for name, part in vars(Recipe()).items() if isinstance(part, Section)},
    }
    return [
        f"{section}.{field}".removeprefix(".")
        for section, model in sections.items()
        for field in model.model_fields
    ]


def _find(name_or_path: str | Path) -> Path:
    known = bundled_recipes()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise RecipeError(
        f"No recipe {str(name_or_path)!r}: give a file, or one of {', '.join(known) or 'none'}."
    )
