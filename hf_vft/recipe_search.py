"""The part of the recipe that says what the model may cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from hf_vft.recipe_base import PositiveFloat, PositiveInt, Section
from hf_vft.recipe_units import parse_size

Bytes = Annotated[int, BeforeValidator(parse_size), Field(ge=1)]


class SearchConfig(Section):
    """What the model may cost: backbones over a bound are not considered."""

    max_latency_ms: PositiveFloat | None = Field(
        None, description="For one picture, measured on latency_device."
    )
    latency_device: str | None = Field(
        None, description="Where latency is measured: cpu, cuda, …; default: where it trains."
    )
    max_params: PositiveInt | None = Field(None, description="Parameters of the whole model.")
    max_memory: Bytes | None = Field(
        None, description="To answer for one picture: bytes, or 200MB, 1GB."
    )

    @property
    def bounded(self) -> bool:
        """Whether the model may not cost what it likes."""
        bounds = (self.max_latency_ms, self.max_params, self.max_memory)
        return any(bound is not None for bound in bounds)
