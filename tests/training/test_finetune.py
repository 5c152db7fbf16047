"""What is refused before anything is trained, and what is said of a head stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hf_vft.errors import ModelError
from hf_vft.models.backbones import choose_checkpoint
from hf_vft.models.load import load_model
from hf_vft.tasks import ImageClassification
from hf_vft.training.finetune import FineTuning
from hf_vft.workflows.fit import fit
from tests.runs import small_recipe
from tests.training.test_stages import context, stage


def tuning(checkpoint: Path, folder: Path, size: int = 32, **changes: Any) -> FineTuning:
    task = ImageClassification()
    chosen = choose_checkpoint([str(checkpoint)])
    loaded = load_model(chosen, task.auto_class, labels=["a", "b"], image_size=size, seed=0)
    options = {"image.size": size, **changes}
    shared = context(folder, **{name.replace(".", "__"): v for name, v in options.items()})
    return FineTuning(shared, loaded, data=None)  # type: ignore[arg-type]


LORA = {"model.lora": {"r": 4}}


def test_an_adapter_that_would_not_load_on_the_plain_checkpoint_is_refused(
    vit: Path, convnext: Path, tmp_path: Path
):
    with pytest.raises(ModelError, match=r"model\.lora with image\.size=64: .* refitted"):
        tuning(vit, tmp_path, size=64, **LORA)
    tuning(vit, tmp_path, size=64)
    tuning(vit, tmp_path, **LORA)
    tuning(convnext, tmp_path, size=64, **LORA)


def test_where_mixing_is_lost_is_known(convnext: Path, tmp_path: Path):
    mixed = {"augment.mixup_alpha": 0.2}
    head = stage(name="head", train="head")
    assert tuning(convnext, tmp_path, **mixed)._mixing_is_lost(head)
    assert not tuning(convnext, tmp_path)._mixing_is_lost(head)
    assert not tuning(convnext, tmp_path, **mixed)._mixing_is_lost(stage())
    assert not tuning(convnext, tmp_path, **mixed)._mixing_is_lost(
        stage(name="head", train="head", augment=False)
    )
    slow = mixed | {"training.cache_features": False}
    assert not tuning(convnext, tmp_path, **slow)._mixing_is_lost(head)


def test_a_run_at_an_absurd_rate_ends_with_the_weights_it_had_and_says_why(
    images: Path, convnext: Path, tmp_path: Path
):
    rate = {"epochs": 2, "learning_rate": 1e30, "keep_if_better": False}
    stages = [
        {"name": "head", "train": "head", "views": 1} | rate,
        {"name": "all", "train": "all"} | rate,
    ]
    recipe = small_recipe(images, convnext, stages=stages, augment={"strength": "medium"})
    summary = json.loads(fit(recipe, tmp_path / "run").summary_file.read_text())
    assert "not a number" in summary["warnings"]["head"][0]
    assert "not a number" in summary["warnings"]["all"][0]
    assert any("without mixup" in note for note in summary["notes"])
