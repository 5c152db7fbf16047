"""Alarms: classes that are called from a threshold on which `hf-vft threshold` chose by cost.

An alarm stands beside the answer and does not change it: the scores of the report and what the
monitor compares are those of the model's own answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from hf_vft.errors import RunError
from hf_vft.evaluation.costs import CostChoice
from hf_vft.run import RunDirectory, write_json
from hf_vft.utils.frozen import Frozen


class AlarmFile(Frozen):
    """The content of ``alarms.json``: thresholds that were chosen by cost and kept."""

    model_hash: str = Field(description="Of the weights whose scores they are for.")
    chosen: dict[str, CostChoice] = Field(description="By class.")


@dataclass(frozen=True)
class Alarm:
    """A class whose score reaches its threshold.

    Attributes:
        label: The class.
        score: Calibrated.
        threshold: From which score on there is an alarm.
        miss: Cost of a miss.
        false_alarm: Cost of a false alarm, in the same unit.
    """

    label: str
    score: float
    threshold: float
    miss: float
    false_alarm: float

    @property
    def reason(self) -> str:
        """Which threshold, and why that one, in a sentence."""
        return (
            f"{self.label} scores {self.score:.3g}, an alarm from {self.threshold:.3g} on: a miss "
            f"costs {self.miss:g} and a false alarm {self.false_alarm:g}."
        )

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "label": self.label,
            "score": round(self.score, 6),
            "threshold": round(self.threshold, 6),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Alarms:
    """The thresholds of a run that were chosen by cost; mostly there are none.

    Attributes:
        chosen: By class.
    """

    chosen: Mapping[str, CostChoice]

    @classmethod
    def of(cls, run: RunDirectory) -> Alarms:
        """Those that were kept.

        Raises:
            RunError: If they were chosen for other weights than those that are there now.
        """
        if not run.alarms_file.is_file():
            return cls({})
        kept = run.read_as(AlarmFile, run.alarms_file)
        if kept.chosen and kept.model_hash != run.model_hash():
            raise RunError(
                f"{run.alarms_file}: its thresholds were chosen for other weights; choose them "
                "again with `hf-vft threshold --keep`, or remove the file."
            )
        return cls(kept.chosen)

    def __bool__(self) -> bool:
        return bool(self.chosen)

    @property
    def rules(self) -> str:
        """All of them in a line, as the log has it."""
        return "; ".join(
            f"{label} from {choice.threshold:.4g} on (miss {choice.miss:g}, "
            f"false alarm {choice.false_alarm:g})"
            for label, choice in self.chosen.items()
        )

    def raised(self, scores: np.ndarray, names: Sequence[str]) -> tuple[Alarm, ...]:
        """Alarms of one image, the one furthest above its threshold first.

        Args:
            scores: Calibrated, ``[C]``.
            names: The C classes.
        """
        if not self:
            return ()
        by_name = dict(zip(names, scores.tolist(), strict=True))
        found = [
            Alarm(label, by_name[label], choice.threshold, choice.miss, choice.false_alarm)
            for label, choice in self.chosen.items()
            if by_name[label] >= choice.threshold
        ]
        return tuple(sorted(found, key=lambda alarm: alarm.threshold - alarm.score))

    def doubt(self, scores: np.ndarray, names: Sequence[str], answer: str) -> str:
        """Why the thresholds do not agree with the class that is answered; empty if they do.

        Args:
            scores: Calibrated, ``[C]``.
            names: The C classes.
            answer: One of them.
        """
        raised = self.raised(scores, names)
        others = [alarm.reason for alarm in raised if alarm.label != answer]
        own = self.chosen.get(answer)
        if own is not None and answer not in (alarm.label for alarm in raised):
            score = float(scores[list(names).index(answer)])
            others.append(
                f"{answer} scores {score:.3g}, below the {own.threshold:.3g} of an alarm: "
                f"a miss costs {own.miss:g} and a false alarm {own.false_alarm:g}."
            )
        return " ".join(others)

    def columns(self, scores: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
        """The same as columns of the production log; nothing where the run has no thresholds."""
        if not self:
            return {}
        raised = [alarm.label for alarm in self.raised(scores, names)]
        return {"alarms": raised, "alarm_rules": self.rules}


def keep_threshold(run: RunDirectory, choice: CostChoice) -> None:
    """Have `predict` and `serve` raise this alarm from now on.

    Args:
        run: Whose threshold it is.
        choice: Replaces one for the same class.
    """
    now = run.model_hash()
    kept = run.read_as(AlarmFile, run.alarms_file) if run.alarms_file.is_file() else None
    others = kept.chosen if kept is not None and kept.model_hash == now else {}
    found = AlarmFile(model_hash=now, chosen={**others, choice.label: choice})
    write_json(run.alarms_file, found.model_dump(mode="json"))


def forget_threshold(run: RunDirectory, label: str) -> None:
    """Raise no alarm for a class any more.

    Raises:
        RunError: If there is none for it.
    """
    kept = run.read_as(AlarmFile, run.alarms_file) if run.alarms_file.is_file() else None
    if kept is None or label not in kept.chosen:
        raise RunError(f"{run.path}: no threshold is kept for {label!r}.")
    left = {name: choice for name, choice in kept.chosen.items() if name != label}
    write_json(run.alarms_file, kept.model_copy(update={"chosen": left}).model_dump(mode="json"))
