"""What one check of a monitoring report found.

A check says what it saw: a p-value and the size of the effect. How bad that is, is decided by
the policy, which sees all findings of a report together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from hf_vft.evaluation.multiplicity import benjamini_hochberg, holm
from hf_vft.evaluation.results import Number
from hf_vft.utils.frozen import Frozen

__all__ = [
    "LEVELS",
    "Finding",
    "Level",
    "Section",
    "benjamini_hochberg",
    "holm",
    "insufficient",
    "shown",
    "worst",
]

Section = Literal[
    "sanity", "input", "prediction", "embedding", "class_mix", "performance", "labels", "bias"
]
Level = Literal["ok", "info", "insufficient", "warn", "alert"]

LEVELS: tuple[Level, ...] = ("ok", "info", "insufficient", "warn", "alert")
"""From harmless to bad."""


class Finding(Frozen):
    """One check. Numbers that are not finite become None, so that it is valid JSON."""

    section: Section
    name: str = Field(
        description="What was checked; stable from run to run and unique in its section, since "
        "policies and dashboards refer to it."
    )
    method: str = Field(description="The test or estimator, as a statistician would call it.")
    statistic: Number = None
    p_value: Number = Field(None, description="Before any correction; None where none is tested.")
    effect: Number = Field(None, description="How large the difference is, in `effect_name`.")
    effect_name: str = Field("", description="Such as Wasserstein / SD, Cramér's V, points.")
    reference: float | str | None = Field(None, description="The value at training.")
    current: float | str | None = Field(None, description="The value now.")
    interval: tuple[float, float] | None = Field(
        None, description="95 % interval of `effect`; of `current` where there is no effect."
    )
    rows: int = Field(ge=0, description="Current rows behind it.")
    level: Level = Field("info", description="What a section may set: insufficient; else policy.")
    note: str = Field("", description="A sentence for whoever is on call.")

    @model_validator(mode="before")
    @classmethod
    def _finite(cls, values: object) -> Any:
        """Undefined reference, current and interval are None, as the other numbers are."""
        if not isinstance(values, dict):
            return values
        values = dict(values)
        for key in ("reference", "current"):
            if _undefined(values.get(key)):
                values[key] = None
        ends = values.get("interval")
        if ends is not None and any(end is None or _undefined(end) for end in ends):
            values["interval"] = None
        return values

    @property
    def key(self) -> str:
        """``section.name``, by which policies and dashboards refer to it."""
        return f"{self.section}.{self.name}"

    def judged(self, level: Level, note: str | None = None) -> Finding:
        """A copy with the policy's level."""
        return self.model_copy(update={"level": level, "note": self.note if note is None else note})


def insufficient(section: Section, name: str, rows: int, note: str) -> Finding:
    """The finding of a check that was not made because there is too little to go by."""
    return Finding(
        section=section, name=name, method="not tested", rows=rows, level="insufficient", note=note
    )


def worst(levels: Sequence[Level]) -> Level:
    """The worst of ``levels``; ``ok`` if there are none."""
    return max(levels, key=LEVELS.index, default="ok")


def shown(value: float) -> str:
    """A number as people read it: 0.476, 12.3, 4,846."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _undefined(value: object) -> bool:
    return isinstance(value, float | np.floating) and not np.isfinite(value)
