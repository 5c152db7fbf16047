"""How long an epoch of a trial takes: by the measured forward pass, corrected by trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_vft.automl.prepare import RunContext
from hf_vft.automl.ranking import BACKWARD, Candidate
from hf_vft.training.processes import from_main


class Pace:
    """Estimates how many seconds an epoch takes.

    Args:
        place: Has the images.
    """

    def __init__(self, place: RunContext) -> None:
        splits = place.data.splits
        self._passes = BACKWARD * len(splits["train"]) + len(splits["validation"])
        self._factor = 1.0

    def epoch(self, candidate: Candidate, params: Mapping[str, Any]) -> float:
        """Expected for a trial; its input size counts by the square."""
        latency = candidate.row.cost.latency_ms / 1000 if candidate.row.cost else 0.01
        return self._factor * self._passes * latency * float(params["scale"]) ** 2

    def learn(
        self, candidate: Candidate, params: Mapping[str, Any], *, epochs: float, seconds: float
    ) -> None:
        """Take in what the epochs of a trial took."""
        expected = max(self.epoch(candidate, params), 1e-6)
        self._factor = from_main(lambda: self._factor * seconds / epochs / expected)

    def cheapest(self, candidate: Candidate) -> float:
        """Seconds below which no trial is worth beginning: two epochs of the best backbone."""
        return 2 * self.epoch(candidate, {"scale": 1.0})
