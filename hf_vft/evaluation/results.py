"""What an evaluation found, as data: the content of ``metrics.json``.

An undefined value is ``None`` (JSON ``null``), never a zero that looks like a score: the
recall of a class without images, for example.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _none_if_undefined(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


Number = Annotated[float | None, BeforeValidator(_none_if_undefined)]


class _Result(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(_Result):
    """A value with its 95 % bootstrap interval."""

    value: Number
    low: Number = None
    high: Number = None

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        if self.low is None or self.high is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ({self.low:.2f}–{self.high:.2f})"


class ClassResult(_Result):
    """One class against the rest."""

    support: int = Field(description="Images of the class in the split.")
    metrics: dict[str, Estimate] = Field(
        description="precision, recall, f1, auroc, average_precision; undefined without images."
    )


class Bin(_Result):
    """One bar of a reliability diagram: the images whose confidence is in (low, high]."""

    low: float
    high: float
    n: int
    confidence: Number = Field(description="Mean confidence; None in an empty bin.")
    accuracy: Number = Field(description="Share that is right; None in an empty bin.")


class SliceResult(_Result):
    """The images that share one value of a column."""

    n: int
    metrics: dict[str, Estimate] = Field(description="accuracy and f1_macro.")


class SplitResult(_Result):
    """One split, measured."""

    n: int
    metrics: dict[str, Estimate]
    per_class: dict[str, ClassResult]
    confusion: list[list[int]] = Field(description="Rows are true, columns are predicted.")
    reliability: list[Bin] = Field(description="As the model answers, before the temperature.")
    reliability_calibrated: list[Bin] = Field(description="After dividing by the temperature.")
    slices: dict[str, dict[str, SliceResult]] = Field(
        default_factory=dict, description="Column, then value."
    )


class EvalReport(_Result):
    """All of ``metrics.json``: the model on each split, and the baselines beside it."""

    task: str
    labels: list[str]
    primary: str = "f1_macro"
    temperature: float = 1.0
    splits: dict[str, SplitResult]
    baselines: dict[str, dict[str, dict[str, Estimate]]] = Field(
        default_factory=dict,
        description="majority_class and linear_probe; then split, then metric.",
    )
