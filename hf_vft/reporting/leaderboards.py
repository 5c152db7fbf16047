"""The leaderboard on the page: what was tried, and what a better score costs."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from hf_vft.evaluation.leaderboard import Leaderboard, LeaderboardRow
from hf_vft.evaluation.metrics import lower_is_better
from hf_vft.reporting.plots import PlotPoint, scatter_plot
from hf_vft.reporting.search_insights import lesson_parts
from hf_vft.reporting.verdict import metric_name

SHOWN_ROWS = 20


def leaderboard_parts(board: Leaderboard | None) -> dict[str, Any]:
    """Values for the template; ``leaderboard`` is None if nothing was compared.

    Args:
        board: None where there is none.
    """
    if board is None:
        return {"leaderboard": None, "pareto": None, **lesson_parts(None)}
    tried = [row for row in board.rows if row.kind != "model"]
    if not tried:
        return {"leaderboard": None, "pareto": None, **lesson_parts(None)}
    return {
        **lesson_parts(board.lessons),
        "leaderboard": board,
        "leaderboard_metric": metric_name(board.metric),
        "leaderboard_rows": board.rows[:SHOWN_ROWS],
        "leaderboard_more": board.rows[SHOWN_ROWS:],
        "pareto": _pareto(board),
    }


def pareto_front(
    rows: list[LeaderboardRow], *, lower_is_better: bool = False
) -> list[LeaderboardRow]:
    """The rows that no other row beats in score without being slower, the fastest first."""
    sign = -1.0 if lower_is_better else 1.0
    front: list[LeaderboardRow] = []
    for row in sorted(rows, key=lambda r: (_latency(r), -sign * _score(r))):
        if not front or sign * _score(row) > sign * _score(front[-1]):
            front.append(row)
    return front


def _pareto(board: Leaderboard) -> Markup | None:
    rows = [r for r in board.rows if r.cost is not None and r.score is not None]
    rows = [r for r in rows if r.score is not None and r.score.value is not None]
    # Scores on training images, held out in turn, do not belong on the same axis.
    rows = [r for r in rows if r.kind != "probe"] or rows
    if len({_latency(row) for row in rows}) < 2:
        return None
    front = pareto_front(rows, lower_is_better=lower_is_better(board.metric))
    names = {row.name for row in front}
    points = [
        PlotPoint(row.name, _latency(row), _score(row), "a" if row.name in names else "c")
        for row in rows
    ]
    return scatter_plot(
        points,
        line=[(_latency(row), _score(row)) for row in front],
        x_name=f"milliseconds an image, {board.device}",
        label=f"{metric_name(board.metric)} against latency of {len(rows)} models; "
        f"on the front: {', '.join(row.name for row in front)}.",
    )


def _latency(row: LeaderboardRow) -> float:
    return row.cost.latency_ms if row.cost is not None else 0.0


def _score(row: LeaderboardRow) -> float:
    return row.score.value if row.score is not None and row.score.value is not None else 0.0
