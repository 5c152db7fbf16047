"""What is decided is decided once: a backbone is read once in a search, a tuning built once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from hf_vft.automl.environment import gather_facts
from hf_vft.automl.prepare import KeptBackbone, Prepared, RunContext, TrainingHooks, prepare
from hf_vft.automl.resolve import resolve
from hf_vft.automl.search import open_search, run_here
from hf_vft.automl.time_budget import Clock
from hf_vft.data.demo.images import write_demo_images
from hf_vft.data.load import load_data
from hf_vft.models import load
from hf_vft.models.load import choose_checkpoint
from hf_vft.recipe.schema import Recipe
from hf_vft.tasks import get_task
from hf_vft.training.finetune import FineTuning
from hf_vft.utils.progress import Silent
from tests.runs import small_recipe


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo_images(tmp_path_factory.mktemp("few") / "line", n=36, size=32)


@pytest.fixture
def ready(few: Path, resnet: Path, tmp_path: Path) -> tuple[Recipe, RunContext]:
    stages = [{"name": "all", "train": "all", "epochs": 1, "learning_rate": 1e-3}]
    recipe = small_recipe(
        few,
        resnet,
        stages=stages,
        search__trials=1,
        search__soup=False,
        evaluation__bootstrap=5,
        training__metric="f1_macro",
        loss__name="cross_entropy",
        task="image-classification",
    )
    data = load_data(few, recipe.data, seed=0)
    facts = gather_facts(data)
    recipe, _ = resolve(recipe, facts)
    task = get_task("image-classification")
    return recipe, RunContext(task, data, facts, tmp_path / "state", tmp_path / "logs", Silent())


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of checkpoints whose weights were read from their files."""
    names: list[str] = []
    weights_of = load.weights_of

    def counted(checkpoint: Any, *args: Any) -> Any:
        names.append(checkpoint.name)
        return weights_of(checkpoint, *args)

    monkeypatch.setattr(load, "weights_of", counted)
    return names


def test_the_best_backbone_is_read_once_in_a_search(
    ready: tuple[Recipe, RunContext], reads: list[str], tmp_path: Path
) -> None:
    recipe, place = ready
    clock = Clock(None, tmp_path / "clock.json", time.monotonic())
    kept: list[Prepared] = []
    turns: list[int] = []

    def counting(search: Any) -> None:
        run_here(search)
        turns.append(len(search.shared.mine()))

    search = open_search(
        recipe,
        place,
        clock,
        keep=lambda prepared, _: kept.append(prepared),
        rehearse=lambda *_: None,
        backend=counting,
    )
    result = search.run()
    assert turns == [1]
    assert len(kept) == 2  # the probe, and the trial: each trained a copy of its own
    assert kept[0].loaded.model is not kept[1].loaded.model
    assert result.tuned.stages
    assert len(reads) == 1


def test_a_kept_backbone_is_what_loading_it_again_would_give(
    ready: tuple[Recipe, RunContext], reads: list[str]
) -> None:
    recipe, place = ready
    checkpoint = choose_checkpoint(recipe.model.candidates)
    first = prepare(recipe, place, checkpoint)
    kept = KeptBackbone(first, place)
    with torch.no_grad():
        next(first.loaded.model.parameters()).zero_()  # training goes on with the first
    again, copied = (
        prepare(first.recipe, place, checkpoint, kept=backbone) for backbone in (None, kept)
    )
    assert len(reads) == 2
    states = [made.loaded.model.state_dict() for made in (again, copied)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert again.loaded.processor.to_dict() == copied.loaded.processor.to_dict()
    assert again.choices == copied.choices
    other = prepare(
        first.recipe.replaced({"model.batch_norm_momentum": 0.2}), place, checkpoint, kept=kept
    )
    assert len(reads) == 3
    assert other.loaded.model is not copied.loaded.model


def test_flips_are_decided_before_the_one_tuning_is_built(
    ready: tuple[Recipe, RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, place = ready
    built: list[Any] = []
    create = FineTuning.__init__
    monkeypatch.setattr(
        FineTuning, "__init__", lambda self, *args: (built.append(self), create(self, *args))[1]
    )
    recipe = recipe.replaced({"augment.horizontal_flip": "auto", "image.fit": "auto"})
    ended = TrainingHooks(Silent(), over=lambda: True)
    prepared = prepare(recipe, place, choose_checkpoint(recipe.model.candidates), hooks=ended)
    assert {"augment.horizontal_flip", "image.fit"} <= {c.name for c in prepared.choices}
    assert built == [prepared.tuning]
    assert prepared.tuning.context.over is ended.over
    assert place.display is not prepared.tuning.context.display
