"""One trial: a fine-tuning that reports every epoch, may be paused, and goes on from there."""

from __future__ import annotations

from typing import Any

from optuna.trial import Trial
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_vft.recipe import StageConfig
from hf_vft.training.finetune import FineTuned
from hf_vft.training.history import epoch_records
from hf_vft.training.processes import from_main


class TrialPausedError(Exception):
    """A trial is in the worse half; its checkpoint is whole."""


class Watch(TrainerCallback):
    """Reports each epoch of a trial, and pauses it after its checkpoint was written.

    Args:
        trial: Only in the main process.
        stages: Of the trial; epochs are counted over all of them.
        metric: What is reported, on validation.
    """

    def __init__(self, trial: Trial | None, stages: list[StageConfig], metric: str) -> None:
        self.trial = trial
        self.metric = metric
        ends = [0.0]
        for stage in stages:
            ends.append(ends[-1] + stage.epochs)
        self._begins = dict(zip((stage.name for stage in stages), ends, strict=False))
        self._pause = False

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Tell the study of an epoch, and ask it."""
        records = epoch_records(state.log_history, "")
        if not state.global_step or not records:
            return
        name = str(args.output_dir).replace("\\", "/").rstrip("/").rpartition("/")[2]
        step = max(1, round(self._begins[name] + records[-1]["epoch"]))
        score = float(records[-1][f"eval_{self.metric}"])
        self._pause = from_main(lambda: self._told(step, score))

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Pause, now that the checkpoint is whole."""
        if self._pause:
            raise TrialPausedError

    def _told(self, step: int, score: float) -> bool:
        if self.trial is None:
            return False
        study = self.trial.study
        known = study.get_trials(deepcopy=False)[self.trial.number].intermediate_values
        if step in known:
            return False
        self.trial.report(score, step)
        return bool(self.trial.should_prune())


def reached(tuned: FineTuned, metric: str) -> float:
    """The validation score of the weights that a training has kept."""
    key = f"eval_{metric}"
    last = tuned.stages[-1]
    return float((last.best or last.start)[key])


def why_failed(error: BaseException) -> str:
    """In one line; out of memory is called by its name."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if "out of memory" in text.lower() or "can't allocate" in text.lower():
        return f"out of memory ({text[:100]})"
    return text[:200] or type(error).__name__
