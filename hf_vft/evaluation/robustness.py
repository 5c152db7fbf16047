"""How a score bears disturbed pictures, as data: the content of ``robustness.json``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hf_vft.evaluation.results import Estimate


class Robustness(BaseModel):
    """A score on pictures as they are, and on the same ones with noise, blur and the like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    source: str = Field(description="Which pictures.")
    n: int = Field(description="Pictures that were measured.")
    severities: list[str]
    clean: Estimate
    disturbed: dict[str, list[Estimate]] = Field(
        description="By disturbance, a score for each severity."
    )

    @property
    def mean(self) -> float | None:
        """Over all disturbances and severities; None without a defined score."""
        values = [one.value for scores in self.disturbed.values() for one in scores]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    @property
    def worst(self) -> str | None:
        """The disturbance with the lowest mean score."""
        means = {
            name: sum(one.value or 0.0 for one in scores) / len(scores)
            for name, scores in self.disturbed.items()
            if scores
        }
        return min(means, key=lambda name: means[name]) if means else None
