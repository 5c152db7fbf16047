"""A rate whose first steps lose what the probe knew is lowered; one that does not is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hf_vft.automl import first_steps, optimizer_defaults
from hf_vft.automl.first_steps import FILE, LOWER, TRIES, Step, lowered
from hf_vft.automl.optimizer_defaults import DECAY, OptimizerDefaults, decays
from hf_vft.models.backbones import SCRATCH, Checkpoint
from hf_vft.models.structure import last_linear
from hf_vft.recipe.schema import Recipe
from hf_vft.workflows.fit import fit
from tests.models.tiny import tiny_convnext, tiny_vit
from tests.runs import small_recipe


def harmful_above(limit: float, rate: float) -> Step:
    return Step(rate, 1.0, 1.0 + (0.5 if rate > limit else -0.1), 0.1)


def test_a_rate_that_does_no_harm_is_kept() -> None:
    assert [step.rate for step in lowered(0.1, lambda r: harmful_above(1.0, r))] == [0.1]


def test_a_harmful_one_is_lowered_until_it_is_not_or_the_tries_end() -> None:
    rates = [step.rate for step in lowered(0.1, lambda r: harmful_above(0.05, r))]
    assert rates == pytest.approx([0.1, 0.1 * LOWER])
    steps = lowered(0.1, lambda r: harmful_above(0.0, r))
    assert len(steps) == TRIES
    assert steps[-1].harms


def test_noise_is_no_harm_and_what_is_no_number_is() -> None:
    assert not Step(0.1, 1.0, 1.05, 0.1).harms
    assert Step(0.1, 1.0, 1.15, 0.1).harms
    assert Step(0.1, 1.0, None, 0.1).harms
    assert "to no number" in str(Step(0.1, 1.0, None, 0.1))


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
    auto = dict.fromkeys(("learning_rate", "optimizer", "weight_decay", "layer_decay"), "auto")
    run = fit(small_recipe(images, convnext, stages=[stage | auto]), tmp_path / "run")
    found = {c["name"]: c for c in json.loads(run.choices_file.read_text())}
    said = found["stages.all.learning_rate"]
    assert said["value"] == pytest.approx(1e-6 * LOWER ** (tries - 1))
    assert said["reason"].count("the first steps took the log loss of held-out images") == tries
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
