"""The average of the weights: its formula, what is evaluated, which statistics it takes along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from tests.models.tiny import tiny_convnext, tiny_resnet
from tests.training.made_trainer import make, snapshot


class Watch(TrainerCallback):
    """Keeps the weights after each step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, torch.Tensor]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps.append(snapshot(kwargs["model"]))


def test_the_average_is_that_of_the_formula(tmp_path: Path):
    model, watch = tiny_convnext(), Watch()
    trainer = make(model, tmp_path, ema_decay=0.5)
    trainer.add_callback(watch)
    trainer.train()
    name = "classifier.weight"
    average = watch.steps[0][name]
    for count, step in enumerate(watch.steps[1:], start=1):
        decay = min(0.5, (1 + count) / (10 + count))
        average = decay * average + (1 - decay) * step[name]
    torch.testing.assert_close(model.classifier.weight.detach(), average)
    assert not torch.equal(average, watch.steps[-1][name])


def test_it_is_what_is_evaluated_and_the_best_is_kept(tmp_path: Path):
    model = tiny_convnext()
    trainer = make(
        model,
        tmp_path,
        ema_decay=0.9,
        max_steps=-1,
        num_train_epochs=4,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="loss",
        greater_is_better=False,
    )
    trainer.train()
    during = [e["eval_loss"] for e in trainer.state.log_history if "eval_loss" in e]
    assert trainer.evaluate()["eval_loss"] == pytest.approx(min(during), rel=1e-5)


def test_statistics_are_averaged_with_the_weights(tmp_path: Path):
    model, watch = tiny_resnet(), Watch()
    trainer = make(model, tmp_path, ema_decay=0.5)
    trainer.add_callback(watch)
    trainer.train()
    name = next(name for name in watch.steps[0] if name.endswith("running_mean"))
    average = watch.steps[0][name]
    for count, step in enumerate(watch.steps[1:], start=1):
        decay = min(0.5, (1 + count) / (10 + count))
        average = decay * average + (1 - decay) * step[name]
    torch.testing.assert_close(model.state_dict()[name], average)
    assert not torch.equal(average, watch.steps[-1][name])
    tracked = name.replace("running_mean", "num_batches_tracked")
    assert model.state_dict()[tracked] == watch.steps[-1][tracked]
