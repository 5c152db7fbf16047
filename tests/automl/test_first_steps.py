"""A start whose first steps lose what the probe knew is made gentler; another one is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hf_vft.automl import first_steps, optimizer_defaults
from hf_vft.automl.first_steps import FILE, LONGER, LOWER, Step, _told, starts
from hf_vft.automl.optimizer_defaults import DECAY, WARMUP, OptimizerDefaults, decays, warmups
from hf_vft.models.backbones import SCRATCH, Checkpoint
from hf_vft.models.structure import last_linear
from hf_vft.recipe.schema import Recipe
from hf_vft.workflows.fit import fit
from tests.models.tiny import tiny_convnext, tiny_vit
from tests.runs import small_recipe

TRIES = 3
"""Starts, where none is without harm."""


def seen(rate: float, warmup: float, harm: float | None = -0.1) -> Step:
    return Step(rate, warmup, 1.0, None if harm is None else 1.0 + harm, 0.1)


def test_a_start_that_does_no_harm_is_kept() -> None:
    assert starts(0.1, 0.05, seen) == [seen(0.1, 0.05)]


def test_a_harmful_one_warms_up_for_longer_at_the_same_rate() -> None:
    steps = starts(0.1, 0.05, lambda rate, warmup: seen(rate, warmup, 0.5))
    assert [(step.rate, step.warmup) for step in steps] == [(0.1, 0.05), (0.1, LONGER)]
    assert "the last of these is taken" in _told(steps)


def test_the_rate_is_lowered_where_the_answers_are_no_numbers() -> None:
    steps = starts(0.1, 0.05, lambda rate, warmup: seen(rate, warmup, None))
    assert (steps[-1].rate, steps[-1].warmup, len(steps)) == (0.1 * LOWER, LONGER, TRIES)


def test_noise_is_no_harm_and_what_is_no_number_is() -> None:
    assert not seen(0.1, 0.1, 0.15).harms
    assert seen(0.1, 0.1, 0.25).harms
    assert seen(0.1, 0.1, None).harms
    assert "to no number" in str(seen(0.1, 0.1, None))


def ruined(context: Any, stage: Any, model: Any, *_: Any) -> None:
    """Steps after which nothing is a number."""
    last_linear(model).weight.data.fill_(float("nan"))


@pytest.mark.parametrize(("steps", "tries"), [(None, 1), (ruined, TRIES)])
def test_a_run_takes_its_first_steps_on_a_copy_and_says_what_came_of_them(
    steps: Any,
    tries: int,
    images: Path,
    convnext: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = {"sgd": OptimizerDefaults(1e-6, 1e-4)}
    monkeypatch.setattr(optimizer_defaults, "GENTLE", table)
    if steps is not None:
        monkeypatch.setattr(first_steps, "first_steps", steps)
    stage = {"name": "all", "train": "all", "epochs": 1, "augment": False}
    auto = dict.fromkeys(
        ("learning_rate", "optimizer", "weight_decay", "layer_decay", "warmup"), "auto"
    )
    run = fit(small_recipe(images, convnext, stages=[stage | auto]), tmp_path / "run")
    found = {c["name"]: c for c in json.loads(run.choices_file.read_text())}
    said = found["stages.all.learning_rate"]
    assert said["value"] == pytest.approx(1e-6 * (1 if steps is None else LOWER))
    assert found["stages.all.warmup"]["value"] == (WARMUP if steps is None else LONGER)
    assert said["reason"].count("they took the log loss of held-out images") == tries
    assert ("to no number" in said["reason"]) == (steps is not None)
    assert run.recipe().stages[0].learning_rate == said["value"]
    assert run.recipe().unresolved() == []
    assert len(json.loads((run.state / FILE).read_text())) == tries


def test_transformers_from_photographs_pass_less_of_the_rate_on_below() -> None:
    recipe = Recipe()
    photographs = Checkpoint("me/model", "/some/where", True, "")
    random = Checkpoint(next(iter(SCRATCH)), next(iter(SCRATCH)), False, "")

    def of(model, checkpoint) -> float:
        [(name, value, reason)] = decays(recipe, checkpoint, model)
        assert name == "stages.all.layer_decay"
        assert reason
        return value

    assert of(tiny_vit(), photographs) == DECAY
    assert of(tiny_vit(), random) == 1.0
    assert of(tiny_convnext(), photographs) == 1.0


def test_a_schedule_without_a_warm_up_gets_none() -> None:
    stages = [
        {"name": "a", "warmup": "auto"},
        {"name": "b", "warmup": "auto", "scheduler": "plateau"},
    ]
    values = {name: value for name, value, _ in warmups(Recipe.model_validate({"stages": stages}))}
    assert values == {"stages.a.warmup": WARMUP, "stages.b.warmup": 0.0}
