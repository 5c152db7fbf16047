"""What a pre-training does, as strict data: a backbone, its images, its training."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from hf_vft.errors import RecipeError
from hf_vft.pretraining.render import LARGEST, SMALLEST
from hf_vft.recipe.base import Fraction, PositiveFloat, PositiveInt, Section
from hf_vft.recipe.edit import flatten, parse_change, set_value
from hf_vft.recipe.errors import explain
from hf_vft.utils.resources import bundled
from hf_vft.utils.yaml_text import parse_yaml


class BackboneConfig(Section):
    """The backbone that is trained.

    ``config`` is what ``transformers.AutoConfig.for_model`` takes: ``model_type`` and the fields
    of that architecture.
    """

    name: str
    config: dict[str, Any]
    image_size: PositiveInt = Field(96, description="Side that the finished processor gives.")

    @field_validator("config")
    @classmethod
    def _has_type(cls, value: dict[str, Any]) -> dict[str, Any]:
        if "model_type" not in value:
            raise ValueError("model_type is missing: name an architecture of transformers")
        for key, number in flatten(value):
            if isinstance(number, float) and not math.isfinite(number):
                raise ValueError(f"{key} has to be a finite number")
        return value


class ImagesConfig(Section):
    """Number of classes of shapes and textures."""

    shapes: PositiveInt = 64
    textures: PositiveInt = 32


class SizePhase(Section):
    """The image side from a share of the training on."""

    start: Fraction
    size: PositiveInt
    smallest: float = Field(
        SMALLEST,
        gt=0.0,
        lt=LARGEST,
        description="Side of the smallest shape, as a share of the image's.",
    )


class PretrainingConfig(Section):
    """Duration, learning rate and order of image sizes."""

    images: PositiveInt = Field(description="Seen in all; none is seen twice.")
    batch_size: PositiveInt = 64
    sizes: list[SizePhase] = Field(min_length=1)
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="Muon for matrices (timm's, with AdamW for the rest)."
    )
    learning_rate: PositiveFloat = 2e-3
    weight_decay: float = Field(0.05, ge=0.0)
    warmup: Fraction = Field(0.03, description="Share of the training.")
    decay: Fraction = Field(0.25, description="Share of the training, at its end.")
    label_smoothing: float = Field(0.1, ge=0.0, lt=1.0)
    texture_weight: float = Field(0.5, ge=0.0, description="Of the texture's loss.")
    place_weight: float = Field(1.0, ge=0.0, description="Of the loss of where the shape lies.")
    teacher: str | None = Field(
        None, description="Convolutional backbone whose features are learned too: name or folder."
    )
    teacher_weight: float = Field(1.0, ge=0.0, description="Of the loss to its features.")
    bfloat16: bool | None = Field(
        None, description="Mixed precision; by default on a GPU that has it."
    )
    ema_decay: float = Field(0.998, ge=0.0, lt=1.0)
    clip_gradient: PositiveFloat = 1.0
    transfer: list[Literal["demo", "digits"]] = Field(
        [], description="Images on which evaluations score a linear probe of the features."
    )
    evaluate_every: PositiveInt = Field(250, description="Steps between evaluations, checkpoints.")

    @field_validator("sizes")
    @classmethod
    def _from_the_start(cls, value: list[SizePhase]) -> list[SizePhase]:
        starts = [phase.start for phase in value]
        if starts[0] != 0 or starts != sorted(starts):
            raise ValueError("the first phase starts at 0, and each later than the one before")
        return value

    def phase_at(self, share: float) -> SizePhase:
        """The image phase after this share of the training."""
        return next(phase for phase in reversed(self.sizes) if phase.start <= share)


class PretrainRecipe(Section):
    """A whole pre-training; the same recipe on the same kind of machine gives the same weights."""

    description: str = ""
    seed: int = Field(0, ge=0, lt=2**32)
    backbone: BackboneConfig
    images: ImagesConfig = ImagesConfig()
    training: PretrainingConfig

    def to_yaml(self) -> str:
        """The recipe as text that ``load_pretrain_recipe`` reads."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def pretrain_recipes() -> dict[str, Path]:
    """Name and file of the recipes that come with hf-vft."""
    return {path.stem: path for path in sorted((bundled("recipes") / "pretrain").glob("*.yaml"))}


def load_pretrain_recipe(source: str | Path, changes: Iterable[str] = ()) -> PretrainRecipe:
    """Read a recipe and change some of its fields.

    Args:
        source: A name of ``pretrain_recipes`` or a YAML file.
        changes: ``path.to.field=value`` each, the value in YAML.

    Raises:
        RecipeError: If there is no such recipe, or it is wrong; the line says where.
    """
    path = pretrain_recipes().get(str(source), Path(source))
    if not path.is_file():
        names = ", ".join(pretrain_recipes())
        raise RecipeError(f"{source}: no such file or recipe; there are: {names}.")
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of sections.")
    for change in changes:
        set_value(values, *parse_change(change))
    try:
        return PretrainRecipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{source}: {explain(error, values, _field_names())}") from None


def _field_names() -> list[str]:
    """The dotted names of all fields."""
    sections: dict[str, type[Section]] = {
        "": PretrainRecipe,
        "backbone": BackboneConfig,
        "images": ImagesConfig,
        "training": PretrainingConfig,
    }
    return [f"{a}.{b}".removeprefix(".") for a, part in sections.items() for b in part.model_fields]
