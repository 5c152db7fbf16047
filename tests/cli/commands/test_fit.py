"""``hf-vft fit`` from outside: what is printed, where, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hf_vft.recipe.schema import load_recipe
from tests.runs import RECIPE, small_recipe, vft, write_recipe


@pytest.fixture(scope="module")
def recipe(images: Path, convnext: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    short = [stage | {"epochs": 1} for stage in RECIPE["stages"]]
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(small_recipe(images, convnext, stages=short), folder / "r.yaml")


def test_results_go_to_standard_output_and_progress_to_standard_error(
    recipe: Path, tmp_path: Path
) -> None:
    done = vft("fit", "--recipe", recipe, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "linear probe" in done.stdout
    assert str(tmp_path / "run" / "report.html") in done.stdout
    assert "epoch" in done.stderr
    assert "epoch" not in done.stdout
    assert "Traceback" not in done.stderr
    again = vft("fit", "--recipe", recipe, "--out", tmp_path / "run")
    assert again.returncode == 1
    assert "there is a run already. Add --resume" in again.stderr
    assert len(again.stderr.splitlines()) == 1


def test_json_and_changed_fields(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ["--set", "stages.all.epochs=2", "--set", "loss.class_weights=balanced"]
    words += ["--metric", "accuracy"]
    done = vft("fit", "--recipe", recipe, "--out", out, "--json", *words)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["splits"]) == {"validation", "test"}
    used = load_recipe(out / "recipe.yaml")
    assert used.stages[1].epochs == 2
    assert used.loss.class_weights == "balanced"
    assert used.training.metric == "accuracy"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere"),
        (["--recipe", "stagd"], "No recipe 'stagd': give a file, or one of"),
        (["x", "--set", "training.batchsize=3"], "training.batchsize: no such field"),
        (["x", "--set", "stages.all.epochs=-1"], "stages.all.epochs: has to be greater than 0"),
        ([], "data.path: no images were named"),
        (["--resume"], "there is no stopped run to resume"),
        (["2024-11-01"], "There is no '2024-11-01'"),
        (["x", "--time-budget", "20"], "--time-budget 20: give a unit, such as 20m or 20s"),
    ],
)
def test_mistakes_are_one_line(words: list[str], told: str, tmp_path: Path) -> None:
    done = vft("fit", *words, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_model_that_cannot_be_had_is_one_line_before_training(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    words = ["--set", "model.candidates=[no-such/model-here]", "--out", tmp_path / "run"]
    done = vft("fit", images, *words)
    assert done.returncode == 1
    assert "no-such/model-here" in done.stderr.splitlines()[-1]


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = vft("fit", "nowhere", "--out", tmp_path / "run", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
