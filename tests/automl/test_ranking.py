"""Several backbones: ranked by a probe, filtered by bounds, all of it on the leaderboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hf_vft.automl.ranking import TOO_SLOW, fastest, over_bounds
from hf_vft.errors import ModelError
from hf_vft.evaluation.latency import Cost
from hf_vft.evaluation.leaderboard import Leaderboard, LeaderboardRow, ordered
from hf_vft.evaluation.results import Estimate
from hf_vft.models.load import Checkpoint
from hf_vft.recipe.search import SearchConfig
from hf_vft.workflows.fit import fit
from tests.runs import small_recipe

COST = Cost(
    device="cpu",
    side=32,
    parameters=1000,
    latency_ms=5.0,
    latency_p95_ms=6.0,
    memory=3_000_000,
    gmacs=0.1,
)
HEAD = [{"name": "head", "train": "head", "epochs": 1, "learning_rate": 1e-3}]


def board(run: Path) -> Leaderboard:
    return Leaderboard.model_validate(json.loads((run / "leaderboard.json").read_text()))


@pytest.fixture(scope="module")
def ranked(
    images: Path, convnext: Path, resnet: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    recipe = small_recipe(images, convnext, stages=HEAD)
    names = [str(convnext), str(resnet)]
    recipe = recipe.replaced({"model.candidates": names})
    return fit(recipe, tmp_path_factory.mktemp("runs") / "ranked").path


def test_every_candidate_has_a_row_with_score_cost_and_seconds(
    ranked: Path, convnext: Path, resnet: Path
) -> None:
    rows = [row for row in board(ranked).rows if row.kind == "probe"]
    assert {row.model for row in rows} == {str(convnext), str(resnet)}
    for row in rows:
        assert row.score is not None
        assert row.score.low is not None
        assert row.score.low <= (row.score.value or 0) <= (row.score.high or 0)
        assert row.cost is not None
        assert row.cost.latency_ms > 0
        assert set(row.parts) == {"load_and_measure", "features", "linear_probe", "knn", "log_me"}
        assert (row.seconds or 0) >= sum(row.parts.values()) * 0.99
        assert set(row.second_opinions) == {"knn", "log_me"}


def test_the_best_probe_is_trained_and_the_choice_says_why(ranked: Path) -> None:
    rows = [row for row in board(ranked).rows if row.kind == "probe"]
    best = max(rows, key=lambda row: (row.score and row.score.value) or 0.0)
    choices = json.loads((ranked / "choices.json").read_text())
    chosen = next(c for c in choices if c["name"] == "model.candidates")
    assert chosen["value"] == [best.model]
    assert "cross-validated probe" in chosen["reason"]
    assert json.loads((ranked / "run.json").read_text())["checkpoint"] == best.model


def test_a_plain_run_has_a_leaderboard_too(fitted: Path, convnext: Path) -> None:
    found = board(fitted)
    report = json.loads((fitted / "metrics.json").read_text())
    rows: dict[str, Any] = {row.name: row for row in found.rows}
    assert set(rows) == {"delivered model", "linear probe"}
    score = report["splits"]["validation"]["metrics"]["f1_macro"]
    assert rows["delivered model"].score.model_dump() == score
    assert rows["delivered model"].cost.parameters > 0
    assert found.chosen == "delivered model"


def test_bounds_name_what_is_broken() -> None:
    assert over_bounds(COST, SearchConfig()) == ""
    assert "max_latency_ms=4" in over_bounds(COST, SearchConfig(max_latency_ms=4))
    assert "measured on cpu" in over_bounds(COST, SearchConfig(max_latency_ms=4))
    assert "max_params=999" in over_bounds(COST, SearchConfig(max_params=999))
    assert "max_memory=2 MB" in over_bounds(COST, SearchConfig(max_memory=2_000_000))


def test_where_time_is_too_short_for_all_the_fastest_within_bounds_is_taken() -> None:
    def row(latency: float, reason: str = TOO_SLOW) -> LeaderboardRow:
        cost = COST.model_copy(update={"latency_ms": latency})
        return LeaderboardRow(name="x", kind="probe", model="x", cost=cost, reason=reason)

    names = ("slow", "fast", "broken", "over")
    slow, fast, broken, over = (Checkpoint(name, name, True, "") for name in names)
    rows = {slow: row(9), fast: row(4), broken: row(1, "it has several heads"), over: row(2)}
    assert fastest(rows, SearchConfig()) == over
    rows[over] = row(2).model_copy(update={"cost": COST.model_copy(update={"parameters": 10**9})})
    assert fastest(rows, SearchConfig(max_params=10**6)) == fast
    assert fastest({broken: rows[broken]}, SearchConfig()) is None


def test_bounds_leave_the_larger_candidate_out(
    images: Path, convnext: Path, resnet: Path, tmp_path: Path
) -> None:
    recipe = small_recipe(images, convnext, stages=HEAD, search__max_params=10_000)
    recipe = recipe.replaced({"model.candidates": [str(resnet), str(convnext)]})
    run = fit(recipe, tmp_path / "run")
    rows = {row.model: row for row in board(run.path).rows if row.kind == "probe"}
    assert rows[str(resnet)].state == "left out"
    assert "over search.max_params" in rows[str(resnet)].reason
    assert json.loads((run.path / "run.json").read_text())["checkpoint"] == str(convnext)
    with pytest.raises(ModelError, match="No candidate is left"):
        fit(recipe.replaced({"search.max_params": 10}), tmp_path / "none")


def test_rows_come_in_order_of_their_score() -> None:
    rows = [
        LeaderboardRow(name="a", kind="trial", model="m", score=Estimate(value=0.5)),
        LeaderboardRow(name="b", kind="trial", model="m", state="failed", reason="it diverged"),
        LeaderboardRow(name="c", kind="trial", model="m", score=Estimate(value=0.7)),
    ]
    assert [row.name for row in ordered(rows)] == ["c", "a", "b"]
    assert [row.name for row in ordered(rows, lower_is_better=True)] == ["a", "c", "b"]
