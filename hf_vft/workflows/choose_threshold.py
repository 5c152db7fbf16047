"""A threshold for one class of a run by what its errors cost."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from hf_vft.answers import answer_kind
from hf_vft.errors import RunError
from hf_vft.evaluation.alarms import forget_threshold, keep_threshold
from hf_vft.evaluation.costs import CostChoice, cost_threshold, rule_costs
from hf_vft.evaluation.intervals import Bools, units_of
from hf_vft.evaluation.results import EvalReport
from hf_vft.records.vocabulary import nearest_class
from hf_vft.run import RunDirectory

USUAL = "as answered"
LEAST = 5
"""Images of the class, and of the others, that validation has to hold."""


def choose_threshold(
    run_path: str | Path,
    label: str,
    *,
    miss: float,
    false_alarm: float = 1.0,
    keep: bool = False,
) -> CostChoice:
    """The score of a class from which on an alarm is cheapest.

    Chosen on the validation images of the run, judged on its test images; the model is not loaded.

    Args:
        run_path: A finished run with one or several labels an image.
        label: The class whose alarm it is.
        miss: Cost of an image of the class without an alarm.
        false_alarm: Cost of an alarm for any other image, in the same unit.
        keep: Have `predict` and `serve` raise this alarm from now on, beside the model's answer.

    Returns:
        The threshold, and what it costs beside the model as it answers, always and never.

    Raises:
        RunError: If a cost is not above 0, there is no such class, the run finds boxes, or
            validation holds too few images of the class.
    """
    run = RunDirectory.open(run_path)
    report = run.read_as(EvalReport, run.metrics_file)
    _check(report, label, miss, false_alarm)
    frame = run.read_table(run.predictions_file)
    place = report.labels.index(label)
    frame["score"] = [float(scores[place]) for scores in frame["probabilities"]]
    frame["there"], frame["alarm"] = (
        _holds(frame["label"], label),
        _holds(frame["predicted"], label),
    )
    validation, test = frame[frame["split"] == "validation"], frame[frame["split"] == "test"]
    held = int(validation["there"].sum())
    if min(held, len(validation) - held) < LEAST:
        raise RunError(
            f"{run.path}: validation holds {held} images of {label!r} among {len(validation)}; a "
            f"threshold needs at least {LEAST} of the class and of the others."
        )
    threshold, reason = cost_threshold(
        validation["score"].to_numpy(),
        validation["there"].to_numpy(),
        miss=miss,
        false_alarm=false_alarm,
        units=units_of(len(validation), _groups(validation)),
    )
    rules: dict[str, Bools] = {
        "threshold": test["score"].to_numpy() >= threshold,
        USUAL: test["alarm"].to_numpy(),
        "always": np.ones(len(test), bool),
        "never": np.zeros(len(test), bool),
    }
    positive = test["there"].to_numpy()
    choice = CostChoice(
        label=label,
        miss=miss,
        false_alarm=false_alarm,
        threshold=threshold,
        reason=reason,
        n=len(test),
        support=int(positive.sum()),
        rules=rule_costs(
            rules,
            positive,
            miss=miss,
            false_alarm=false_alarm,
            usual=USUAL,
            clusters=_groups(test),
        ),
    )
    if keep:
        keep_threshold(run, choice)
    return choice


def remove_threshold(run_path: str | Path, label: str) -> None:
    """Raise no alarm for a class any more.

    Raises:
        RunError: If no threshold is kept for it.
    """
    forget_threshold(RunDirectory.open(run_path), label)


def _check(report: EvalReport, label: str, miss: float, false_alarm: float) -> None:
    if answer_kind(report.task).boxes:
        raise RunError(
            "Boxes have thresholds of their own: evaluation.beta weighs what is missed "
            "against false boxes."
        )
    if answer_kind(report.task).scored:
        raise RunError("An anomaly has a threshold of its own, chosen on good validation images.")
    if not all(math.isfinite(cost) and cost > 0 for cost in (miss, false_alarm)):
        raise RunError(f"Costs {miss:g} and {false_alarm:g}: both have to be above 0.")
    if label not in report.labels:
        near, _ = nearest_class(label, report.labels)
        meant = f"; did you mean {near!r}?" if near else f"; choose of {', '.join(report.labels)}."
        raise RunError(f"There is no class {label!r}{meant}")


def _holds(column: pd.Series, label: str) -> np.ndarray:
    """One class an image, or a list of them."""
    return np.array([v == label if isinstance(v, str) else label in list(v) for v in column], bool)


def _groups(frame: pd.DataFrame) -> list[object] | None:
    return frame["group"].tolist() if "group" in frame else None
