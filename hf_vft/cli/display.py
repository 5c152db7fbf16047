"""Progress on a terminal, and plain lines where there is none."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class ConsoleDisplay:
    """A bar for what is going on, above it a line for each epoch and message.

    Goes to standard error, so that standard output holds results alone. Use it as a context
    manager.
    """

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bar = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> ConsoleDisplay:
        self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.stop()

    def start(self, stage: str, total: int) -> None:
        """Replace the bar by a new one."""
        if self._task is not None:
            self.bar.remove_task(self._task)
        self._task = self.bar.add_task(stage, total=total, note="")

    def advance(self, done: int, note: str = "", total: int | None = None) -> None:
        """Move the bar."""
        if self._task is not None:
            self.bar.update(self._task, completed=done, note=note, total=total)

    def epoch(self, record: dict[str, Any]) -> None:
        """A line with the losses and scores of an epoch."""
        shown = [f"{record['stage']:<8} epoch {record['epoch']:>5.1f}"]
        for key, name in _SHOWN.items():
            if key in record:
                shown.append(f"{name} {record[key]:.3f}")
        self.console.print("   ".join(shown), soft_wrap=True)

    def say(self, text: str) -> None:
        """A plain line."""
        self.console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line that stands out."""
        self.console.print(f"! {text}", style="yellow", markup=False, soft_wrap=True)


_SHOWN = {
    "train_loss": "train loss",
    "eval_loss": "validation loss",
    "eval_f1_macro": "F1",
    "eval_map": "mAP",
    "eval_map50": "mAP50",
    "eval_accuracy": "accuracy",
}


def quiet_libraries() -> None:
    """Leave the talking to hf-vft: libraries report errors only."""
    import transformers

    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    # datasets reads these when it is imported, which takes seconds: not every command needs it.
    os.environ["DATASETS_VERBOSITY"] = "error"
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    if datasets := sys.modules.get("datasets"):
        datasets.logging.set_verbosity_error()
        datasets.disable_progress_bars()
    warnings.filterwarnings("ignore", module=r"torch|transformers|accelerate|multiprocess")
