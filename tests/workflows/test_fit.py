"""Whole runs: what they leave behind, with several processes, and after a kill."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

import hf_vft.training.trainer
import hf_vft.workflows.fit
import hf_vft.workflows.steps.finish
from hf_vft.cli.launch import is_first
from hf_vft.errors import DataError, ModelError, RecipeError, RunError, VftError
from hf_vft.inference.predictor import Predictor
from hf_vft.run import RunDirectory
from hf_vft.workflows.fit import fit
from tests.runs import (
    KillAt,
    die,
    fit_in_processes,
    metrics,
    small_recipe,
    vft,
    write_recipe,
)

KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def whole(images: Path, convnext: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of one process."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert fit_in_processes(small_recipe(images, convnext), out) == [0]
    return out


def same_answers(one: Path, other: Path) -> bool:
    """Whether two runs made the same model and measured the same, to the bit."""
    files = ("metrics.json", "model/model.safetensors")
    return all((one / file).read_bytes() == (other / file).read_bytes() for file in files)


def close(found: Any, expected: Any) -> Any:
    """Whether two nested JSON values agree but for rounding."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[k], expected[k]) for k in found)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    if isinstance(expected, float):
        return found == pytest.approx(expected, abs=2e-3)
    return found == expected


class TestSeveralProcesses:
    def test_two_processes_train_the_same_model_as_one(
        self, whole: Path, images: Path, convnext: Path, tmp_path: Path
    ):
        recipe = small_recipe(images, convnext)
        assert fit_in_processes(recipe, tmp_path / "run", processes=2) == [0, 0]
        assert close(metrics(tmp_path / "run"), metrics(whole))
        history = hf_vft.run.RunDirectory(tmp_path / "run")
        assert close(
            history.read_json(history.history_file),
            history.read_json(whole / "history.json"),
        )

    @pytest.mark.slow
    def test_three_processes_do_too(
        self, whole: Path, images: Path, convnext: Path, tmp_path: Path
    ):
        recipe = small_recipe(images, convnext)
        assert fit_in_processes(recipe, tmp_path / "run", processes=3) == [0, 0, 0]
        assert close(metrics(tmp_path / "run"), metrics(whole))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "changes",
        [
            {"model__lora": {"r": 4}},
            {"training__ema_decay": 0.9, "training__metric": "loss", "loss__sampling": "balanced"},
            {
                "training__cache_features": False,
                "training__cache_images": True,
                "loss__class_weights": "balanced",
            },
        ],
    )
    def test_two_processes_agree_with_one_whatever_the_recipe(
        self, changes: dict[str, Any], images: Path, vit: Path, tmp_path: Path
    ):
        recipe = small_recipe(images, vit, **changes)
        for count in (1, 2):
            assert fit_in_processes(recipe, tmp_path / str(count), processes=count) == [0] * count
        assert close(metrics(tmp_path / "2"), metrics(tmp_path / "1"))

    @pytest.mark.slow
    def test_two_killed_processes_are_resumed_by_two(
        self, images: Path, convnext: Path, tmp_path: Path
    ):
        recipe = small_recipe(images, convnext)
        assert fit_in_processes(recipe, tmp_path / "whole", processes=2) == [0, 0]
        killer = KillAt("step of all", 9)
        codes = fit_in_processes(recipe, tmp_path / "run", processes=2, display=killer)
        assert codes == [KILLED, 1]
        assert fit_in_processes(recipe, tmp_path / "run", processes=2, resume=True) == [0, 0]
        assert same_answers(tmp_path / "run", tmp_path / "whole")

    @pytest.mark.slow
    def test_the_command_line_starts_processes_that_meet(
        self, whole: Path, images: Path, convnext: Path, tmp_path: Path
    ):
        recipe = write_recipe(small_recipe(images, convnext), tmp_path / "recipe.yaml")
        words = ("fit", "--recipe", recipe, "--out", tmp_path / "run", "--num-processes", "2")
        ran = vft(*words)
        assert ran.returncode == 0, ran.stderr
        run = hf_vft.run.RunDirectory(tmp_path / "run")
        assert run.read_json(run.summary_file)["processes"] == 2
        assert close(metrics(tmp_path / "run"), metrics(whole))

    @pytest.mark.slow
    def test_accelerate_launch_starts_processes_that_meet(
        self, whole: Path, images: Path, convnext: Path, tmp_path: Path
    ):
        recipe = write_recipe(small_recipe(images, convnext), tmp_path / "recipe.yaml")
        config = Path(__file__).parents[2] / "recipes" / "accelerate" / "cpu.yaml"
        launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config]
        command = [*launcher, "-m", "hf_vft", "fit", "--recipe", recipe, "--out", tmp_path / "run"]
        ran = subprocess.run(
            [*map(str, command)], capture_output=True, text=True, timeout=300, check=False
        )
        assert ran.returncode == 0, ran.stderr
        run = hf_vft.run.RunDirectory(tmp_path / "run")
        assert run.read_json(run.summary_file)["processes"] == 2
        assert close(metrics(tmp_path / "run"), metrics(whole))

    def test_processes_that_cannot_meet_say_so(
        self, images: Path, convnext: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ):
        def one_of_two() -> None:
            os.environ["WORLD_SIZE"] = "2"

        recipe = small_recipe(images, convnext)
        assert fit_in_processes(recipe, tmp_path / "run", prepare=one_of_two) == [1]
        assert "RunError: 2 processes were started" in capfd.readouterr().err

    def test_a_failure_of_one_process_ends_the_others(
        self, images: Path, convnext: Path, tmp_path: Path
    ):
        def fail_in_the_second() -> None:
            if not is_first():
                hf_vft.workflows.fit.gather_facts = die

        recipe = small_recipe(images, convnext)
        out = tmp_path / "run"
        codes = fit_in_processes(recipe, out, processes=2, prepare=fail_in_the_second)
        assert codes == [1, KILLED]


def kill_before(module: Any, name: str, times: int = 1) -> Any:
    """Something to prepare a process with: it dies at the n-th call of a function."""

    def prepare() -> None:
        real, left = getattr(module, name), [times]

        def deadly(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            return die() if left[0] == 0 else real(*args, **kwargs)

        setattr(module, name, deadly)

    return prepare


MOMENTS = {
    "before the head's first checkpoint": {"display": KillAt("epoch of head")},
    "between a checkpoint's files and its marker": {
        "prepare": kill_before(hf_vft.training.trainer, "mark_complete", 3)
    },
    "in the middle of the last epoch": {"display": KillAt("step of all", 9)},
    "before the model is written": {
        "prepare": kill_before(hf_vft.workflows.steps.finish, "save_model")
    },
    "before the report is written": {
        "prepare": kill_before(hf_vft.workflows.steps.finish, "render_report")
    },
}


class TestKillAndResume:
    @pytest.mark.parametrize("moment", MOMENTS, ids=str)
    def test_a_killed_run_ends_as_an_uninterrupted_one(
        self, moment: str, whole: Path, images: Path, convnext: Path, tmp_path: Path
    ):
        recipe, out = small_recipe(images, convnext), tmp_path / "run"
        assert fit_in_processes(recipe, out, **MOMENTS[moment]) == [KILLED]
        assert fit_in_processes(recipe, out, resume=True) == [0]
        assert same_answers(out, whole)
        assert not list(out.rglob(".*.tmp"))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "moment", [KillAt("step of all", 14), KillAt("epoch of all", 3)], ids=("step", "epoch")
    )
    def test_averages_patience_and_schedules_survive(
        self, moment: KillAt, images: Path, resnet: Path, tmp_path: Path
    ):
        changes = {
            "training__ema_decay": 0.8,
            "augment__mixup_alpha": 0.2,
            "loss__sampling": "balanced",
            "model__batch_norm_momentum": 0.1,
            "stages__all__scheduler": "plateau",
            "stages__all__epochs": 6,
            "stages__all__patience": 2,
        }
        recipe = small_recipe(images, resnet, **changes)
        assert fit_in_processes(recipe, tmp_path / "whole") == [0]
        assert fit_in_processes(recipe, tmp_path / "run", display=moment) == [KILLED]
        assert fit_in_processes(recipe, tmp_path / "run", resume=True) == [0]
        assert same_answers(tmp_path / "run", tmp_path / "whole")

    def test_a_run_stopped_before_it_knew_its_recipe_starts_anew(
        self, images: Path, convnext: Path, tmp_path: Path
    ):
        recipe, out = small_recipe(images, convnext), tmp_path / "run"
        killed = fit_in_processes(
            recipe, out, prepare=kill_before(hf_vft.workflows.fit, "write_text")
        )
        assert killed == [KILLED]
        (out / "state").mkdir()
        (out / "state" / ".recipe.yaml.0123.tmp").write_text("half")
        with pytest.raises(RunError, match="no stopped run"):
            fit(recipe, out, resume=True)
        killer = KillAt("epoch of head")
        assert fit_in_processes(recipe, out, display=killer) == [KILLED]

    def test_what_fails_before_training_leaves_the_folder_for_another_try(
        self, images: Path, convnext: Path, tmp_path: Path
    ):
        recipe, out = small_recipe(images, convnext), tmp_path / "run"
        for wrong in (
            {"data.path": str(tmp_path / "nowhere")},
            {"model.candidates": [str(tmp_path / "nowhere")]},
            {"training.metric": "f1"},
        ):
            with pytest.raises((DataError, ModelError, RecipeError)):
                fit(recipe.replaced(wrong), out)
        killer = KillAt("epoch of head")
        assert fit_in_processes(recipe, out, display=killer) == [KILLED]

    def test_a_resumed_run_follows_its_own_recipe_from_wherever_it_is_called(
        self,
        whole: Path,
        images: Path,
        convnext: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ):
        recipe, out = small_recipe(images, convnext), tmp_path / "run"
        monkeypatch.chdir(images.parent)
        here = recipe.replaced({"data.path": images.name})
        assert fit_in_processes(here, out, display=KillAt("epoch of head")) == [KILLED]
        monkeypatch.chdir(tmp_path)
        other = recipe.replaced({"stages.all.epochs": 9})
        with pytest.raises(RunError, match=r"begun with stages\.1\.epochs=2.0, not 9"):
            fit(other, out, resume=True)
        assert fit_in_processes(None, out, resume=True) == [0]
        assert same_answers(out, whole)

    def test_a_file_is_no_place_for_a_run(self, images: Path, convnext: Path, tmp_path: Path):
        (tmp_path / "run").write_text("")
        with pytest.raises(RunError, match="no folder can be made"):
            fit(small_recipe(images, convnext), tmp_path / "run")

    @pytest.mark.parametrize("theirs", ["data", "state"])
    def test_a_folder_of_the_same_name_is_not_taken_for_ours(
        self, images: Path, convnext: Path, tmp_path: Path, theirs: str
    ):
        (tmp_path / theirs).mkdir()
        (tmp_path / theirs / "photo.jpg").write_text("mine")
        with pytest.raises(VftError, match="already exists"):
            fit(small_recipe(images, convnext), tmp_path)
        assert (tmp_path / theirs / "photo.jpg").is_file()

    def test_a_finished_run_is_not_overwritten(
        self, whole: Path, images: Path, convnext: Path, tmp_path: Path
    ):
        with pytest.raises(RunError, match="there is a run already"):
            fit(small_recipe(images, convnext), whole)
        copy = shutil.copytree(whole, tmp_path / "copy")
        fit(small_recipe(images, convnext), copy, resume=True)
        assert same_answers(copy, whole)


@pytest.mark.parametrize(("writes", "way"), [(0, "begin again"), (1, "add --resume")])
def test_a_full_disk_is_one_line_that_says_how_to_go_on(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int, way: str
) -> None:
    recipe, out = small_recipe(images, "scratch:resnet-mini"), tmp_path / "run"

    def reached(*_: Any, **__: Any) -> None:
        raise LookupError("the training begins")

    monkeypatch.setattr(hf_vft.workflows.fit, "choose_and_train", reached)
    with monkeypatch.context() as patched:
        sound, done = os.fsync, []

        def fsync(file: int) -> None:
            if (out / "state").is_dir():
                if len(done) == writes:
                    raise OSError(errno.ENOSPC, "No space left on device")
                done.append(file)
            sound(file)

        patched.setattr("hf_vft.run.os.fsync", fsync)
        with pytest.raises(
            RunError, match=rf"the disk is full\. Make room on it, then {way}"
        ) as told:
            fit(recipe, out)
    assert "\n" not in str(told.value)
    assert not list(out.rglob("*.tmp"))
    with pytest.raises(LookupError, match="the training begins"):
        fit(recipe if writes == 0 else None, out, resume=writes > 0)


def test_another_error_stays_what_it_is(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(hf_vft.workflows.fit, "choose_and_train", denied)
    with pytest.raises(PermissionError):
        fit(small_recipe(images, "scratch:resnet-mini"), tmp_path / "run")


def test_a_handful_of_images_a_class_gets_the_best_of_several_heads(few_shot: Path) -> None:
    """By itself, since so few images are there; the model is an ordinary one."""
    run = RunDirectory.open(few_shot)
    choices = {choice["name"]: choice for choice in run.read_json(run.choices_file)}
    assert choices["probe.head"]["value"] == "few_shot"
    assert "training images a class" in choices["probe.head"]["reason"]
    head = choices["head"]["value"]
    assert head != "nearest neighbours"
    assert run.read_json(run.summary_file)["delivered"] == f"the {head}"
    rows = {row["name"]: row for row in run.read_json(run.leaderboard_file)["rows"]}
    assert {"delivered model", "linear probe", "head: prototypes"} <= rows.keys()
    assert run.recipe().stages == []
    model = AutoModelForImageClassification.from_pretrained(run.model)
    predictor = Predictor(run)
    image = Image.new("RGB", (40, 40), (90, 120, 60))
    inputs = AutoImageProcessor.from_pretrained(run.model)(image, return_tensors="pt")
    with torch.inference_mode():
        plain = model(**inputs).logits.numpy()
    np.testing.assert_allclose(plain, predictor.logits([image]), atol=1e-5)
