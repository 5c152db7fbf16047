"""What is seen and decided while a stage runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_vft.training.ema import WeightAverage
from hf_vft.training.history import Record, epoch_records, ran_out_of_patience, warnings_about
from hf_vft.utils.progress import Display


class Patience(TrainerCallback):
    """Ends a stage when validation has brought nothing better for some epochs.

    Unlike ``EarlyStoppingCallback`` it reads the Trainer's log and keeps nothing of its own,
    so that a resumed stage stops exactly where the whole one would have.
    """

    def __init__(self, metric: str, patience: int) -> None:
        self.metric = metric
        self.patience = patience

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Stop when patience has run out."""
        records = epoch_records(state.log_history, "")
        if ran_out_of_patience(records, self.metric, self.patience):
            control.should_training_stop = True


class TrainingGuard(TrainerCallback):
    """Warns of the classic mistakes while they happen, and stops where nothing can be saved.

    Args:
        display: Told each mistake once.
        stage: Its name.
        train: What it trains.
        metric: The score that chooses its weights.
    """

    def __init__(self, display: Display, stage: str, train: str, metric: str) -> None:
        self.display = display
        self.stage = stage
        self.train = train
        self.metric = metric
        self._told: set[str] = set()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: object,
    ) -> None:
        """Stop at a loss that is no number: the weights are lost, so they are not kept either."""
        losses = [value for key, value in (logs or {}).items() if key in ("loss", "eval_loss")]
        if not all(map(math.isfinite, losses)):
            control.should_training_stop = True
            control.should_evaluate = control.should_save = False
        if losses and state.is_world_process_zero:
            self.tell(epoch_records(state.log_history, self.stage), ended=False)

    def tell(self, records: list[Record], *, ended: bool = True) -> list[str]:
        """Say what has not been said yet; all sentences are given back."""
        warnings = warnings_about(records, train=self.train, metric=self.metric, ended=ended)
        for mistake, sentence in warnings.items():
            if mistake not in self._told:
                self.display.warn(f"Stage {self.stage}: {sentence}")
        self._told |= warnings.keys()
        return list(warnings.values())


class Deadline(TrainerCallback):
    """Ends a stage at the next step once time is up; what it reached is evaluated and kept.

    Args:
        over: Whether time is up; the same answer in every process.
    """

    def __init__(self, over: Callable[[], bool]) -> None:
        self.over = over

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Stop the training when time is up."""
        if self.over():
            control.should_training_stop = True


class Progress(TrainerCallback):
    """Feeds a display, from the main process only."""

    def __init__(self, display: Display, stage: str) -> None:
        self.display = display
        self.stage = stage
        self._loss: float | None = None

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Start the progress bar where the stage begins or resumes."""
        if state.is_world_process_zero:
            self.display.start(self.stage, state.max_steps)
            self.display.advance(state.global_step)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """A step is done; the loss is that of the last epoch."""
        if state.is_world_process_zero:
            note = f"epoch {(state.epoch or 0):.1f}/{state.num_train_epochs:g}"
            if self._loss is not None:
                note += f", loss {self._loss:.3f}"
            self.display.advance(state.global_step, note)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: object,
    ) -> None:
        """Remember the latest training loss."""
        self._loss = (logs or {}).get("loss", self._loss)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Show the scores of an epoch."""
        records = epoch_records(state.log_history, self.stage)
        if state.is_world_process_zero and records:
            self.display.epoch(records[-1])


class _Averaging(Protocol):
    """A Trainer that may average its weights."""

    train_dataset: Any
    ema: WeightAverage | None


class EpochHooks(TrainerCallback):
    """Tells the dataset which epoch it is, and the average that the weights moved.

    Accelerate passes the epoch on to the dataset with one process, but not with several.
    """

    def __init__(self, trainer: _Averaging) -> None:
        self.trainer = trainer

    def on_epoch_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Tell the dataset the number of the epoch."""
        dataset = self.trainer.train_dataset
        if hasattr(dataset, "set_epoch"):
            dataset.set_epoch(int(state.epoch or 0))

    def on_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Update the average of the weights."""
        if self.trainer.ema is not None:
            self.trainer.ema.update()
