"""The search: backbones ranked, trials within the budget, the best one trained on.

At any moment there is a best model: first that of the linear probe, then that of the best trial.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accelerate import PartialState
from optuna.trial import FrozenTrial, Trial, TrialState

from hf_vft.automl.clock import Clock
from hf_vft.automl.finish import train_on
from hf_vft.automl.halving import best_value
from hf_vft.automl.prepare import Prepared, Workplace, prepare
from hf_vft.automl.ranking import BACKWARD, Candidate, Ranking, rank
from hf_vft.automl.space import LORA, Space, trial_changes
from hf_vft.automl.space_of import space_of
from hf_vft.automl.study import FOLDER, SharedStudy
from hf_vft.automl.trial_rows import shown, trial_changes_of, trial_row
from hf_vft.automl.trials import TrialPausedError, Watch, reached, why_failed
from hf_vft.errors import ModelError, RecipeError
from hf_vft.evaluation.classification import evaluate_logits
from hf_vft.evaluation.leaderboard import Row
from hf_vft.models.logistic import LinearProbe
from hf_vft.recipe import Choice, Recipe, load_recipe
from hf_vft.run import write_text
from hf_vft.training.callbacks import Silent
from hf_vft.training.finetune import FineTuned
from hf_vft.training.history import lower_is_better
from hf_vft.training.predict import predict_logits
from hf_vft.training.processes import from_main
from hf_vft.training.stages import per_process

FIRST_SHARE, LATER_SHARE = 0.5, 0.34
"""Of the time that is left, what one trial may be planned for."""

SAFETY = 0.03
"""Of the budget, for what the proof does besides forward passes and intervals."""

Keep = Callable[[Prepared, FineTuned], None]


@dataclass
class Found:
    """The best of a search, trained; and all that was tried."""

    prepared: Prepared
    tuned: FineTuned
    choices: list[Choice]
    rows: list[Row]


@dataclass(frozen=True)
class Turn:
    """What is done next, the same in every process."""

    number: int
    folder: str
    params: dict[str, Any]
    fresh: bool


class Search:
    """One search of one run.

    Args:
        recipe: Resolved but for what a model decides.
        place: What all trainings of the run share.
        clock: The time budget.
        keep: Called with a model that is better than all before it.
    """

    def __init__(self, recipe: Recipe, place: Workplace, clock: Clock, keep: Keep) -> None:
        self.recipe, self.place, self.clock, self.keep = recipe, place, clock, keep
        self.metric = recipe.training.metric
        self.highest = not lower_is_better(self.metric)
        self.ranking: Ranking = rank(
            recipe,
            place,
            seconds_left=self._seconds_left(),
            settled=place.state / "search" / "ranking.json",
        )
        self.candidates = {c.checkpoint.name: c for c in self.ranking.candidates}
        self._probes: dict[tuple[str, Any], LinearProbe | None] = {}
        self._pace = 1.0
        self._best = -math.inf if self.highest else math.inf
        self.clock.reserve = from_main(self._reserve)
        own = space_of(self.ranking.candidates, place)
        self.shared: SharedStudy | None = from_main_only(lambda: self._open(own))
        self.space: Space = from_main(lambda: self._study().space or own)
        self._trial: Trial | None = None

    def run(self) -> Found:
        """Trials until the budget is spent; then the best one trained on."""
        while (turn := from_main(self._next)) is not None:
            self._take(turn)
        winner = from_main(self._winner)
        candidate = self.candidates[winner.params["model"]]
        prepared, tuned, note = train_on(
            self._prepared(winner, candidate, watched=False), self.clock, self.metric
        )
        rows = from_main(self.rows)
        return Found(prepared, tuned, self._choices(winner, candidate, note), rows)

    def _next(self) -> Turn | None:
        """What to do now; only in the main process."""
        study = self._study()
        self.clock.save()
        if self.clock.left <= 0 and study.mine():
            return None
        trial = study.interrupted()
        if trial is None and self.clock.left > self._cheapest():
            trial = study.promoted()
            begun = [t for t in study.trials() if t.state != TrialState.WAITING]
            if trial is None and len(begun) < (self.recipe.search.trials or math.inf):
                trial = study.ask()
        if trial is None and not study.mine():
            trial = study.ask()
        self._trial = trial
        if trial is None:
            return None
        params = self.space.suggest(trial)
        known = trial.user_attrs.get(FOLDER)
        folder = known or str(self.place.state / "trials" / str(trial.number))
        # A promoted trial keeps the name under which it began.
        return Turn(int(Path(folder).name), folder, params, fresh=known is None)

    def _take(self, turn: Turn) -> None:
        """Run one trial; whatever happens to it is a row, not the end."""
        candidate = self.candidates[turn.params["model"]]
        began = time.monotonic()
        try:
            if turn.fresh:
                self._plan(turn, candidate)
            prepared = self._prepared(turn, candidate, watched=True)
            if turn.number == 0 and turn.fresh:
                self._keep_probe(prepared)
            tuned = prepared.tuning.run()
            self._probes[_probe_key(prepared)] = prepared.tuning.probe
        except TrialPausedError:
            self._told(TrialState.PRUNED, began)
        except (ModelError, RecipeError, RuntimeError, MemoryError, FloatingPointError) as error:
            self._told(TrialState.FAIL, began, reason=why_failed(error))
        else:
            self._finished(turn, prepared, tuned, began)

    def _finished(self, turn: Turn, prepared: Prepared, tuned: FineTuned, began: float) -> None:
        score = reached(tuned, self.metric)
        better = score > self._best if self.highest else score < self._best
        if better:
            self._best = score
            self.keep(prepared, tuned)
        epochs = sum(len(stage.history) for stage in tuned.stages)
        spent = sum(stage.seconds for stage in tuned.stages)
        if epochs:
            expected = self._epoch_seconds(self.candidates[turn.params["model"]], turn.params)
            self._pace = from_main(lambda: self._pace * spent / epochs / max(expected, 1e-6))
        interval = self._interval(prepared, tuned)
        self._told(TrialState.COMPLETE, began, score=score, interval=interval, ran=epochs)

    def _told(
        self, state: TrialState, began: float, score: float | None = None, **facts: Any
    ) -> None:
        """Tell the study how the trial of this turn ended."""
        if self._trial is None or not PartialState().is_main_process:
            return
        attributes = self._trial.user_attrs
        before = float(attributes.get("seconds", 0.0))
        self._trial.set_user_attr("seconds", round(before + time.monotonic() - began, 2))
        for name, value in facts.items():
            self._trial.set_user_attr(name, value)
        self._study().study.tell(self._trial, score, state=state)
        self.clock.save()

    def _plan(self, turn: Turn, candidate: Candidate) -> None:
        """Write the recipe of a new trial, shortened to the time that it may take."""
        share = FIRST_SHARE if turn.number == 0 else LATER_SHARE
        left = from_main(lambda: self.clock.left)
        seconds = self._epoch_seconds(candidate, turn.params)
        most = None if math.isinf(left) else max(1.0, share * left / seconds)
        changes = trial_changes(
            candidate.recipe,
            turn.params,
            pictures=self.place.facts.pictures,
            size=candidate.side,
            epochs=most,
        )
        if turn.params["strategy"] == LORA:
            changes["training.ema_decay"] = 0.0
        recipe = candidate.recipe.replaced(changes)
        epochs = sum(stage.epochs for stage in recipe.stages)
        if PartialState().is_main_process and self._trial is not None:
            write_text(Path(turn.folder) / "recipe.yaml", recipe.to_yaml())
            self._study().plan(
                self._trial,
                Path(turn.folder),
                epochs,
                changes=shown(changes),
                strategy=turn.params["strategy"],
            )
        PartialState().wait_for_everyone()

    def _prepared(self, turn: Turn, candidate: Candidate, *, watched: bool) -> Prepared:
        folder = Path(turn.folder)
        recipe = load_recipe(folder / "recipe.yaml")
        logs = self.place.logs / f"trial-{turn.number}"
        place = replace(self.place, state=folder, logs=logs)
        key = (candidate.checkpoint.name, recipe.image.size)
        quiet = replace(place, display=Silent())
        prepared = prepare(recipe, quiet, candidate.checkpoint, self._probes.get(key))
        context = prepared.tuning.context
        context.display = place.display
        context.over = self.clock.over
        if watched:
            context.callbacks.append(Watch(self._trial, list(recipe.stages), self.metric))
        return prepared

    def _keep_probe(self, prepared: Prepared) -> None:
        """The probe is the first model that there is."""
        logits = prepared.tuning.begin()
        if logits:
            self.keep(prepared, FineTuned(prepared.tuning.model, [], logits))

    def _winner(self) -> Turn:
        """The best trial of this run, whether it was finished or paused."""
        scored = [t for t in self._study().mine() if t.state != TrialState.FAIL]
        scored = [
            t
            for t in scored
            if FOLDER in t.user_attrs and (Path(t.user_attrs[FOLDER]) / "recipe.yaml").is_file()
        ]
        if not scored:
            reasons = {str(t.user_attrs.get("reason", "")) for t in self._study().mine()}
            raise ModelError(f"Every trial failed: {'; '.join(sorted(reasons))}")
        sign = 1 if self.highest else -1
        best = max(scored, key=lambda t: sign * self._score(t))
        folder = best.user_attrs[FOLDER]
        return Turn(int(Path(folder).name), folder, best.params, fresh=False)

    def _score(self, trial: FrozenTrial) -> float:
        return trial.value if trial.value is not None else best_value(trial, self.highest)

    def rows(self) -> list[Row]:
        """Of the leaderboard: every trial of the study, and the backbones that were ranked."""
        found = [
            trial_row(trial, self.candidates.get(trial.params.get("model", "")), self._score(trial))
            for trial in self._study().trials()
        ]
        return [*found, *self.ranking.rows]

    def _interval(self, prepared: Prepared, tuned: FineTuned) -> list[float | None] | None:
        """Of a finished trial's validation score, from the pictures it was measured on."""
        if self.place.task.name != "image-classification" or self.clock.over():
            return None
        recipe = prepared.recipe
        size = per_process(recipe.training.eval_batch_size, PartialState().num_processes)
        data = prepared.tuning.dataset("validation")
        logits, labels = predict_logits(tuned.model, data, self.place.task, batch_size=size)
        table = self.place.data.splits["validation"]
        found = evaluate_logits(
            logits,
            labels,
            self.place.data.labels,
            n_bootstrap=recipe.evaluation.bootstrap,
            seed=recipe.seed,
            clusters=table["group"] if "group" in table.column_names else None,
        ).metrics.get(self.metric)
        return [found.low, found.high] if found is not None else None

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

    def _open(self, space: Space) -> SharedStudy:
        seen = [self.place.data.fingerprint, self.metric, *sorted(self.candidates)]
        name = hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]
        return SharedStudy(
            self.recipe.search.storage,
            f"hf-vft-{name}",
            self.place.state / "search",
            highest=self.highest,
            space=space,
            seed=self.recipe.seed,
        )

    def _study(self) -> SharedStudy:
        if self.shared is None:
            raise RuntimeError("only the main process speaks with the study")
        return self.shared

    def _seconds_left(self) -> float | None:
        return None if self.clock.budget is None else self.clock.budget - self.clock.spent

    def _reserve(self) -> float:
        """Seconds of the proof: forward passes, and intervals as they were measured just now."""
        if self.clock.budget is None:
            return 0.0
        best, splits = self.ranking.candidates[0], self.place.data.splits
        held_out = len(splits["validation"]) + len(splits["test"])
        latency = best.row.cost.latency_ms / 1000 if best.row.cost else 0.0
        intervals = 0.0
        if len(best.rows):
            began = time.monotonic()
            labels = [splits["train"]["label"][i] for i in best.rows]
            bootstrap = self.recipe.evaluation.bootstrap
            evaluate_logits(best.logits, labels, self.place.data.labels, n_bootstrap=bootstrap)
            # The model, the probe and the majority class.
            intervals = 3 * held_out / len(labels) * (time.monotonic() - began)
        return 2 * held_out * latency + intervals + SAFETY * self.clock.budget

    def _epoch_seconds(self, candidate: Candidate, params: dict[str, Any]) -> float:
        """Of a trial, from the measured forward pass, corrected by how long trials took."""
        latency = candidate.row.cost.latency_ms / 1000 if candidate.row.cost else 0.01
        splits = self.place.data.splits
        passes = BACKWARD * len(splits["train"]) + len(splits["validation"])
        return self._pace * passes * latency * float(params["scale"]) ** 2

    def _cheapest(self) -> float:
        """Seconds below which no trial is worth beginning: two epochs of the best backbone."""
        return 2 * self._epoch_seconds(self.ranking.candidates[0], {"scale": 1.0})


def from_main_only(work: Callable[[], Any]) -> Any:
    """What the main process makes for itself; nothing in the others."""
    return work() if PartialState().is_main_process else None


def _probe_key(prepared: Prepared) -> tuple[str, Any]:
    return prepared.loaded.checkpoint.name, prepared.recipe.image.size
