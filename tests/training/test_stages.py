"""A stage: one optimizer, one train(), the best weights; and on again after a stop."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import TrainerCallback

from hf_vft.data.dataset import VisionDataset
from hf_vft.data.transforms.images import STRENGTHS, eval_transform
from hf_vft.errors import RecipeError
from hf_vft.recipe.schema import Recipe, StageConfig, parse_recipe
from hf_vft.tasks import ImageClassification
from hf_vft.training.predict import predict_split
from hf_vft.training.processes import join_processes
from hf_vft.training.stages import StageContext, StageResult, per_process, run_stage
from hf_vft.training.training_arguments import VisionTrainingArguments
from hf_vft.utils.progress import Silent
from tests.made_images import image_rows, processor
from tests.models.tiny import tiny_convnext, tiny_resnet
from tests.runs import RECIPE


def context(folder: Path, *callbacks: TrainerCallback, **changes: Any) -> StageContext:
    join_processes()
    still = {"strength": "none", **STRENGTHS["none"]}
    recipe: Recipe = parse_recipe({**RECIPE, "augment": still}).replaced(
        {
            "training.metric": "f1_macro",
            "training.num_workers": 0,
            "training.batch_size": 8,
            "training.channels_last": False,
            "model.batch_norm_momentum": 0.1,
            **{name.replace("__", "."): value for name, value in changes.items()},
        }
    )
    return StageContext(
        task=ImageClassification(),
        recipe=recipe,
        folder=folder / "stages",
        logs=folder / "logs",
        callbacks=list(callbacks),
    )


def stage(**changes: Any) -> StageConfig:
    options = {"name": "all", "train": "all", "epochs": 2, "learning_rate": 3e-3}
    return StageConfig(**(options | changes))


def data(count: int) -> VisionDataset:
    return VisionDataset(image_rows(count), eval_transform(processor()))


def run(
    folder: Path, *callbacks: TrainerCallback, model: nn.Module | None = None, **changes: Any
) -> tuple[StageResult, nn.Module]:
    fields = StageConfig.model_fields
    ours = {name: value for name, value in changes.items() if name in fields}
    theirs = {name: value for name, value in changes.items() if name not in fields}
    model = model or tiny_convnext()
    found = run_stage(
        context(folder, *callbacks, **theirs), stage(**ours), model, data(26), data(10)
    )
    return found, model


def logits(model: nn.Module) -> np.ndarray:
    recipe = Recipe.model_validate({"training": {"eval_batch_size": 4, "num_workers": 0}})
    return np.asarray(predict_split(model, data(10), ImageClassification(), recipe))


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgd", "learning_rate": 0.05},
        {"scheduler": "plateau"},
        {"scheduler": "plateau", "training__metric": "loss"},
        {"scheduler": "linear", "warmup": 0.3},
        {"scheduler": "constant_with_warmup", "warmup": 0.3},
        {"training__precision": "bf16"},
        {"training__ema_decay": 0.9},
        {"training__max_grad_norm": 0.0},
        {"epochs": 1.5},
    ],
    ids=str,
)
def test_every_way_to_train_learns(changes: dict[str, Any], tmp_path: Path):
    options = {"epochs": 4, "keep_if_better": False} | changes
    result, _ = run(tmp_path, **options)
    first, last = result.history[0]["train_loss"], result.history[-1]["train_loss"]
    assert last < first
    assert len(result.history) == int(np.ceil(options["epochs"]))


def test_the_rate_falls_where_validation_stands_still(tmp_path: Path):
    options = {"scheduler": "plateau", "learning_rate": 1e-6, "epochs": 6}
    result, _ = run(tmp_path, **options)
    rates = [record["learning_rate"] for record in result.history]
    assert rates[0] == 1e-6
    assert rates[-1] == pytest.approx(0.3e-6)


@pytest.mark.slow
def test_it_can_be_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    traced = partial(VisionTrainingArguments, torch_compile_backend="aot_eager")
    monkeypatch.setattr("hf_vft.training.stages.VisionTrainingArguments", traced)
    result, _ = run(tmp_path, training__compile=True)
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]


def test_momentum_is_that_of_the_recipe(tmp_path: Path):
    ends = [
        run(tmp_path / str(m), optimizer="sgd", learning_rate=0.05, momentum=m)[0].history[-1]
        for m in (0.0, 0.9)
    ]
    assert ends[0]["train_loss"] != ends[1]["train_loss"]


class TestWhatIsKept:
    def test_the_model_ends_with_the_weights_of_the_best_epoch(self, tmp_path: Path):
        result, model = run(tmp_path, epochs=5, training__metric="loss")
        assert result.best is not None
        assert result.best["eval_loss"] == min(r["eval_loss"] for r in result.history)
        labels = torch.tensor(data(10).labels)
        found = nn.functional.cross_entropy(torch.from_numpy(logits(model)), labels)
        assert float(found) == pytest.approx(result.best["eval_loss"], rel=1e-4)

    def test_a_stage_that_did_harm_is_undone(self, tmp_path: Path):
        model = tiny_convnext()
        before = logits(model)
        result, _ = run(
            tmp_path, model=model, optimizer="sgd", learning_rate=30.0, training__metric="loss"
        )
        assert result.best is None
        assert np.array_equal(logits(model), before)
        assert result.history

    def test_which_is_said(self, tmp_path: Path):
        place = context(tmp_path, training__metric="loss")
        said: list[str] = []
        place.display = Silent()
        place.display.say = said.append  # type: ignore[method-assign]
        harmful = stage(optimizer="sgd", learning_rate=30.0, epochs=1)
        run_stage(place, harmful, tiny_convnext(), data(26), data(10))
        assert said[0].startswith("Stage all was undone: loss on validation was ")

    def test_unless_the_recipe_wants_it(self, tmp_path: Path):
        model = tiny_convnext()
        before = logits(model)
        options = {"optimizer": "sgd", "learning_rate": 30.0, "keep_if_better": False}
        result, _ = run(tmp_path, model=model, training__metric="loss", **options)
        assert result.best is not None
        assert not np.array_equal(logits(model), before)

    def test_a_finished_stage_is_read_back(self, tmp_path: Path):
        first, model = run(tmp_path)
        fresh = tiny_convnext()
        again, _ = run(tmp_path, model=fresh)
        assert again == first
        assert np.array_equal(logits(fresh), logits(model))
        assert not list((tmp_path / "stages").rglob("checkpoint-*"))

    def test_statistics_of_batch_norm_are_kept_with_a_momentum_of_zero(self, tmp_path: Path):
        model = tiny_resnet()
        before = {k: v.clone() for k, v in model.state_dict().items() if "running" in k}
        run(tmp_path, model=model, model__batch_norm_momentum=0.0, keep_if_better=False)
        assert all(model.state_dict()[name].equal(value) for name, value in before.items())


class Stop(TrainerCallback):
    """Raises in the middle of a step, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise KeyboardInterrupt


AVERAGED = {"training__ema_decay": 0.8, "training__metric": "loss"}
PLATEAU = {"scheduler": "plateau", "optimizer": "sgd", "learning_rate": 0.05}
PATIENT = {"patience": 1, "training__metric": "loss", "learning_rate": 0.03}
MIXED = {"training__precision": "bf16", "augment__mixup_alpha": 0.3}
BALANCED = {"loss__sampling": "balanced"}


@pytest.mark.parametrize(
    ("step", "changes"),
    [(2, {}), (2, MIXED), (8, MIXED), (8, AVERAGED), (8, PLATEAU), (8, PATIENT), (8, BALANCED)],
    ids=str,
)
def test_a_stopped_stage_goes_on_to_the_same_end(
    step: int, changes: dict[str, Any], tmp_path: Path
):
    options = {"epochs": 4, **changes}
    whole, model = run(tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", Stop(step), **options)
    resumed, other = run(tmp_path / "stopped", **options)
    assert resumed.model_dump(exclude={"seconds"}) == whole.model_dump(exclude={"seconds"})
    for name, value in model.state_dict().items():
        assert value.equal(other.state_dict()[name]), name


def test_patience_ends_a_stage(tmp_path: Path):
    result, _ = run(tmp_path, epochs=20, patience=2, learning_rate=1e-9)
    assert len(result.history) == 3


def test_curves_are_logged_for_tensorboard(tmp_path: Path):
    run(tmp_path)
    assert list((tmp_path / "logs" / "all").glob("events.*"))


def test_a_result_is_plain_json(tmp_path: Path):
    result, _ = run(tmp_path)
    written = json.loads((tmp_path / "stages" / "all" / "result.json").read_text())
    assert StageResult.model_validate(written) == result


class Heard(Silent):
    """Keeps what was warned of, and after how many epochs."""

    def __init__(self) -> None:
        self.epochs = 0
        self.warnings: list[tuple[int, str]] = []

    def epoch(self, record: dict[str, Any]) -> None:
        self.epochs += 1

    def warn(self, text: str) -> None:
        self.warnings.append((self.epochs, text))


@pytest.mark.parametrize("keep", [True, False])
def test_a_stage_that_diverges_stops_says_so_and_keeps_its_best_weights(keep: bool, tmp_path: Path):
    model = tiny_convnext()
    before = logits(model)
    shared = context(tmp_path, training__metric="loss")
    shared.display = heard = Heard()
    options = {"learning_rate": 1e30, "epochs": 9, "keep_if_better": keep, "optimizer": "sgd"}
    result = run_stage(shared, stage(**options), model, data(26), data(10))
    assert len(result.history) < 9
    assert np.array_equal(logits(model), before)
    assert len(heard.warnings) == 1
    assert "tenth of it" in heard.warnings[0][1]
    assert result.warnings == [heard.warnings[0][1].removeprefix("Stage all: ")]
    written = (tmp_path / "stages" / "all" / "result.json").read_text()
    assert StageResult.model_validate_json(written) == result


def test_a_warning_comes_while_the_stage_runs_and_once(tmp_path: Path):
    shared = context(tmp_path)
    shared.display = heard = Heard()
    options = {"learning_rate": 2.0, "epochs": 6, "scheduler": "constant", "optimizer": "sgd"}
    run_stage(shared, stage(**options), tiny_convnext(), data(26), data(10))
    assert heard.warnings
    assert heard.warnings[0][0] < 5
    assert len({text.partition(" from ")[0] for _, text in heard.warnings}) == len(heard.warnings)


def test_batches_that_do_not_divide_are_refused():
    assert per_process(12, 3) == 4
    with pytest.raises(RecipeError, match=r"12 does not divide over 5 processes.* 10 or 15"):
        per_process(12, 5)
    with pytest.raises(RecipeError, match="to 4 or 8"):
        per_process(3, 4)
    with pytest.raises(RecipeError, match=r"set training\.eval_batch_size to"):
        per_process(3, 4, "training.eval_batch_size")
