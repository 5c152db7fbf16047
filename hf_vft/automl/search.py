"""The search: backbones ranked, trials within the budget, the best one trained on.

At any moment there is a best model: first that of the linear probe, then that of the best trial.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import PartialState
from optuna.trial import Trial, TrialState

from hf_vft.automl.deliver import LIMIT, PASSES
from hf_vft.automl.epoch_time import Pace
from hf_vft.automl.finish_search import average, train_on
from hf_vft.automl.prepare import Prepared, RunContext, prepare
from hf_vft.automl.ranking import Candidate, Ranking, rank
from hf_vft.automl.soup import MOST
from hf_vft.automl.space import LORA, Space, space_of, trial_changes
from hf_vft.automl.study import FOLDER, SharedStudy
from hf_vft.automl.time_budget import Clock
from hf_vft.automl.trial_callbacks import why_failed
from hf_vft.automl.trial_rows import shown, trial_changes_of, trial_row
from hf_vft.automl.trial_runner import FAILURES, Outcome, Runner, Turn
from hf_vft.errors import ModelError
from hf_vft.evaluation.leaderboard import LeaderboardRow
from hf_vft.evaluation.metrics import lower_is_better
from hf_vft.recipe.schema import Choice, Recipe
from hf_vft.run import write_text
from hf_vft.training.finetune import FineTuned
from hf_vft.training.processes import from_main
from hf_vft.utils.progress import Silent

FIRST_SHARE, LATER_SHARE = 0.5, 0.34
"""Of the time that is left, what one trial may be planned for."""

SHORTEST = 10.0
"""Epochs that a trial gets where there is time for them, whatever its share. On 248 photographs
five ended below the probe that they began with, ten well above it."""

SAFETY = 0.02
"""Of the budget, for what a rehearsal of the end cannot see: the last step, and leaving."""

TASTING = 0.1
"""Of the budget, at most for averaging the best trials: a short one is for trials."""

STATES = {
    "finished": TrialState.COMPLETE,
    "paused": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}

Keep = Callable[[Prepared, FineTuned], None]

Backend = Callable[["Search"], None]
"""Takes the turns of a search, runs them somewhere, and tells the search how they ended."""


@dataclass
class SearchResult:
    """The best of a search, trained; and all that was tried."""

    prepared: Prepared
    tuned: FineTuned
    choices: list[Choice]
    rows: list[LeaderboardRow]


def open_search(
    recipe: Recipe,
    place: RunContext,
    clock: Clock,
    *,
    keep: Keep,
    rehearse: Keep,
    backend: Backend | None = None,
) -> Search:
    """Rank the backbones, decide what is tried, and open the study.

    Args:
        recipe: Resolved but for what a model decides.
        place: What all trainings of the run share.
        clock: The time budget.
        keep: See `Search`.
        rehearse: See `Search`.
        backend: See `Search`; this process by default.

    Raises:
        ModelError: If no backbone can be had, in one line.
        RecipeError: If the storage of the study cannot be reached.
    """
    # Workers of a cluster are elsewhere.
    place = replace(place, state=place.state.absolute(), logs=place.logs.absolute())
    ranking = rank(
        recipe,
        place,
        seconds_left=None if clock.budget is None else clock.budget - clock.spent,
        settled=place.state / "search" / "ranking.json",
    )
    own = space_of(ranking.candidates, place)
    study = _study_of(recipe, place, ranking, own) if PartialState().is_main_process else None
    space = from_main(lambda: (study.space if study is not None else None) or own)
    return Search(
        recipe,
        place,
        clock,
        ranking,
        space,
        study,
        keep=keep,
        rehearse=rehearse,
        backend=backend or run_here,
    )


def _study_of(recipe: Recipe, place: RunContext, ranking: Ranking, space: Space) -> SharedStudy:
    """The study shared by all runs with the same data, metric and backbones."""
    names = sorted(candidate.checkpoint.name for candidate in ranking.candidates)
    seen = [place.data.fingerprint, recipe.training.metric, *names]
    name = hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]
    return SharedStudy(
        recipe.search.storage,
        f"hf-vft-{name}",
        place.state / "search",
        highest=not lower_is_better(recipe.training.metric),
        space=space,
        seed=recipe.seed,
    )


class Search:
    """One run's search; made by `open_search`.

    Args:
        recipe: Resolved but for what a model decides.
        place: What all trainings of the run share.
        clock: The time budget.
        ranking: The backbones.
        space: What trials choose from.
        study: Where trials are proposed and compared; None but in the main process.
        keep: Called with a model that is better than all before it.
        rehearse: Called with the first model; does what will follow the search.
        backend: Works through the turns.
    """

    def __init__(
        self,
        recipe: Recipe,
        place: RunContext,
        clock: Clock,
        ranking: Ranking,
        space: Space,
        study: SharedStudy | None,
        *,
        keep: Keep,
        rehearse: Keep,
        backend: Backend,
    ) -> None:
        self.recipe, self.place, self.clock = recipe, place, clock
        self.ranking, self.space, self.shared = ranking, space, study
        self.keep, self.rehearse, self._backend = keep, rehearse, backend
        self.metric = recipe.training.metric
        self.highest = not lower_is_better(self.metric)
        self.candidates = {c.checkpoint.name: c for c in ranking.candidates}
        self.runner = Runner(place, self.candidates, self.metric)
        self.pace = Pace(place)
        self._best = -math.inf if self.highest else math.inf
        self._trials: dict[int, Trial] = {}

    def run(self) -> SearchResult:
        """Run trials until the budget is spent, then train the best one on."""
        if from_main(lambda: not self._study().mine()):
            self._begin()
        self._backend(self)
        return self._finished()

    def _finished(self) -> SearchResult:
        """The winner trained on, and averaged with others."""
        winner = from_main(self._winner)
        candidate = self.candidates[winner.params["model"]]
        others = from_main(lambda: self._others(winner))
        if not others:
            self.clock.soup = 0.0
        prepared, tuned, note = train_on(
            self.runner.prepared(winner, self.clock.over), self.clock, self.metric
        )
        rows = from_main(self.rows)
        if self.recipe.search.soup and tuned.stages:
            self.clock.soup = 0.0
            row, reason = average(
                prepared,
                tuned,
                f"trial {winner.number}",
                others,
                lambda: self.runner.score(prepared, tuned.model),
                self.clock,
            )
            rows, note = [*rows, *([row] if row else [])], note + reason
        return SearchResult(prepared, tuned, self._choices(winner, candidate, note), rows)

    def next_turn(self, running: Collection[int] = ()) -> Turn | None:
        """Decide what to do next; call it in the main process only.

        Args:
            running: Numbers of the trials whose turns have not ended.
        """
        study = self._study()
        self.clock.save()
        if self.clock.left <= 0 and study.mine():
            return None
        trial = study.interrupted(running)
        if trial is None and self.clock.left > self.pace.cheapest(self.ranking.candidates[0]):
            trial = study.promoted()
            begun = [t for t in study.trials() if t.state != TrialState.WAITING]
            if trial is None and len(begun) < (self.recipe.search.trials or math.inf):
                trial = study.ask()
        if trial is None and not study.mine():
            trial = study.ask()
        if trial is None:
            return None
        self._trials[trial.number] = trial
        params = self.space.suggest(trial)
        known = trial.user_attrs.get(FOLDER)
        folder = known or str(self.place.state / "trials" / str(trial.number))
        # A promoted trial keeps the name under which it began.
        return Turn(trial.number, int(Path(folder).name), folder, params, fresh=known is None)

    def plan(self, turn: Turn) -> Outcome | None:
        """Write the recipe of a new trial, shortened to the time that it may take.

        Returns:
            Nothing, but where there is no such recipe.
        """
        if not turn.fresh:
            return None
        candidate = self.candidates[turn.params["model"]]
        share = FIRST_SHARE if turn.number == 0 else LATER_SHARE
        most = from_main(lambda: self.clock.left) / self.pace.epoch(candidate, turn.params)
        changes = trial_changes(
            candidate.recipe,
            turn.params,
            images=self.place.facts.images,
            size=candidate.side,
            epochs=None if math.isinf(most) else epochs_within(most, share),
        )
        if turn.params["strategy"] == LORA:
            changes["training.ema_decay"] = 0.0
        try:
            recipe = candidate.recipe.replaced(changes)
        except FAILURES as error:
            return Outcome("failed", 0.0, reason=why_failed(error))
        if PartialState().is_main_process:
            write_text(Path(turn.folder) / "recipe.yaml", recipe.to_yaml())
            self._study().plan(
                self._trials[turn.trial],
                Path(turn.folder),
                sum(stage.epochs for stage in recipe.stages),
                changes=shown(changes),
                strategy=turn.params["strategy"],
            )
        PartialState().wait_for_everyone()
        return None

    def told(self, turn: Turn, step: int, score: float) -> bool:
        """Hear of an epoch, and say whether to pause; only in the main process."""
        trial = self._trials[turn.trial]
        known = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        if step in known:
            return False
        trial.report(score, step)
        return bool(trial.should_prune())

    def end(self, turn: Turn, outcome: Outcome) -> None:
        """Keep the model if it is the best so far, and tell the study."""
        score = outcome.score
        better = score is not None and (score > self._best if self.highest else score < self._best)
        if better and score is not None:
            self._best = score
            self.keep(*(outcome.trained or self._again(turn)))
        if outcome.epochs:
            candidate, epochs = self.candidates[turn.params["model"]], outcome.epochs
            self.pace.learn(candidate, turn.params, epochs=epochs, seconds=outcome.training)
        if not PartialState().is_main_process:
            return
        trial = self._trials.pop(turn.trial)
        before = float(trial.user_attrs.get("seconds", 0.0))
        facts: dict[str, Any] = {"seconds": round(before + outcome.seconds, 2)}
        if outcome.state == "failed":
            facts["reason"] = outcome.reason
        if outcome.state == "finished":
            facts |= {"interval": outcome.interval, "ran": outcome.epochs}
        for name, value in facts.items():
            trial.set_user_attr(name, value)
        self._study().study.tell(trial, score, state=STATES[outcome.state])
        self.clock.save()

    def _again(self, turn: Turn) -> tuple[Prepared, FineTuned]:
        """A trial that has ended, from its folder."""
        prepared = self.runner.prepared(turn, self.clock.over)
        return prepared, prepared.tuning.run()

    def _begin(self) -> None:
        """The probe is the first model that there is; with it the end is rehearsed, and timed."""
        best = self.ranking.candidates[0]
        quiet = replace(self.place, display=Silent())
        prepared = prepare(best.recipe, quiet, best.checkpoint, kept=best.backbone)
        logits = prepared.tuning.begin()
        self.runner.remember(prepared)
        first = FineTuned(prepared.tuning.model, [], logits)
        if logits:
            self.keep(prepared, first)
        if self.clock.budget is not None:
            self.place.display.say("Rehearsing the end of the run, to leave it its time.")
            began = self.clock.now()
            self.rehearse(prepared, first)
            self.clock.reserve = from_main(
                lambda: self.clock.now() - began + SAFETY * float(self.clock.budget or 0)
            )
            began = self.clock.now()
            self.runner.score(prepared, first.model)
            once = from_main(lambda: self.clock.now() - began)
            most = TASTING * self.clock.budget
            self.clock.soup = min(most, (1 + MOST) * once) if self.recipe.search.soup else 0.0
            held = len(self.place.data.splits["validation"])
            self.clock.line = min(most / 2, PASSES * once * min(1.0, LIMIT / max(held, 1)))

    def _winner(self) -> Turn:
        """The best trial of this run, whether it was finished or paused."""
        trained = self._study().trained()
        if not trained:
            reasons = {str(t.user_attrs.get("reason", "")) for t in self._study().mine()}
            raise ModelError(f"Every trial failed: {'; '.join(sorted(reasons))}")
        best, folder = trained[0], trained[0].user_attrs[FOLDER]
        return Turn(best.number, int(Path(folder).name), folder, best.params, fresh=False)

    def _others(self, winner: Turn) -> list[tuple[str, Path]]:
        """Names and folders of trials of the same backbone beside the winner, the best first."""
        alike = [
            Path(trial.user_attrs[FOLDER])
            for trial in self._study().trained()
            if trial.params["model"] == winner.params["model"]
        ]
        return [(f"trial {f.name}", f) for f in alike if f != Path(winner.folder)]

    def rows(self) -> list[LeaderboardRow]:
        """Rows of the leaderboard: every trial of the study, and the ranked backbones."""
        study = self._study()
        trials = [
            trial_row(trial, self.candidates.get(trial.params.get("model", "")), study.score(trial))
            for trial in study.trials()
        ]
        return [*trials, *self.ranking.rows]

    def _choices(self, winner: Turn, candidate: Candidate, note: str) -> list[Choice]:
        tried = self.rows() if self.shared is not None else []
        trials = sum(row.kind == "trial" for row in tried)
        reason = f"trial {winner.number} of {trials} was best on validation{note}"
        changes = trial_changes_of(Path(winner.folder), candidate.recipe)
        chosen = [Choice(name, was, value, reason) for name, was, value in changes]
        model = replace(self.ranking.choice, value=[candidate.checkpoint.name])
        fixed = {choice.name for choice in chosen}
        rest = [c for c in candidate.choices[1:] if c.name not in fixed]
        return [model, *rest, *chosen]

    def _study(self) -> SharedStudy:
        if self.shared is None:
            raise RuntimeError("only the main process speaks with the study")
        return self.shared


def run_here(search: Search) -> None:
    """Work through the turns in this process, one after the other."""
    while (turn := from_main(search.next_turn)) is not None:
        outcome = search.plan(turn) or search.runner.run(
            turn, partial(search.told, turn), search.clock.over
        )
        search.end(turn, outcome)


def epochs_within(most: float, share: float) -> float:
    """Number of planned epochs of a trial that fit into the time left.

    Where a share of them would be too few to learn much it takes what it needs: one trial that
    has learned is worth more than two that have not.
    """
    return max(1.0, share * most, min(SHORTEST, most))
