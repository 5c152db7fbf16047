"""What a decision says besides: since when, why, whom it concerns, and how it went."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from hf_vft.utils.frozen import Frozen

Kind = Literal[
    "lens", "lamp", "camera", "new_class", "new_content", "class_mix", "label_rule", "group",
    "unknown",
]  # fmt: skip
OUTSIDE: frozenset[Kind] = frozenset({"lens", "lamp", "camera"})
"""Causes that are mended where the images are taken: a model that learns them learns a fault."""


class Cause(Frozen):
    """Something that may lie behind a change."""

    kind: Kind
    sentence: str = Field(description="In plain words, with figures.")
    short: str = Field(description="A clause that follows 'when'.")
    column: str | None = Field(None, description="Of the log, by which it shows.")
    value: str | None = Field(None, description="Of the column: a slice value, or a class.")
    weight: float = Field(description="How far it stands out; only the order means something.")


class Since(Frozen):
    """The time at which a change began, in data time."""

    at: datetime | None = Field(description="The likeliest moment; None where none stands out.")
    earliest: datetime | None = Field(None, description="Lower end of the 95 % interval.")
    latest: datetime | None = Field(None, description="Upper end of the 95 % interval.")
    by: str | None = Field(None, description="The column of the log that shows it.")
    sentence: str


class Affected(Frozen):
    """A group whose answers have become worse."""

    column: str
    value: str
    rows: int
    before: float = Field(description="At training, of the same group; of all for a new group.")
    now: float
    low: float = Field(description="Lower end of Wilson's 95 % interval of `now`.")
    high: float
    of: str = Field(description="What is compared: accuracy, or mean confidence without labels.")


class Stretch(Frozen):
    """A point of the curve: so many images in the order of time."""

    start: datetime
    end: datetime
    rows: int
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    estimated: float | None = None
    trusted: bool = Field(False, description="Whether the estimate may be believed.")
