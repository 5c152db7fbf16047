"""What a pre-training writes down, over all of its pieces."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_vft.run import write_text

LOG_FILE = "log.jsonl"


@dataclass(frozen=True)
class Training:
    """Figures of a training, for the card.

    Attributes:
        images: Seen, of ``planned``.
        planned: What the recipe says.
        seconds: Wall clock, over all pieces.
        device: Where the last piece ran.
        scores: The last evaluation on held-out images.
    """

    images: int
    planned: int
    seconds: float
    device: str
    scores: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The figures as a dictionary for JSON."""
        return asdict(self)


class LogFile(TrainerCallback):
    """Appends a line a logged step to ``log.jsonl``.

    A resumed training goes on in the same file; lines past its checkpoint are written anew, so
    they are dropped first.

    Args:
        folder: Of the training.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG_FILE
        self.before = 0.0

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Keep what belongs to the checkpoint that is resumed."""
        self.started = time.monotonic()
        if not state.is_world_process_zero:
            return
        rows = [row for row in self.rows() if row["step"] <= state.global_step]
        self.before = rows[-1]["seconds"] if rows else 0.0
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: object,
    ) -> None:
        """A line."""
        if not state.is_world_process_zero:
            return
        values = {key: value for key, value in (logs or {}).items() if "runtime" not in key}
        row = {"step": state.global_step, "seconds": round(self._seconds(), 1), **values}
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """All lines so far; a last one that a crash cut off is left out."""
        if not self.path.is_file():
            return []
        lines = self.path.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def summary(self, state: TrainerState, planned: int, batch_size: int) -> Training:
        """The figures of the training until now."""
        evaluations = [row for row in self.rows() if "eval_loss" in row]
        scores = evaluations[-1] if evaluations else {}
        return Training(
            images=min(state.global_step * batch_size, planned),
            planned=planned,
            seconds=self._seconds(),
            device=device_name(),
            scores={key: scores[key] for key in scores if key.startswith("eval_")},
        )

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.started


class TimeLimit(TrainerCallback):
    """Ends a piece of a training after a while, with a checkpoint.

    Args:
        seconds: How long it may train.
    """

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Save and stop once time is up."""
        if time.monotonic() >= self.end:
            control.should_save = control.should_training_stop = True


def device_name() -> str:
    """The name of the device, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} thread(s)"
