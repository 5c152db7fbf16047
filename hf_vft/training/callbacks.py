"""What is seen and decided while a stage runs."""

from __future__ import annotations

from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_vft.training.history import epoch_records, ran_out_of_patience


class Display(Protocol):
    """Where progress goes; the command line draws it, a script may count it or ignore it."""

    def start(self, stage: str, total: int) -> None:
        """A part of the work with ``total`` steps begins."""

    def advance(self, done: int, note: str = "", total: int | None = None) -> None:
        """So many steps are done; ``total`` corrects how many there are."""

    def epoch(self, record: dict[str, Any]) -> None:
        """An epoch was evaluated."""

    def say(self, text: str) -> None:
        """A line for the user."""

    def warn(self, text: str) -> None:
        """A warning for the user."""


class Silent:
    """Shows nothing."""

    def start(self, stage: str, total: int) -> None:
        """Nothing."""

    def advance(self, done: int, note: str = "", total: int | None = None) -> None:
        """Nothing."""

    def epoch(self, record: dict[str, Any]) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""


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
        **kwargs: Any,
    ) -> None:
        """Stop when patience has run out."""
        records = epoch_records(state.log_history, "")
        if ran_out_of_patience(records, self.metric, self.patience):
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
        **kwargs: Any,
    ) -> None:
        """A stage begins, or goes on."""
        if state.is_world_process_zero:
            self.display.start(self.stage, state.max_steps)
            self.display.advance(state.global_step)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """A step is done."""
        if state.is_world_process_zero:
            note = f"epoch {(state.epoch or 0):.1f}/{state.num_train_epochs:g}"
            self.display.advance(state.global_step, note)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """An epoch was evaluated."""
        records = epoch_records(state.log_history, self.stage)
        if state.is_world_process_zero and records:
            self.display.epoch(records[-1])
