"""Which backbone suits these images: a linear probe decides, and what cannot win is dropped.

Features are computed once for each candidate and kept. A probe is not fine-tuning, so a candidate
is dropped only where the upper end of its interval is below the lower end of the best one's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState

from hf_vft.automl.prepare import KeptBackbone, Prepared, RunContext, prepare
from hf_vft.data.transforms.images import input_size
from hf_vft.errors import ModelError
from hf_vft.evaluation.latency import Cost, measure_cost
from hf_vft.evaluation.leaderboard import LeaderboardRow
from hf_vft.evaluation.results import Estimate
from hf_vft.models.candidates import ExcludedModel, find_candidates
from hf_vft.models.load import Checkpoint, choose_checkpoint
from hf_vft.models.transferability import knn_shares, log_maximum_evidence
from hf_vft.recipe.schema import Choice, Recipe
from hf_vft.recipe.search import SearchConfig
from hf_vft.run import write_json
from hf_vft.training.processes import from_main
from hf_vft.utils.grouping import number_groups

TOO_SLOW = "features and one epoch"
BACKWARD = 3.0
"""A training step costs about this many forward passes."""


@dataclass(frozen=True)
class Candidate:
    """A backbone that was ranked and may still win.

    Attributes:
        checkpoint: Where it comes from.
        row: Of the leaderboard.
        recipe: Resolved for it.
        choices: What was decided for it.
        logits: Of probes on the images of ``rows``, which they were not fitted to, ``[M, C]``.
        rows: Of the training split, ``[M]``.
        backbone: As it was loaded; only the best candidate keeps it.
    """

    checkpoint: Checkpoint
    row: LeaderboardRow
    recipe: Recipe
    choices: list[Choice]
    logits: np.ndarray
    rows: np.ndarray
    backbone: KeptBackbone | None = None

    @property
    def side(self) -> int:
        """Side of the input in pixels."""
        cost = self.row.cost
        return cost.side if cost is not None else int(self.recipe.image.size)


@dataclass(frozen=True)
class Ranking:
    """Candidates, the best first, and all rows, those of the dropped ones included."""

    candidates: list[Candidate]
    rows: list[LeaderboardRow]

    @property
    def choice(self) -> Choice:
        """The backbone to train, with its reason."""
        best = self.candidates[0]
        names = [row.name for row in self.rows]
        return Choice("model.candidates", names, [best.checkpoint.name], ranking_reason(self))


def rank(
    recipe: Recipe,
    place: RunContext,
    *,
    seconds_left: float | None = None,
    settled: Path | None = None,
) -> Ranking:
    """Rank the candidates that the recipe names, or those that can be had.

    Args:
        recipe: Resolved but for what a model decides.
        place: What all trainings share.
        seconds_left: For the search; a candidate that is too slow for it is dropped.
        settled: A file that keeps the decision, so that a resumed run does not decide otherwise
            because a stopwatch did.

    Raises:
        ModelError: If a named candidate cannot be had, or none is within the bounds.
    """
    if settled is not None and settled.is_file():
        return _again(recipe, place, settled)
    bounds = recipe.search
    checkpoints, left_out = find_candidates(recipe.model.candidates, max_params=bounds.max_params)
    named = recipe.model.candidates != "auto"
    rows = [_row_left_out(item) for item in left_out]
    candidates: list[Candidate] = []
    slow: dict[Checkpoint, LeaderboardRow] = {}
    for checkpoint in checkpoints:
        if not named:
            place.display.say(f"Looking at {checkpoint.name}.")
        looked_at = _look_at(checkpoint, recipe, place, seconds_left)
        if isinstance(looked_at, Candidate):
            candidates = _only_the_best_kept([*candidates, looked_at])
        else:
            rows.append(looked_at)
            slow[checkpoint] = looked_at
    if not candidates and (quickest := fastest(slow, recipe.search)) is not None:
        # A model of too little training is more than none.
        looked_at = _look_at(quickest, recipe, place, None)
        if isinstance(looked_at, Candidate):
            rows.remove(slow[quickest])
            candidates.append(looked_at)
    if not candidates:
        reasons = "; ".join(f"{row.model}: {row.reason}" for row in rows if row.seconds is not None)
        raise ModelError(f"No candidate is left. {reasons or 'Raise the bounds of search.'}")
    remaining, dropped = _without_losers(candidates)
    ranking = Ranking(remaining, [*(c.row for c in remaining), *dropped, *rows])
    if settled is not None:
        _settle(ranking, settled)
    return ranking


def fastest(
    left_out: Mapping[Checkpoint, LeaderboardRow], bounds: SearchConfig
) -> Checkpoint | None:
    """The fastest of the backbones that were left out for lack of time alone."""
    latency = {
        checkpoint: row.cost.latency_ms
        for checkpoint, row in left_out.items()
        if row.cost is not None and not over_bounds(row.cost, bounds) and TOO_SLOW in row.reason
    }
    return min(latency, key=lambda checkpoint: latency[checkpoint], default=None)


def _settle(ranking: Ranking, file: Path) -> None:
    names = [candidate.checkpoint.name for candidate in ranking.candidates]
    rows = [row.model_dump(mode="json") for row in ranking.rows]
    if PartialState().is_main_process:
        write_json(file, {"kept": names, "rows": rows})
    PartialState().wait_for_everyone()


def _again(recipe: Recipe, place: RunContext, file: Path) -> Ranking:
    """The candidates of a run that is resumed, with the rows that it had."""
    settled = json.loads(file.read_text(encoding="utf-8"))
    rows = [LeaderboardRow.model_validate(row) for row in settled["rows"]]
    by_model = {row.model: row for row in rows}
    candidates: list[Candidate] = []
    for name in settled["kept"]:
        checkpoint = choose_checkpoint([name])
        looked_at = _look_at(checkpoint, recipe, place, None, bounded=False)
        if isinstance(looked_at, Candidate):
            candidates = _only_the_best_kept([*candidates, replace(looked_at, row=by_model[name])])
    return Ranking(candidates, rows)


def ranking_reason(ranking: Ranking) -> str:
    """A sentence that explains why the first candidate is the first."""
    best, others = ranking.candidates[0], ranking.candidates[1:]
    score = best.row.score
    tried = sum(row.seconds is not None for row in ranking.rows)
    if score is None or score.value is None:
        return f"the first of {tried}: there are too few images to rank them"
    reason = f"{best.checkpoint.name} is first of {tried} by a cross-validated probe: {score}"
    if others:
        runner_up = others[0]
        reason += f", then {runner_up.checkpoint.name} with {runner_up.row.score}"
    not_considered = [row.name for row in ranking.rows if row.seconds is None]
    if not_considered:
        reason += f"; not considered: {', '.join(not_considered)} (leaderboard.json says why)"
    return reason


def _look_at(
    checkpoint: Checkpoint,
    recipe: Recipe,
    place: RunContext,
    seconds_left: float | None,
    *,
    bounded: bool = True,
) -> Candidate | LeaderboardRow:
    """Load, measure, compare with the bounds, and only then compute features and rank."""
    began = time.monotonic()
    row = LeaderboardRow(name=f"probe of {checkpoint.name}", kind="probe", model=checkpoint.name)
    try:
        prepared = prepare(recipe, place, checkpoint)
        # One process's stopwatch, so that all come to the same decision.
        cost = from_main(lambda: _cost(prepared, recipe.search))
    except ModelError as error:
        if recipe.model.candidates != "auto":
            raise
        return _left_out(row, str(error), began)
    row = row.model_copy(update={"cost": cost})
    too_much = over_bounds(cost, recipe.search) or _too_slow(cost, place, seconds_left)
    if bounded and too_much:
        return _left_out(row, too_much, began)
    if not prepared.tuning.has_one_head:
        return _left_out(
            row, "it has several heads, so there is no single feature to rank by", began
        )
    return _ranked(row, checkpoint, prepared, place, began)


def _cost(prepared: Prepared, search: SearchConfig) -> Cost:
    side = max(input_size(prepared.loaded.processor))
    return measure_cost(prepared.tuning.model, side, device=search.latency_device)


def over_bounds(cost: Cost, bounds: SearchConfig) -> str:
    """The bound that a model exceeds, in words; empty if none."""
    if bounds.max_params is not None and cost.parameters > bounds.max_params:
        return f"{cost.parameters:,} parameters, over search.max_params={bounds.max_params:,}"
    if bounds.max_memory is not None and cost.memory > bounds.max_memory:
        return (
            f"{cost.memory / 1e6:.0f} MB for one image, over search.max_memory="
            f"{bounds.max_memory / 1e6:.0f} MB"
        )
    if bounds.max_latency_ms is not None and cost.latency_ms > bounds.max_latency_ms:
        return (
            f"{cost.latency_ms:.1f} ms an image measured on {cost.device}, over "
            f"search.max_latency_ms={bounds.max_latency_ms:g}"
        )
    return ""


def _too_slow(cost: Cost, place: RunContext, seconds_left: float | None) -> str:
    """Whether not even features and one epoch fit into the time that is left."""
    if seconds_left is None:
        return ""
    images = sum(len(split) for split in place.data.splits.values())
    needed = (1 + BACKWARD) * images * cost.latency_ms / 1000
    if needed <= seconds_left:
        return ""
    return (
        f"{TOO_SLOW} would take about {needed:.0f} s at {cost.latency_ms:.0f} ms a "
        f"image, of {seconds_left:.0f} s left"
    )


def _ranked(
    row: LeaderboardRow, checkpoint: Checkpoint, prepared: Prepared, place: RunContext, began: float
) -> Candidate:
    """Features from the cache or computed, and what they know of the labels."""
    parts = {"load_and_measure": time.monotonic() - began}
    tuning = prepared.tuning
    features = _timed(
        parts, "features", lambda: tuning.probe_features(tuning.dataset("train"), "train")
    )
    opinion = from_main(lambda: _opinion(features, prepared.recipe, place, parts))
    columns = {
        "score": opinion.score,
        "second_opinions": {"knn": opinion.knn, "log_me": opinion.log_me},
        "seconds": time.monotonic() - began,
        "parts": parts,
    }
    return Candidate(
        checkpoint,
        row.model_copy(update=columns),
        prepared.recipe,
        prepared.choices,
        opinion.logits,
        opinion.rows,
        KeptBackbone(prepared, place),
    )


@dataclass(frozen=True)
class _Opinion:
    rows: np.ndarray
    logits: np.ndarray
    score: Estimate | None
    knn: float
    log_me: float


def _opinion(
    features: np.ndarray, recipe: Recipe, place: RunContext, parts: dict[str, float]
) -> _Opinion:
    table, task = place.data.splits["train"], place.task
    labels, marks = table["label"], place.data.members("train") > 0
    groups = place.data.groups("train")
    shared: dict[str, Any] = {"metric": recipe.training.metric, "seed": recipe.seed}
    rows, logits = _timed(
        parts,
        "linear_probe",
        lambda: task.held_out_probe(
            features,
            labels,
            num_classes=marks.shape[1],
            folds=recipe.probe.folds,
            groups=groups,
            balanced=recipe.probe.class_weights == "balanced",
            seed=recipe.seed,
        ),
    )
    score = None
    if len(rows):
        score = task.ranking_score(
            logits,
            [labels[row] for row in rows.tolist()],
            n_bootstrap=recipe.evaluation.bootstrap,
            clusters=[groups[row] for row in rows.tolist()] if groups is not None else None,
            **shared,
        )
    numbered = None if groups is None else number_groups(groups)
    shares = _timed(parts, "knn", lambda: knn_shares(features, marks, groups=numbered))
    # As logits: a class is answered where at least half of the neighbours have it.
    knn = task.ranking_score(shares - 0.5, labels, n_bootstrap=0, **shared).value
    log_me = _timed(parts, "log_me", lambda: log_maximum_evidence(features, marks))
    return _Opinion(rows, logits, score, knn or 0.0, log_me)


def _timed(parts: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    began = time.monotonic()
    result = work()
    parts[name] = time.monotonic() - began
    return result


def _without_losers(candidates: list[Candidate]) -> tuple[list[Candidate], list[LeaderboardRow]]:
    """The best first; those whose interval ends below that of the best begins are dropped."""
    in_order = sorted(candidates, key=lambda c: -_value(c.row))
    best = in_order[0].row.score
    remaining, dropped = [], []
    for candidate in in_order:
        score = candidate.row.score
        ends = (score.high if score else None, best.low if best else None)
        if ends[0] is None or ends[1] is None or ends[0] >= ends[1]:
            remaining.append(candidate)
        else:
            reason = f"it cannot win: at best {ends[0]:.2f}, and the first at least {ends[1]:.2f}"
            dropped.append(candidate.row.model_copy(update={"reason": reason}))
    return remaining, dropped


def _only_the_best_kept(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, of which only the best keeps its backbone in memory."""
    best = max(candidates, key=lambda c: _value(c.row))  # the first of equals, as when sorted
    return [c if c is best else replace(c, backbone=None) for c in candidates]


def _value(row: LeaderboardRow) -> float:
    return row.score.value if row.score is not None and row.score.value is not None else -1.0


def _left_out(row: LeaderboardRow, reason: str, began: float) -> LeaderboardRow:
    seconds = time.monotonic() - began
    return row.model_copy(update={"state": "left out", "reason": reason, "seconds": seconds})


def _row_left_out(item: ExcludedModel) -> LeaderboardRow:
    return LeaderboardRow(
        name=item.name, kind="probe", model=item.name, state="left out", reason=item.reason
    )
