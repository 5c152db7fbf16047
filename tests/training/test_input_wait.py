"""Waiting for images is measured, and said once with the field to set."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import TrainerControl, TrainerState

from hf_vft.training import input_wait as module
from hf_vft.training.input_wait import MEASURED, SKIPPED, InputWait, TellInputWait, wait_sentence
from hf_vft.training.trainer import VisionTrainer
from hf_vft.training.training_arguments import VisionTrainingArguments
from hf_vft.utils.progress import Silent
from tests.models.tiny import ALL


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that moves where it is told to."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(module.time, "perf_counter", lambda: now.seconds)
    return now


def steps(clock: SimpleNamespace, *, fetch: float, compute: float, count: int) -> InputWait:
    wait = InputWait(torch.device("cpu"))
    for _ in range(count):
        with wait.fetching():
            clock.seconds += fetch
        clock.seconds += compute
    return wait


def test_the_share_is_that_of_the_fetches(clock: SimpleNamespace) -> None:
    enough = SKIPPED + MEASURED + 1
    assert steps(clock, fetch=1.0, compute=3.0, count=enough).share == pytest.approx(0.25)
    assert steps(clock, fetch=1.0, compute=3.0, count=enough + 50).share == pytest.approx(0.25)
    assert steps(clock, fetch=1.0, compute=3.0, count=enough - 1).share is None


class Told(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.mark.parametrize(
    ("share", "workers", "device", "said"),
    [(0.4, 0, "cuda", 1), (0.4, 2, "cpu", 1), (0.4, 0, "cpu", 0), (0.09, 2, "cuda", 0)],
)
def test_it_is_said_once_where_a_device_does_wait(
    share: float, workers: int, device: str, said: int
) -> None:
    display = Told()
    wait: Any = SimpleNamespace(share=None)
    callback = TellInputWait(wait, display, processes=1)
    args: Any = SimpleNamespace(dataloader_num_workers=workers, device=SimpleNamespace(type=device))
    state = TrainerState(is_world_process_zero=True)
    callback.on_step_end(args, state, TrainerControl())
    assert not display.warnings
    wait.share = share
    for _ in range(3):
        callback.on_step_end(args, state, TrainerControl())
    assert len(display.warnings) == said


def test_the_sentence_names_the_field() -> None:
    assert wait_sentence(0.413, 2, 16) == (
        "The device waits for images 41% of the time: set training.num_workers to 16 (now 2)."
    )
    assert "augment.strength" in wait_sentence(0.4, 16, 16)
    assert "each of 1 core:" in wait_sentence(0.4, 1, 1)


class Slow(torch.utils.data.Dataset[dict[str, Any]]):
    """Images that take longer to come than to learn from."""

    def __len__(self) -> int:
        return SKIPPED + MEASURED + 3

    def __getitem__(self, index: int) -> dict[str, Any]:
        time.sleep(0.01)
        return {"pixel_values": torch.zeros(3, 32, 32), "labels": index % 2}


def test_the_trainer_measures_it(tmp_path) -> None:
    args = VisionTrainingArguments(
        str(tmp_path), per_device_train_batch_size=1, num_train_epochs=1, report_to=[],
        disable_tqdm=True, save_strategy="no", use_cpu=True,
    )  # fmt: skip
    trainer = VisionTrainer(ALL["resnet"](), args, train_dataset=Slow())
    trainer.train()
    assert trainer.input_wait.share is not None
    assert 0 < trainer.input_wait.share < 1
