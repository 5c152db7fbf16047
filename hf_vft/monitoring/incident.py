"""What whoever is on call has to know: since when, for whom, and how right the model was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from hf_vft.evaluation.multiplicity import holm
from hf_vft.monitoring.causes import signal
from hf_vft.monitoring.change_point import find_change
from hf_vft.monitoring.estimated_accuracy import MAX_SPREAD, MIN_ROWS, estimate_accuracy
from hf_vft.monitoring.explanation import Affected, Cause, Since, Stretch

STRETCHES = 14
"""Points of the curve over time, at most."""

LEAST_STRETCH = 40
LEAST_LABELS = 20
LEAST_GROUP = 30
MOST_GROUPS = 4


def find_since(
    causes: Sequence[Cause], frame: pd.DataFrame, *, everywhere: bool, seed: int = 0
) -> Since:
    """The onset of the likeliest cause, by its own signal; else that of worse answers.

    Args:
        causes: The likeliest first.
        frame: All comparable rows in the order of time.
        everywhere: Whether every window shows the change, the oldest too.
        seed: Of `find_change`.
    """
    for name, values in _signals(causes, frame):
        present = values.notna().to_numpy()
        change = find_change(values.to_numpy(dtype=float)[present], seed=seed)
        if change is None:
            continue
        times = frame["ts_utc"][present].reset_index(drop=True)
        at, low, high = (
            times.iloc[place].to_pydatetime() for place in (change.place, change.low, change.high)
        )
        return Since(
            at=at,
            earliest=low,
            latest=high,
            by=name,
            sentence=f"Since {day(at)} (95 % interval {span(low, high)}).",
        )
    if everywhere and len(frame):
        first = frame["ts_utc"].iloc[0].to_pydatetime()
        return Since(at=None, sentence=f"It was so from the first image on, {day(first)}.")
    return Since(at=None, sentence="When it began cannot be told from these images.")


def _signals(causes: Sequence[Cause], frame: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    signals: list[tuple[str, pd.Series]] = []
    for cause in causes:
        values = signal(cause, frame)
        if values is not None:
            name = "wrong answers" if cause.kind == "label_rule" else str(cause.column)
            signals.append((name, values))
    if "label" in frame and frame["label"].notna().any():
        wrong = (frame["predicted"] != frame["label"]).astype(float)
        signals.append(("wrong answers", wrong.where(frame["label"].notna())))
    if "confidence" in frame:
        signals.append(("confidence", frame["confidence"].astype(float)))
    return signals


def day(moment: datetime) -> str:
    """A moment in words: 8 April 2026, 06:00."""
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def span(low: datetime, high: datetime) -> str:
    """A span of time, in as few words as are clear."""
    if low.date() == high.date():
        return f"{low.day} {low:%B %Y}, {low:%H:%M} to {high:%H:%M}"
    return f"{low.day} {low:%B, %H:%M} to {high.day} {high:%B, %H:%M}"


def find_affected(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[str], *, alpha: float = 0.05
) -> list[Affected]:
    """Groups that are served worse than at training, the worst first; Fisher's test after Holm.

    Args:
        reference: Held-out rows with ``label``.
        current: Rows of the newest window; ``label`` where known.
        columns: Slice columns; the class is looked at besides.
        alpha: Of all groups together.
    """
    known = current.dropna(subset=["label"]) if "label" in current else current.iloc[:0]
    before = reference.dropna(subset=["label"])
    if len(known) < LEAST_GROUP or before.empty:
        return []
    right_now = (known["predicted"] == known["label"]).to_numpy()
    right_then = (before["predicted"] == before["label"]).to_numpy()
    groups, p_values = [], []
    for column in [*columns, "label"]:
        if column not in known or (column not in before):
            continue
        now_of, then_of = known[column].astype("string"), before[column].astype("string")
        for value in now_of.dropna().unique():
            here, there = (now_of == value).to_numpy(bool), (then_of == value).to_numpy(bool)
            then = right_then[there] if there.sum() >= LEAST_GROUP else right_then
            if here.sum() < LEAST_GROUP:
                continue
            hits, n = int(right_now[here].sum()), int(here.sum())
            low, high = proportion_confint(hits, n, method="wilson")
            table = [[hits, n - hits], [int(then.sum()), int(len(then) - then.sum())]]
            p_values.append(float(stats.fisher_exact(table, alternative="less").pvalue))
            groups.append(
                Affected(
                    column="class" if column == "label" else column,
                    value=str(value),
                    rows=n,
                    before=float(then.mean()),
                    now=hits / n,
                    low=float(low),
                    high=float(high),
                    of="accuracy",
                )
            )
    significant = [group for group, p in zip(groups, holm(p_values), strict=True) if p <= alpha]
    return sorted(significant, key=lambda group: group.now - group.before)[:MOST_GROUPS]


def over_time(
    reference: pd.DataFrame, frame: pd.DataFrame, *, refused_from: datetime | None = None
) -> list[Stretch]:
    """Accuracy in stretches of equally many images, measured and estimated.

    Args:
        reference: Held-out rows: predicted, label, confidence.
        frame: Rows in the order of time.
        refused_from: From then on no estimate is to be believed.
    """
    n = min(STRETCHES, len(frame) // LEAST_STRETCH)
    if n < 2:
        return []
    held_out = reference.dropna(subset=["label", "confidence"])
    sure = held_out["confidence"].to_numpy(dtype=float)
    right = (held_out["predicted"] == held_out["label"]).to_numpy().astype(np.float64)
    stretches = []
    for places in np.array_split(np.arange(len(frame)), n):
        part = frame.iloc[places]
        known = part.dropna(subset=["label"]) if "label" in part else part.iloc[:0]
        values: dict[str, float] = {}
        if len(known) >= LEAST_LABELS:
            hits = int((known["predicted"] == known["label"]).sum())
            low, high = proportion_confint(hits, len(known), method="wilson")
            values = {"measured": hits / len(known), "low": float(low), "high": float(high)}
        end = part["ts_utc"].iloc[-1].to_pydatetime()
        now = part["confidence"].dropna().to_numpy(dtype=float)
        trusted = False
        if len(sure) >= MIN_ROWS and len(now) >= LEAST_LABELS:
            estimates = estimate_accuracy(sure, right, now)
            values["estimated"] = float(np.median(estimates))
            trusted = float(np.ptp(estimates)) <= MAX_SPREAD
            trusted = trusted and (refused_from is None or end < refused_from)
            if "low" in values:  # labels know better
                trusted = trusted and values["low"] <= values["estimated"] <= values["high"]
        start = part["ts_utc"].iloc[0].to_pydatetime()
        stretches.append(Stretch(start=start, end=end, rows=len(part), trusted=trusted, **values))
    return stretches
