"""The leaderboard of a run: what was tried, beside the model that was kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hf_vft.data.transforms.images import input_size
from hf_vft.evaluation.latency import Cost, measure_cost
from hf_vft.evaluation.leaderboard import Leaderboard, LeaderboardRow, ordered
from hf_vft.evaluation.metrics import lower_is_better
from hf_vft.evaluation.results import EvalReport
from hf_vft.models.load import LoadedModel
from hf_vft.models.lora import merged
from hf_vft.recipe.search import SearchConfig
from hf_vft.training.finetune import FineTuned

KEPT = "delivered model"


def leaderboard(
    tried: Sequence[LeaderboardRow],
    report: EvalReport,
    search: SearchConfig,
    loaded: LoadedModel,
    tuned: FineTuned,
) -> Leaderboard:
    """All rows: what was tried, the model as it is saved, and its linear probe.

    Args:
        tried: In the search, or while ranking.
        report: Of the model and its probe.
        search: What was asked for.
        loaded: Names the backbone.
        tuned: The model.
    """
    model: Any = merged(tuned.model)
    side = max(input_size(loaded.processor))
    primary, name = report.primary, loaded.checkpoint.name
    size = sum(p.numel() for p in model.parameters())
    cost = _known_cost(tried, name, side, size) or measure_cost(
        model, side, device=search.latency_device
    )
    rows = [
        LeaderboardRow(
            name=KEPT,
            kind="model",
            model=name,
            score=report.splits["validation"].metrics[primary],
            epochs=tuned.epochs,
            seconds=tuned.seconds,
            cost=cost,
        )
    ]
    probe = report.baselines.get("linear_probe", {}).get("validation", {})
    if primary in probe:
        rows.append(
            LeaderboardRow(
                name="linear probe", kind="model", model=name, score=probe[primary], cost=cost
            )
        )
    return Leaderboard(
        metric=primary,
        device=cost.device,
        chosen=KEPT,
        asked=search.model_dump(mode="json", exclude_defaults=True),
        asked_seconds=search.time_budget,
        rows=ordered([*rows, *tried], lower_is_better=lower_is_better(primary)),
    )


def _known_cost(
    tried: Sequence[LeaderboardRow], model: str, side: int, parameters: int
) -> Cost | None:
    """Of the same network among what was tried: measured twice it would seem to be two."""
    costs = [row.cost for row in tried if row.model == model and row.cost is not None]
    same = [cost for cost in costs if (cost.side, cost.parameters) == (side, parameters)]
    return same[0] if same else None
