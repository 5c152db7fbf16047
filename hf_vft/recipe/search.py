"""The part of the recipe that says how much may be tried, and what the model may cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from hf_vft.recipe.base import PositiveFloat, PositiveInt, Section
from hf_vft.recipe.units import parse_duration, parse_size
from hf_vft.utils.redaction import has_secret

Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0.0)]
Bytes = Annotated[int, BeforeValidator(parse_size), Field(ge=1)]


class SearchConfig(Section):
    """Budget of a search, and limits on the model's cost; without a budget nothing is searched."""

    time_budget: Seconds | None = Field(
        None, description="Of the whole run: seconds, or 90s, 20m, 1h30m."
    )
    trials: PositiveInt | None = Field(None, description="Most trials; time_budget may end first.")
    max_latency_ms: PositiveFloat | None = Field(
        None,
        description="For one image alone, measured with torch in float32 on latency_device; "
        "an export for ONNX Runtime is not measured here.",
    )
    latency_device: str | None = Field(
        None,
        description="Where latency is measured: cpu, cuda, …, of the machine that trains; default: "
        "the device that trains. Name cpu where a GPU trains and a CPU serves.",
    )
    max_params: PositiveInt | None = Field(None, description="Parameters of the whole model.")
    max_memory: Bytes | None = Field(
        None, description="To answer for one image: bytes, or 200MB, 1GB."
    )
    soup: bool = Field(
        True, description="End with the average of the best trials' weights where that is better."
    )
    backend: Literal["local", "ray"] = Field(
        "local", description="Where trials run: here, one after the other, or on a Ray cluster."
    )
    gpus_per_trial: PositiveFloat | None = Field(
        None, description="With ray: one GPU or a share of it; default: one where there are any."
    )
    storage: str | None = Field(
        None,
        description="Optuna URL that several machines share, a password as ${NAME} of an "
        "environment variable; default: a file in the run folder.",
    )

    @field_validator("storage")
    @classmethod
    def _names_its_password(cls, storage: str | None) -> str | None:
        """The recipe is written into the run, and pushed: a password in it would go along."""
        if storage is not None and has_secret(storage):
            raise ValueError(
                "has to name its password as ${NAME}, an environment variable: recipes are shared"
            )
        return storage

    @property
    def wanted(self) -> bool:
        """Whether there is anything to spend on a search."""
        return self.time_budget is not None or self.trials is not None

    @property
    def bounded(self) -> bool:
        """Whether the model may not cost what it likes."""
        bounds = (self.max_latency_ms, self.max_params, self.max_memory)
        return any(bound is not None for bound in bounds)
