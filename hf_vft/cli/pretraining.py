"""The progress of a pre-training on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from hf_vft.cli.display import ConsoleDisplay

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

SHOWN = {"loss": "loss", "eval_shape": "shapes", "eval_texture": "surfaces"}


class ShowProgress(TrainerCallback):
    """A bar over all steps, and a line for each evaluation.

    Args:
        display: Where they go.
    """

    def __init__(self, display: ConsoleDisplay) -> None:
        self.display = display

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Start the bar where the training stands."""
        if state.is_world_process_zero:
            self.display.start("Pre-training", state.max_steps)
            self.display.advance(state.global_step)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Move the bar."""
        if state.is_world_process_zero:
            self.display.advance(state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Say what the training or an evaluation shows."""
        logs = kwargs.get("logs") or {}
        figures = [f"{name} {logs[key]:.3f}" for key, name in SHOWN.items() if key in logs]
        if state.is_world_process_zero and figures:
            self.display.say(f"step {state.global_step:>7}   " + "   ".join(figures))
