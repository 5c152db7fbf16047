"""What was tried and what came of it, as data: the content of ``leaderboard.json``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hf_vft.evaluation.latency import Cost
from hf_vft.evaluation.results import Estimate
from hf_vft.evaluation.search_insights import Lessons
from hf_vft.utils.frozen import Frozen

State = Literal["finished", "stopped", "failed", "left out", "running"]
"""``stopped``: the best weights so far are kept; ``left out``: not tried, ``reason`` says why."""


class LeaderboardRow(Frozen):
    """A row of the leaderboard: a backbone, a trial, a soup, or the delivered model."""

    name: str = Field(description="Unique in the leaderboard.")
    kind: Literal["probe", "trial", "soup", "model"]
    model: str = Field(description="Hub id, folder or name of the catalogue.")
    state: State = "finished"
    strategy: str | None = None
    changes: dict[str, Any] = Field(
        default_factory=dict, description="Dotted names of the recipe, and what was set."
    )
    score: Estimate | None = Field(
        None,
        description="On validation; of a row of kind probe, cross-validated on training images.",
    )
    second_opinions: dict[str, float] = Field(
        default_factory=dict, description="Of a probe row: knn (score), log_me."
    )
    epochs: float | None = None
    seconds: float | None = Field(None, description="That this row took; None where nothing ran.")
    parts: dict[str, float] = Field(
        default_factory=dict, description="Seconds of each part, where they were measured apart."
    )
    cost: Cost | None = Field(None, description="Parameters, latency, memory.")
    reason: str = ""


class Leaderboard(Frozen):
    """The leaderboard, best first."""

    metric: str
    device: str = ""
    chosen: str = Field("", description="Name of the row whose model was kept.")
    asked: dict[str, Any] = Field(
        default_factory=dict, description="Section search of the recipe that was given."
    )
    asked_seconds: float | None = Field(None, description="The time budget.")
    rows: list[LeaderboardRow]
    lessons: Lessons | None = Field(
        None, description="What came of a search besides; None where nothing was searched."
    )


def ordered(rows: list[LeaderboardRow], *, lower_is_better: bool = False) -> list[LeaderboardRow]:
    """Scored rows first, the best first; what was left out or failed last."""

    def key(row: LeaderboardRow) -> tuple[bool, float]:
        value = row.score.value if row.score is not None else None
        if value is None or row.state == "failed":
            return True, 0.0
        return False, value if lower_is_better else -value

    return sorted(rows, key=key)
