"""What a run delivers, said in choices.json, and followed where the recipe says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from hf_vft.automl.validation_answers import RandomDisturbance
from hf_vft.run import RunDirectory
from hf_vft.workflows.fit import fit
from tests.runs import small_recipe

STAGE = {"name": "all", "train": "all", "epochs": 2, "learning_rate": 1e-3, "optimizer": "sgd"}


def run_of(images: Path, checkpoint: Path, out: Path, **changes: Any) -> RunDirectory:
    options = {"stages": [{**STAGE, "keep_if_better": False}], **changes}
    return fit(small_recipe(images, checkpoint, **options), out)


def choice(run: RunDirectory) -> dict[str, Any]:
    found = json.loads(run.choices_file.read_text())
    return next(one for one in found if one["name"] == "training.deliver")


def test_the_place_is_chosen_said_and_what_the_model_has(
    images: Path, convnext: Path, tmp_path: Path
) -> None:
    run = run_of(images, convnext, tmp_path / "run")
    said = choice(run)
    assert 0.0 <= said["value"] <= 1.0
    assert "validation images as they are and disturbed" in said["reason"]
    assert run.recipe().training.deliver == said["value"]
    states = run.state / "stages" / "all"
    start, end = load_file(states / "start.safetensors"), load_file(states / "best.safetensors")
    model = load_file(run.model / "model.safetensors")
    assert any(not torch.equal(start[name], end[name]) for name in end)
    for name, value in model.items():
        torch.testing.assert_close(value, torch.lerp(start[name], end[name], said["value"]))


@pytest.mark.parametrize("place", [0.0])
def test_what_the_recipe_says_is_delivered(
    place: float, images: Path, convnext: Path, tmp_path: Path
) -> None:
    run = run_of(images, convnext, tmp_path / "run", training__deliver=place)
    assert "training.deliver" not in run.choices_file.read_text()
    kept = run.state / "stages" / "all" / ("best" if place else "start")
    wanted = load_file(kept.with_suffix(".safetensors"))
    for name, value in load_file(run.model / "model.safetensors").items():
        assert torch.equal(value, wanted[name])
    if not place:
        metrics = json.loads(run.metrics_file.read_text())
        probe = metrics["baselines"]["linear_probe"]["test"]["f1_macro"]["value"]
        assert metrics["splits"]["test"]["metrics"]["f1_macro"]["value"] == pytest.approx(probe)


def test_without_a_probe_there_is_nothing_to_go_back_to(
    images: Path, convnext: Path, tmp_path: Path
) -> None:
    run = run_of(images, convnext, tmp_path / "run", probe__enabled=False)
    assert choice(run)["value"] == 1.0
    assert "did not start from a linear probe" in choice(run)["reason"]


def test_disturbances_are_drawn_from_the_generator_of_torch() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    disturb = RandomDisturbance(32)

    def drawn(seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        return np.asarray(disturb(image))

    assert np.array_equal(drawn(1), drawn(1))
    assert len({drawn(seed).tobytes() for seed in range(8)}) > 3
