"""The recipe's part on anomaly detection from good parts alone."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hf_vft.recipe.base import PositiveInt, Section


class AnomalyConfig(Section):
    """What is remembered of good parts, and how often a good part may be called an anomaly."""

    layers: list[str] | None = Field(
        None,
        description="Blocks of the backbone whose outputs describe a patch; left out, those that "
        "end its resolutions of an eighth and a sixteenth, or the middle ones of a transformer.",
    )
    neighbourhood: PositiveInt = Field(
        3, description="Side of the window that local features are averaged over, in patches."
    )
    coreset: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.1, description="Share of the patches that is remembered."
    )
    max_patches: PositiveInt = Field(10_000, description="At most so many are remembered.")
    neighbours: PositiveInt = Field(
        9, description="Remembered patches that say how unusual the nearest one is."
    )
    folds: Annotated[int, Field(ge=2)] = Field(
        5, description="Parts of the good images; each is scored by what the others remember."
    )
    false_alarm_rate: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(
        0.01, description="Share of good images that the threshold lets be called anomalies."
    )
