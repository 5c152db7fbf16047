"""The story of a training, an epoch a line, and what is wrong with it in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from hf_vft.evaluation.metrics import lower_is_better

Record = dict[str, Any]

TIMING = ("_runtime", "_per_second", "_preparation_time")
"""Endings of what the Trainer measures besides; a training run twice has one story."""


def epoch_records(log_history: Sequence[Mapping[str, Any]], stage: str) -> list[Record]:
    """Merge the Trainer's log into one record per epoch."""
    records: dict[float, Record] = {}
    for entry in log_history:
        if "epoch" not in entry or "train_runtime" in entry:
            continue
        record = records.setdefault(
            entry["epoch"], {"stage": stage, "epoch": entry["epoch"], "step": entry["step"]}
        )
        if "loss" in entry:
            record["train_loss"] = entry["loss"]
        if "learning_rate" in entry:
            record["learning_rate"] = entry["learning_rate"]
        record |= scores(entry)
    return [records[epoch] for epoch in sorted(records)]


def scores(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The scores in the metrics of an evaluation."""
    return {
        key: value
        for key, value in measured.items()
        if key.startswith("eval_") and not key.endswith(TIMING)
    }


def best_record(records: Sequence[Record], metric: str) -> Record | None:
    """The record with the best validation score; the first of equals, as the Trainer has it."""
    key, sign = f"eval_{metric}", -1.0 if lower_is_better(metric) else 1.0
    scored = [record for record in records if math.isfinite(record.get(key, math.nan))]
    return max(scored, key=lambda record: sign * record[key], default=None)


def finite(record: Record) -> Record:
    """Drop scores that are not finite."""
    return {
        key: value
        for key, value in record.items()
        if not isinstance(value, float) or math.isfinite(value)
    }


def ran_out_of_patience(records: Sequence[Record], metric: str, patience: int | None) -> bool:
    """Whether the last ``patience`` epochs brought nothing better."""
    best = best_record(records, metric)
    if patience is None or best is None:
        return False
    later = [r for r in records if r["epoch"] > best["epoch"] and f"eval_{metric}" in r]
    return len(later) >= patience


def warnings_about(
    records: Sequence[Record], *, train: str, metric: str, ended: bool = True
) -> dict[str, str]:
    """The classic mistakes that can be read off the curves of one stage.

    Args:
        records: Of one stage, in order.
        train: What the stage trained.
        metric: The score that chooses the weights.
        ended: Whether the stage is over; some can only be told then.

    Returns:
        The mistake and a sentence about it for people; empty when all is well.
    """
    losses = [r["train_loss"] for r in records if "train_loss" in r]
    evals = [r["eval_loss"] for r in records if "eval_loss" in r]
    if not all(map(math.isfinite, [*losses, *evals])):
        return {
            "no number": "The loss is not a number any more: the learning rate is too high; try a "
            "tenth of it. The stage was stopped, and its best weights are kept."
        }
    warnings = {
        "diverging": _diverging(losses),
        "oscillating": _oscillating(losses),
        "overfitting": _overfitting(losses, evals),
        "unfinished head": _unfinished_head(records, metric) if train == "head" and ended else None,
    }
    return {mistake: sentence for mistake, sentence in warnings.items() if sentence}


def _diverging(losses: Sequence[float]) -> str | None:
    if len(losses) >= 3 and losses[-1] > 1.5 * min(losses) and losses[-1] > losses[0]:
        return (
            f"The training loss rose from {losses[0]:.2f} to {losses[-1]:.2f}: the learning rate "
            "is too high; try a third of it."
        )
    return None


def _oscillating(losses: Sequence[float]) -> str | None:
    """More ups than downs, each of them large: the steps jump over the valley."""
    steps = [b - a for a, b in pairwise(losses)]
    jumps = [step for step in steps if step > 0.1 * max(losses)] if losses else []
    if len(steps) >= 4 and len(jumps) >= len(steps) / 2:
        return (
            "The training loss oscillates from epoch to epoch: the learning rate is too high, or "
            "the batch too small."
        )
    return None


def _overfitting(losses: Sequence[float], evals: Sequence[float]) -> str | None:
    """Validation loss well above its minimum, while the training loss went on falling."""
    if len(evals) < 4 or len(losses) != len(evals):
        return None
    lowest = evals.index(min(evals))
    after = len(evals) - 1 - lowest
    if after >= 3 and evals[-1] > 1.15 * evals[lowest] and losses[-1] < 0.9 * losses[lowest]:
        return (
            f"Overfitting since epoch {lowest + 1}: the training loss falls while the validation "
            "loss rises. More augmentation, more weight decay or fewer epochs would help; the "
            "weights of the best epoch are kept."
        )
    return None


def _unfinished_head(records: Sequence[Record], metric: str) -> str | None:
    key = f"eval_{metric}"
    scores = [r[key] for r in records if key in r]
    if lower_is_better(metric) or len(scores) < 3:
        return None
    gain = scores[-1] - scores[-2]
    if scores[-1] == max(scores) and gain > 0.02:
        return (
            f"The head was still improving when its stage ended (+{gain:.3f} in the last epoch): "
            "give it more epochs before unfreezing."
        )
    return None
