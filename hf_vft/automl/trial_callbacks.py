"""One trial: a fine-tuning that reports every epoch, may be paused, and goes on from there."""

from __future__ import annotations

from collections.abc import Callable

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_vft.recipe.schema import StageConfig
from hf_vft.training.finetune import FineTuned
from hf_vft.training.history import epoch_records
from hf_vft.training.processes import from_main

Report = Callable[[int, float], bool]
"""From an epoch and its score to whether the trial is to be paused."""


class TrialPausedError(Exception):
    """A trial is in the worse half; its checkpoint is whole."""


class TrialReporter(TrainerCallback):
    """Reports each epoch of a trial once its checkpoint is whole, and pauses it there.

    Args:
        report: Told the epoch, counted over all stages, and its score; asked by the main process
            alone.
        stages: Of the trial.
        metric: What is reported, on validation.
    """

    def __init__(self, report: Report, stages: list[StageConfig], metric: str) -> None:
        self.report = report
        self.metric = metric
        ends = [0.0]
        for stage in stages:
            ends.append(ends[-1] + stage.epochs)
        self._begins = dict(zip((stage.name for stage in stages), ends, strict=False))

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Tell of an epoch, and ask whether to go on."""
        records = epoch_records(state.log_history, "")
        if not records or f"eval_{self.metric}" not in records[-1]:
            return
        name = str(args.output_dir).replace("\\", "/").rstrip("/").rpartition("/")[2]
        step = max(1, round(self._begins[name] + records[-1]["epoch"]))
        score = float(records[-1][f"eval_{self.metric}"])
        if from_main(lambda: self.report(step, score)):
            raise TrialPausedError


def reached(tuned: FineTuned, metric: str) -> float:
    """The validation score of the weights that a training has kept."""
    key = f"eval_{metric}"
    last = tuned.stages[-1]
    return float((last.best or last.start)[key])


def why_failed(error: BaseException) -> str:
    """Describe an error in one line; running out of memory is named as such."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if "out of memory" in text.lower() or "can't allocate" in text.lower():
        return f"out of memory ({text[:100]})"
    return text[:200] or type(error).__name__
