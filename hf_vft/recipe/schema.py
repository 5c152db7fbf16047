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
from hf_vft.recipe.anomaly import AnomalyConfig
from hf_vft.recipe.base import Section
from hf_vft.recipe.data_section import DataConfig
from hf_vft.recipe.edit import flatten, parse_change, set_value
from hf_vft.recipe.errors import explain
from hf_vft.recipe.model_sections import (
    AugmentConfig,
    ImageConfig,
    LoraRecipe,
    LossConfig,
    ModelConfig,
    ProbeConfig,
)
from hf_vft.recipe.search import SearchConfig
from hf_vft.recipe.training_sections import (
    UNWARMED,
    EvaluationConfig,
    StageConfig,
    Train,
    TrainingConfig,
)
from hf_vft.utils.resources import bundled
from hf_vft.utils.yaml_text import parse_yaml

__all__ = [
    "DEFAULT",
    "UNWARMED",
    "AnomalyConfig",
    "AugmentConfig",
    "Choice",
    "DataConfig",
    "EvaluationConfig",
    "ImageConfig",
    "LoraRecipe",
    "LossConfig",
    "ModelConfig",
    "ProbeConfig",
    "Recipe",
    "SearchConfig",
    "StageConfig",
    "Train",
    "TrainingConfig",
    "bundled_recipes",
    "load_recipe",
    "parse_recipe",
]

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
        "auto",
        "image-classification",
        "multi-label-classification",
        "object-detection",
        "anomaly-detection",
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
    stages: list[StageConfig] = Field(
        default_factory=lambda: list(_default_stages()),
        description="In order; by default those of the recipe staged. With none the head that "
        "training would begin with is delivered; anomaly-detection has none.",
    )
    training: TrainingConfig = TrainingConfig()
    anomaly: AnomalyConfig = AnomalyConfig()
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

    @model_validator(mode="after")
    def _something_to_do(self) -> Recipe:
        if self.stages or self.task == "anomaly-detection":
            return self
        if not self.probe.enabled:
            raise ValueError("without stages and without probe.enabled nothing is learned")
        if self.search.wanted:
            raise ValueError("a search compares trainings, and stages is empty")
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
