"""Time budgets, by a clock that only the work itself moves on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hf_vft.automl.time_budget
import hf_vft.workflows.steps.finish
from hf_vft.automl.time_budget import Clock, process_started
from hf_vft.data.demo.images import write_demo_images
from hf_vft.utils.progress import Silent
from hf_vft.workflows.fit import fit
from tests.runs import small_recipe

BUDGET, IMPORTS, STEP, PASSES, PAGES = 600.0, 30.0, 25.0, 20.0, 60.0
"""Seconds: asked for, before the run, of a training step, of the held-out passes, of the report."""


class Made:
    """A time of its own."""

    def __init__(self) -> None:
        self.now = 0.0

    def costs(self, seconds: float, work: Callable[..., Any]) -> Callable[..., Any]:
        def longer(*args: Any, **options: Any) -> Any:
            self.now += seconds
            return work(*args, **options)

        return longer


class Steps(Silent):
    """Training steps take time."""

    def __init__(self, made: Made) -> None:
        self.made = made

    def start(self, stage: str, total: int) -> None:
        self.step = STEP if stage == "all" else 0.0

    def advance(self, done: int, note: str = "", total: int | None = None) -> None:
        self.made.now += self.step if note else 0.0


def test_a_budget_holds_imports_trials_and_the_proof(
    resnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, end = Made(), hf_vft.workflows.steps.finish
    monkeypatch.setattr(
        hf_vft.automl.time_budget, "time", SimpleNamespace(monotonic=lambda: made.now)
    )
    monkeypatch.setattr(end, "held_out_logits", made.costs(PASSES, end.held_out_logits))
    monkeypatch.setattr(end, "render_report", made.costs(PAGES, end.render_report))
    few = write_demo_images(tmp_path / "line", n=48, size=32)
    stages = [{"name": "all", "train": "all", "epochs": 2, "learning_rate": 1e-3}]
    changes = {"stages": stages, "evaluation.bootstrap": 10, "search.time_budget": BUDGET}
    recipe = small_recipe(few, resnet).replaced(changes)
    run = fit(recipe, tmp_path / "run", display=Steps(made), started=-IMPORTS)
    assert made.now + IMPORTS == pytest.approx(BUDGET, rel=0.10)
    assert not (run.state / end.REHEARSAL).exists()
    clock = Clock(BUDGET, run.state / "search" / "clock.json", made.now)
    assert clock.reserve >= 2 * PASSES + PAGES  # known also where the search is resumed


def test_a_budget_that_is_spent_before_it_begins_still_gives_a_model(
    resnet: Path, tmp_path: Path
) -> None:
    few = write_demo_images(tmp_path / "line", n=48, size=32)
    stages = [{"name": "all", "train": "all", "epochs": 2, "learning_rate": 1e-3}]
    changes = {"stages": stages, "evaluation.bootstrap": 10, "search.time_budget": 1.0}
    recipe = small_recipe(few, resnet).replaced(changes)
    run = fit(recipe, tmp_path / "run", started=time.monotonic() - 60)
    assert (run.model / "model.safetensors").is_file()
    assert run.report_file.is_file()


def test_imports_count(tmp_path: Path) -> None:
    assert process_started() < time.monotonic() - 1


def test_the_clock_counts_what_was_spent_before_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "search" / "clock.json"
    first = Clock(100.0, file, time.monotonic() - 30)
    assert 69 < first.left < 70.1
    first.reserve = 10.0
    assert first.left < 60.1
    first.save()
    second = Clock(100.0, file, time.monotonic())
    assert 29.9 < second.spent < 31
    assert second.left < 60.1
    assert not second.over()
    assert Clock(20.0, file, time.monotonic()).over()
    assert Clock(None, file, time.monotonic()).left == float("inf")
