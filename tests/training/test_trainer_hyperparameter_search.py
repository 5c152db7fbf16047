"""The search of transformers itself, on a VisionTrainer: every trial is trained as it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from torch import nn
from transformers import TrainerCallback

from hf_vft import VisionTrainer, VisionTrainingArguments
from hf_vft.data.dataset import VisionDataset
from hf_vft.data.transforms.images import eval_transform
from tests.made_images import image_rows, processor
from tests.models.tiny import tiny_resnet

TRIALS: list[dict[str, Any]] = [
    {"learning_rate": 0.1, "head_learning_rate": 0.2, "ema_decay": 0.5, "mixup_alpha": 0.0},
    {"learning_rate": 0.0, "head_learning_rate": 0.0, "ema_decay": 0.0, "mixup_alpha": 5.0},
]


class Seen(TrainerCallback):
    """What a trial trained with."""

    def __init__(self) -> None:
        self.trials: list[dict[str, Any]] = []
        self.weights: list[torch.Tensor] = []

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any
    ) -> None:
        self.weights.append(next(model.parameters()).detach().clone())

    def on_step_end(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, **kwargs: Any
    ) -> None:
        rates = {group["lr"] for group in optimizer.param_groups}
        self.trials.append({"rates": rates, "ema": self.trainer.ema, "mixer": self.trainer._mixer})

    trainer: VisionTrainer


@pytest.fixture
def start() -> Callable[[], nn.Module]:
    state = {key: value.clone() for key, value in tiny_resnet().state_dict().items()}

    def init() -> nn.Module:
        model = tiny_resnet()
        model.load_state_dict(state)
        return model

    return init


def space(trial: optuna.Trial) -> dict[str, float]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.0, 0.1),
        "head_learning_rate": trial.suggest_float("head_learning_rate", 0.0, 0.2),
        "ema_decay": trial.suggest_float("ema_decay", 0.0, 0.9),
        "mixup_alpha": trial.suggest_float("mixup_alpha", 0.0, 5.0),
    }


def test_every_trial_begins_anew_with_its_own_settings(
    start: Callable[[], nn.Module], tmp_path: Path
) -> None:
    rows = VisionDataset(image_rows(9), eval_transform(processor()))
    seen = Seen()
    trainer = VisionTrainer(
        args=VisionTrainingArguments(
            output_dir=str(tmp_path),
            max_steps=1,
            per_device_train_batch_size=4,
            lr_scheduler_type="constant",
            optim="sgd",
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
            eval_strategy="no",
            save_strategy="no",
        ),
        model_init=start,
        train_dataset=rows,
        eval_dataset=rows,
        callbacks=[seen],
    )
    seen.trainer = trainer
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    best = trainer.hyperparameter_search(
        space,
        n_trials=2,
        backend="optuna",
        direction="maximize",
        compute_objective=lambda metrics: metrics["eval_f1_macro"],
        storage=_with(TRIALS, tmp_path),
        study_name="trials",
        load_if_exists=True,
    )
    first, second = seen.trials
    assert (first["rates"], second["rates"]) == ({0.1, 0.2}, {0.0})
    assert first["ema"] is not None
    assert second["ema"] is None
    assert (first["mixer"], bool(second["mixer"])) == (None, True)
    assert seen.weights[0].equal(seen.weights[1])
    assert best.run_id in {"0", "1"}
    assert best.hyperparameters in TRIALS
    assert 0.0 <= best.objective <= 1.0


def _with(trials: list[dict[str, Any]], folder: Path) -> str:
    storage = f"sqlite:///{folder / 'study.db'}"
    study = optuna.create_study(storage=storage, study_name="trials", direction="maximize")
    for params in trials:
        study.enqueue_trial(params)
    return storage
