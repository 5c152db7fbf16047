from __future__ import annotations

from typing import Any

from hf_vft.evaluation.latency import Cost
from hf_vft.evaluation.leaderboard import Leaderboard, LeaderboardRow
from hf_vft.evaluation.results import Estimate
from hf_vft.reporting.leaderboards import leaderboard_parts, pareto_front


def row(name: str, score: float, latency: float, kind: Any = "trial") -> LeaderboardRow:
    cost = Cost(
        device="cpu",
        side=32,
        parameters=1,
        latency_ms=latency,
        latency_p95_ms=latency,
        memory=1,
        gmacs=0.1,
    )
    return LeaderboardRow(name=name, kind=kind, model="m", score=Estimate(value=score), cost=cost)


def test_the_front_holds_what_nothing_faster_beats() -> None:
    rows = [row("slow", 0.9, 9), row("fast", 0.7, 1), row("bad", 0.6, 5), row("same", 0.7, 2)]
    assert [r.name for r in pareto_front(rows)] == ["fast", "slow"]
    front = pareto_front(rows, lower_is_better=True)
    assert [r.name for r in front] == ["fast", "bad"]


def test_a_run_without_trials_shows_no_leaderboard() -> None:
    assert leaderboard_parts(None)["leaderboard"] is None
    plain = Leaderboard(metric="f1_macro", rows=[row("delivered model", 0.8, 2, "model")])
    assert leaderboard_parts(plain)["leaderboard"] is None


def test_names_are_escaped_and_probes_stay_off_the_axis_of_trials() -> None:
    rows = [row("<b>", 0.8, 2), row("fine", 0.9, 4), row("probe of x", 0.99, 1, "probe")]
    parts = leaderboard_parts(Leaderboard(metric="f1_macro", rows=rows))
    assert "&lt;b&gt;" in parts["pareto"]
    assert "probe of x" not in parts["pareto"]
    assert parts["leaderboard_metric"] == "Macro F1"
