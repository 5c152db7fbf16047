"""One turn of a search: a trial is trained until it ends, is paused, or fails.

What runs a turn knows nothing of the study, so it can be sent to another machine that sees the
same folders.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from torch import nn

from hf_vft.automl.prepare import Prepared, RunContext, TrainingHooks, prepare
from hf_vft.automl.ranking import Candidate
from hf_vft.automl.trial_callbacks import (
    Report,
    TrialPausedError,
    TrialReporter,
    reached,
    why_failed,
)
from hf_vft.errors import ModelError, RecipeError
from hf_vft.evaluation.results import Estimate
from hf_vft.models.logistic import LinearProbe
from hf_vft.recipe.schema import load_recipe
from hf_vft.tasks import Calibration
from hf_vft.training.finetune import FineTuned
from hf_vft.training.predict import predict_split, score_split
from hf_vft.utils.progress import Silent

FAILURES = (ModelError, RecipeError, RuntimeError, MemoryError, FloatingPointError)
"""What ends a trial and not the search."""

Over = Callable[[], bool]


@dataclass(frozen=True)
class Turn:
    """The next step of a search, the same in every process.

    Attributes:
        trial: Number of the trial in the study.
        number: That of the trial as which the training began; a promoted one keeps it.
        folder: Of the training.
        params: A point of the space.
        fresh: Whether it has yet to be planned.
    """

    trial: int
    number: int
    folder: str
    params: dict[str, Any]
    fresh: bool


@dataclass(frozen=True)
class Outcome:
    """The result of a turn.

    Attributes:
        state: ``paused`` after a checkpoint, from which it can go on.
        seconds: Of the turn.
        score: Of a finished trial, on validation.
        interval: Of that score; None where it was not measured.
        epochs: That a finished trial ran, over all its turns.
        training: Seconds of those epochs.
        reason: Why it failed.
        trained: The model of a finished trial, where it is in this process.
    """

    state: Literal["finished", "paused", "failed"]
    seconds: float
    score: float | None = None
    interval: list[float | None] | None = None
    epochs: float = 0.0
    training: float = 0.0
    reason: str = ""
    trained: tuple[Prepared, FineTuned] | None = None


class Runner:
    """Runs the turns of a search.

    Args:
        place: What all trainings of the run share.
        candidates: By name of the backbone.
        metric: What is compared, on validation.
    """

    def __init__(self, place: RunContext, candidates: Mapping[str, Candidate], metric: str) -> None:
        self.place, self.candidates, self.metric = place, candidates, metric
        self._probes: dict[tuple[str, Any], LinearProbe | None] = {}

    def run(self, turn: Turn, report: Report, over: Over) -> Outcome:
        """Train; whatever happens is an outcome.

        Args:
            turn: Planned: the recipe is in its folder.
            report: Told each epoch, answers whether to pause.
            over: Whether time is up, the same in every process.
        """
        began = time.monotonic()
        try:
            prepared = self.prepared(turn, over, report)
            tuned = prepared.tuning.run()
            self.remember(prepared)
            interval = self._interval(prepared, tuned, over)
        except TrialPausedError:
            return Outcome("paused", time.monotonic() - began)
        except FAILURES as error:
            return Outcome("failed", time.monotonic() - began, reason=why_failed(error))
        return Outcome(
            "finished",
            time.monotonic() - began,
            score=reached(tuned, self.metric),
            interval=interval,
            epochs=tuned.epochs,
            training=tuned.seconds,
            trained=(prepared, tuned),
        )

    def prepared(self, turn: Turn, over: Over, report: Report | None = None) -> Prepared:
        """The model of a planned trial, ready to be trained or to go on.

        Args:
            turn: Its recipe is in its folder.
            over: Whether time is up.
            report: Told each epoch; None for a trial that has ended.
        """
        folder, candidate = Path(turn.folder), self.candidates[turn.params["model"]]
        recipe = load_recipe(folder / "recipe.yaml")
        logs = self.place.logs / f"trial-{turn.number}"
        quiet = replace(self.place, state=folder, logs=logs, display=Silent())
        key = (candidate.checkpoint.name, recipe.image.size)
        callbacks = [TrialReporter(report, list(recipe.stages), self.metric)] if report else []
        return prepare(
            recipe,
            quiet,
            candidate.checkpoint,
            self._probes.get(key),
            kept=candidate.backbone,
            hooks=TrainingHooks(self.place.display, callbacks, over),
        )

    def remember(self, prepared: Prepared) -> None:
        """Keep the probe for other trials on the same features."""
        key = (prepared.loaded.checkpoint.name, prepared.recipe.image.size)
        self._probes[key] = prepared.tuning.probe

    def score(self, prepared: Prepared, model: nn.Module) -> float:
        """Validation score of the current weights; NaN if undefined."""
        value = self._measured(prepared, model, 0).value
        return math.nan if value is None else value

    def _measured(self, prepared: Prepared, model: nn.Module, n_bootstrap: int) -> Estimate:
        recipe, data, task = prepared.recipe, self.place.data, self.place.task
        metrics = score_split(
            predict_split(model, prepared.tuning.dataset("validation"), task, recipe),
            data.splits["validation"],
            data.labels,
            task,
            recipe,
            calibration=Calibration(),
            n_bootstrap=n_bootstrap,
        ).metrics
        return metrics["log_loss" if self.metric == "loss" else self.metric]

    def _interval(
        self, prepared: Prepared, tuned: FineTuned, over: Over
    ) -> list[float | None] | None:
        if over():
            return None
        estimate = self._measured(prepared, tuned.model, prepared.recipe.evaluation.bootstrap)
        return [estimate.low, estimate.high]
