"""``training.report_to``: what the Trainer reports to, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from hf_vft.errors import MissingDependencyError, RecipeError
from hf_vft.recipe.schema import Recipe, parse_recipe
from hf_vft.training.stages import _arguments
from hf_vft.training.trackers import check_trackers


def test_a_tracker_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_vft.training.trackers.is_available", lambda name: name == "mlflow")
    check_trackers([])
    check_trackers(["mlflow"])
    with pytest.raises(
        MissingDependencyError, match=r"'wandb' is not installed; pip install wandb"
    ):
        check_trackers(["mlflow", "wandb"])


def test_an_unknown_tracker_is_no_recipe() -> None:
    with pytest.raises(RecipeError, match="report_to"):
        parse_recipe({"training": {"report_to": ["tensorbored"]}})


@pytest.mark.parametrize("names", [[], ["wandb"]])
def test_the_trainer_is_told(names: list[str], tmp_path: Path) -> None:
    recipe = Recipe().replaced(
        {
            "training.report_to": names,
            "training.batch_size": 8,
            "training.eval_batch_size": 8,
            "training.num_workers": 0,
            "training.precision": "fp32",
            "training.metric": "f1_macro",
            "augment.mixup_alpha": 0.0,
            "augment.cutmix_alpha": 0.0,
            "stages.all.learning_rate": 1e-3,
            "stages.all.weight_decay": 0.0,
            "stages.all.optimizer": "adamw",
            "stages.all.layer_decay": 1.0,
            "stages.all.warmup": 0.1,
        }
    )
    logs = tmp_path / "run" / "logs"
    context = SimpleNamespace(recipe=recipe, class_weights=None, class_priors=None, logs=logs)
    found = _arguments(context, recipe.stages[0], tmp_path, images=8)  # type: ignore[arg-type]
    assert found.report_to == names
    assert found.run_name == "run/all"
