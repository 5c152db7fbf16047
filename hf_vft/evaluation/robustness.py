"""How a score bears disturbed images, as data: the content of ``robustness.json``."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from hf_vft.evaluation.results import Estimate
from hf_vft.utils.frozen import Frozen


class Robustness(Frozen):
    """A score on images as they are, and on the same ones with noise, blur and the like."""

    metric: str
    source: str = Field(description="Which images.")
    n: int = Field(description="Images that were measured.")
    severities: list[str]
    clean: Estimate
    disturbed: dict[str, list[Estimate]] = Field(
        description="By disturbance, a score for each severity."
    )

    @property
    def mean(self) -> float | None:
        """Mean score over all disturbances and severities; None without a defined score."""
        return _mean(estimate for scores in self.disturbed.values() for estimate in scores)

    @property
    def worst(self) -> str | None:
        """The disturbance with the lowest mean score; None without a defined score."""
        means = {name: _mean(scores) for name, scores in self.disturbed.items()}
        known = {name: value for name, value in means.items() if value is not None}
        return min(known, key=lambda name: known[name]) if known else None


def _mean(scores: Iterable[Estimate]) -> float | None:
    values = [estimate.value for estimate in scores if estimate.value is not None]
    return sum(values) / len(values) if values else None
