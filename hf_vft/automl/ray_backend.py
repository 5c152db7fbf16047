"""Runs the turns of a search on a Ray cluster, through Ray Tune; needs the extra ``ray``.

The study stays with the run, which proposes, compares and pauses; Ray Tune finds each turn a
worker with the resources it needs, and brings back its epochs. The folder of the run has to be one
that all machines of the cluster see.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from hf_vft.automl.search import Search
from hf_vft.automl.trial_runner import Outcome, Runner, Turn
from hf_vft.training.processes import join_processes
from hf_vft.utils.progress import Silent

MANY = 1_000_000
"""Turns that Ray Tune may ask for; the search says when there are no more."""


def run_on_ray(search: Search) -> None:
    """Run turns until the search has no more, as many at a time as the cluster has room for.

    Args:
        search: Its backend is ray. ``RAY_ADDRESS`` names the cluster; without it, and without one
            on this machine, a local one is started.
    """
    ray.init(ignore_reinit_error=True, log_to_driver=False)
    turns = _Turns(search)
    place = replace(search.place, display=Silent())
    # Workers load the backbone from its files; a copy in memory would travel with every turn.
    candidates = {name: replace(c, backbone=None) for name, c in search.candidates.items()}
    runner = Runner(place, candidates, search.metric)
    trainable = tune.with_resources(
        tune.with_parameters(_train, runner=runner), _resources(search.recipe.search.gpus_per_trial)
    )
    tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=turns,
            scheduler=_Pausing(turns),
            num_samples=MANY,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            storage_path=str(search.place.state / "search"), name="ray", verbose=0
        ),
    ).fit()


def _resources(gpus: float | None) -> dict[str, float]:
    """What a turn reserves: one GPU, or the share asked for, where the cluster has any."""
    if gpus is None:
        gpus = min(1.0, float(ray.cluster_resources().get("GPU", 0)))
    return {"cpu": 1, "gpu": gpus}


def _train(config: dict[str, Any], runner: Runner) -> None:
    """Run one turn in a worker."""
    join_processes()

    def report(step: int, score: float) -> bool:
        tune.report({"step": step, "score": score})
        return False  # whoever is paused is stopped from outside, now that its checkpoint is whole

    turn = Turn(**json.loads(config["turn"]))
    outcome = runner.run(turn, report, lambda: time.time() >= config["until"])
    tune.report({"outcome": json.dumps(asdict(replace(outcome, trained=None)))})


class _Turns(Searcher):
    """What Ray Tune asks for something to do."""

    def __init__(self, search: Search) -> None:
        super().__init__()
        self.search = search
        self.running: dict[str, Turn] = {}

    def suggest(self, trial_id: str) -> Any:
        """A turn; nothing for now while others may lead to one."""
        search, running = self.search, {turn.trial for turn in self.running.values()}
        while (turn := search.next_turn(running)) is not None:
            failed = search.plan(turn)
            if failed is None:
                self.running[trial_id] = turn
                until = time.time() + min(search.clock.left, 1e9)
                return {"turn": json.dumps(asdict(turn)), "until": until}
            search.end(turn, failed)
        return None if running else Searcher.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A turn has ended, was stopped, or has lost its worker."""
        turn = self.running.pop(trial_id)
        if error or result is None:
            outcome = Outcome("failed", 0.0, reason="its worker was lost")
        elif "outcome" in result:
            outcome = Outcome(**json.loads(result["outcome"]))
        else:
            outcome = Outcome("paused", float(result["time_total_s"]))
        self.search.end(turn, outcome)

    def save(self, checkpoint_path: str) -> None:
        """The study is on disk already."""

    def restore(self, checkpoint_path: str) -> None:
        """The study is on disk already."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Pausing(FIFOScheduler):
    """Stops a turn where the study pauses its trial."""

    def __init__(self, turns: _Turns) -> None:
        super().__init__()
        self.turns = turns

    def on_trial_result(self, tune_controller: object, trial: Any, result: dict[str, Any]) -> str:
        """Receive an epoch's score, and stop the turn if its trial is paused."""
        turn = self.turns.running.get(trial.trial_id)
        if turn is None or "outcome" in result or "step" not in result:
            return str(TrialScheduler.CONTINUE)
        paused = self.turns.search.told(turn, int(result["step"]), float(result["score"]))
        return str(TrialScheduler.STOP if paused else TrialScheduler.CONTINUE)
