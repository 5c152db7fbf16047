"""What an evaluation found, as data: the content of ``metrics.json``.

An undefined value is ``None`` (JSON ``null``), never a zero that looks like a score: the
recall of a class without images, for example.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from hf_vft.utils.frozen import Frozen


def _none_if_undefined(value: object) -> Any:
    """What is no number is left for pydantic to refuse."""
    if not isinstance(value, Real):
        return value
    return float(value) if math.isfinite(value) else None


Number = Annotated[float | None, BeforeValidator(_none_if_undefined)]


class Estimate(Frozen):
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


class ClassResult(Frozen):
    """Scores of one class against the rest."""

    support: int = Field(description="Images of the class in the split.")
    metrics: dict[str, Estimate] = Field(
        description="precision, recall, f1, auroc, average_precision; undefined without images."
    )


class Bin(Frozen):
    """A bin of the reliability diagram: images whose confidence is in (low, high]."""

    low: float
    high: float
    n: int
    confidence: Number = Field(description="Mean confidence; None in an empty bin.")
    accuracy: Number = Field(description="Share that is right; None in an empty bin.")


class SliceResult(Frozen):
    """The images that share one value of a column."""

    n: int
    metrics: dict[str, Estimate] = Field(description="A few of those of the split.")


class Point(Frozen):
    """A point of a precision-recall or ROC curve."""

    recall: float
    precision: float
    false_positive_rate: Number = Field(None, description="False positive rate; None for boxes.")
    score: float = Field(description="The lowest score that is answered here.")


class GroupResult(Frozen):
    """The scores of one group: a slice, or the intersection of two slices.

    A group that is too small says so and nothing else: every score is None or empty.
    """

    n: int
    sufficient: bool = Field(description="Large enough to say anything about.")
    accuracy: Estimate | None = None
    ece: Estimate | None = None
    confidence: Estimate | None = Field(None, description="Mean of the top confidence.")
    recall: dict[str, Estimate] = Field(default_factory=dict, description="By class.")
    false_positive_rate: dict[str, Estimate] = Field(default_factory=dict, description="By class.")
    selection_rate: dict[str, Estimate] = Field(
        default_factory=dict, description="By class: share of the group that is answered so."
    )


class Gap(Frozen):
    """The difference between one group and all others, in one rate."""

    column: str = Field(description="Two names joined by × where it is an intersection.")
    group: str
    metric: str = Field(
        description="accuracy, recall, false_positive_rate, selection_rate or confidence."
    )
    label: str | None = Field(None, description="The class; None where it is about all of them.")
    n: int = Field(description="Rows of the group that the rate is taken over.")
    value: float
    rest: float
    difference: Estimate = Field(description="Group minus the others.")
    ratio: Estimate = Field(description="Group over the others.")
    p_value: float = Field(description="Of no difference, before any correction.")
    p_holm: float = Field(description="Corrected for all gaps that were looked at; see bias.py.")

    @property
    def where(self) -> str:
        """``camera = side``, for people."""
        parts = zip(self.column.split(" × "), self.group.split(" × "), strict=True)
        return ", ".join(f"{column} = {value}" for column, value in parts)


class BiasResult(Frozen):
    """Groups beside each other; without labels only what is answered and how surely."""

    labelled: bool
    groups: dict[str, dict[str, GroupResult]] = Field(description="Column, then value.")
    gaps: list[Gap]
    parity: dict[str, dict[str, Estimate]] = Field(
        description="Column, then demographic_parity_difference and _ratio, and with labels "
        "equalized_odds_difference and _ratio, accuracy_difference; over its large groups."
    )


class SplitResult(Frozen):
    """The scores of one split."""

    n: int
    metrics: dict[str, Estimate]
    per_class: dict[str, ClassResult]
    confusion: list[list[int]] = Field(
        default_factory=list,
        description="Rows are true, columns are predicted; empty unless every image has one class.",
    )
    reliability: list[Bin] = Field(
        default_factory=list, description="As the model answers, before the temperature."
    )
    reliability_calibrated: list[Bin] = Field(
        default_factory=list, description="After dividing by the temperature."
    )
    curves: dict[str, list[Point]] = Field(
        default_factory=dict,
        description="Precision and false alarms over recall by class, one class against the rest; "
        "empty where there are more than 20 classes and one label an image.",
    )
    slices: dict[str, dict[str, SliceResult]] = Field(
        default_factory=dict, description="Column, then value."
    )
    bias: BiasResult | None = Field(None, description="None without slices.")


class EvalReport(Frozen):
    """The content of ``metrics.json``: scores of the model and of the baselines, by split."""

    task: str
    labels: list[str]
    primary: str = "f1_macro"
    temperature: float = 1.0
    thresholds: dict[str, float] = Field(
        default_factory=dict,
        description="By class, on calibrated scores; empty where the best class is the answer.",
    )
    splits: dict[str, SplitResult]
    baselines: dict[str, dict[str, dict[str, Estimate]]] = Field(
        default_factory=dict,
        description="majority_class and linear_probe; then split, then metric.",
    )
