"""What the tabs show of a run and of its log, as tables and tiles."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from hf_vft.errors import RunError
from hf_vft.evaluation.results import Estimate, EvalReport
from hf_vft.records import ProductionLog, split_names
from hf_vft.reporting.numbers import percent
from hf_vft.reporting.verdict import details, headline, judged_split, metric_name
from hf_vft.run import RunDirectory
from hf_vft.serving.page import tiles
from hf_vft.utils.reading import read_as

_OF_A_CLASS = {"f1": "F1", "ap50": "AP50", "average_precision": "Average precision"}
_OF_A_SLICE = ("accuracy", "f1_micro", "map50", "f1_macro", "f1")
"""Which score a plot shows: the first of these that was measured."""

DAYS = 365
"""Of the log that the history shows."""

_COLUMNS = ("request_id", "ts_utc", "predicted", "confidence", "latency_ms")


class ToldVerdict(BaseModel):
    """The part of ``verdict.json``, which the monitor writes, that is shown."""

    action: str
    headline: str
    reasons: list[str]
    todo: list[str]
    rows: int


def verdict_of(run: RunDirectory) -> tuple[EvalReport, str]:
    """The run's scores, and what they say in a few sentences."""
    report = run.read_as(EvalReport, run.metrics_file)
    return report, " ".join([headline(report), *details(report)])


@dataclass(frozen=True)
class Bars:
    """One score of several classes or slices.

    Attributes:
        metric: What it is called; empty where nothing was measured.
        rows: Name and score.
    """

    metric: str
    rows: list[tuple[str, Estimate]]


def scores(report: EvalReport) -> list[tuple[str, Estimate]]:
    """Every overall score of the judged split, with its interval."""
    metrics = report.splits[judged_split(report)].metrics
    return [(metric_name(name), value) for name, value in metrics.items()]


def class_scores(report: EvalReport) -> Bars:
    """A score of each class."""
    per_class = report.splits[judged_split(report)].per_class
    metric = next(
        (m for m in _OF_A_CLASS if any(m in result.metrics for result in per_class.values())), ""
    )
    rows = [
        (name, result.metrics[metric])
        for name, result in per_class.items()
        if metric in result.metrics
    ]
    return Bars(_OF_A_CLASS.get(metric, ""), rows)


def slice_scores(report: EvalReport) -> Bars:
    """A score by slice."""
    slices = report.splits[judged_split(report)].slices
    every = [part.metrics for values in slices.values() for part in values.values()]
    metric = next((m for m in _OF_A_SLICE if any(m in metrics for metrics in every)), "")
    rows = [
        (f"{column}: {value}", part.metrics[metric])
        for column, values in slices.items()
        for value, part in values.items()
        if metric in part.metrics
    ]
    return Bars(metric_name(metric), rows)


def slice_values(report: EvalReport) -> dict[str, list[str]]:
    """The values of each slice column that were seen when the run was measured."""
    by_column: dict[str, set[str]] = {}
    for split in report.splits.values():
        for column, values in split.slices.items():
            by_column.setdefault(column, set()).update(values)
    return {column: sorted(values) for column, values in by_column.items()}


def card_text(run: RunDirectory) -> str:
    """The model card without its front matter and comments."""
    if not run.card_file.is_file():
        return "There is no card in this run; `hf-vft push` writes one."
    try:
        text = run.card_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return "The card of this run is not text; delete it, and `hf-vft push` writes one."
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    return re.sub(r"<!--.*?-->\n?|</?sub>", "", text, flags=re.S)


def log_history(
    log: ProductionLog | None, threshold: float | None, *, unlogged: int = 0
) -> tuple[str, pd.DataFrame]:
    """Requests of the last `DAYS` days of the log: tiles, and the main figures over time.

    Args:
        log: None where none is kept.
        threshold: Of abstention; None where the task knows none.
        unlogged: Answers that the log could not take.
    """
    empty = pd.DataFrame(columns=["time", "figure", "value"])
    if log is None or not ProductionLog.is_log(log.folder):
        return tiles(("0", "answers logged")), empty
    moments = log.read(columns=["ts_utc"])["ts_utc"]
    if moments.empty:
        return tiles(("0", "answers logged")), empty
    since = moments.max().to_pydatetime() - timedelta(days=DAYS)
    frame = log.read(since, columns=_COLUMNS)
    when = f", the last {DAYS} days" if moments.min() < since else ""
    labels = log.read_labels(since).set_index("request_id")["label"]
    truth = frame["request_id"].map(labels)
    frame["right"] = [
        None if pd.isna(true) else float(_names(true) == _names(predicted))
        for true, predicted in zip(truth, frame["predicted"], strict=True)
    ]
    right = frame["right"].dropna().astype(float)
    shown = [
        (f"{len(frame):,}", f"answers logged{when}"),
        (percent(frame["confidence"].mean()), "mean confidence"),
        (_milliseconds(frame["latency_ms"]), "median time to answer"),
        (percent(right.mean()) if len(right) else "–", f"right, by {len(right):,} feedbacks"),
    ]
    if unlogged:
        shown.insert(1, (f"{unlogged:,}", "answers that could not be logged"))
    if threshold is not None:
        frame["unsure"] = (frame["confidence"] < threshold).astype(float)
        shown.insert(-2, (percent(frame["unsure"].mean()), "not sure"))
    return tiles(*shown), _over_time(frame)


def _milliseconds(latency: pd.Series) -> str:
    """The median; a dash where answers were not timed, as those for a folder are not."""
    return f"{latency.median():.0f} ms" if latency.notna().any() else "–"


def _over_time(frame: pd.DataFrame) -> pd.DataFrame:
    """Figures by hour, or by day once there are more than three."""
    moments = frame["ts_utc"].dt.tz_localize(None)
    step = "D" if moments.max() - moments.min() > pd.Timedelta(days=3) else "h"
    names = {"confidence": "mean confidence", "unsure": "share not sure", "right": "share right"}
    present = [name for name in names if name in frame]
    values = frame[present].astype(float).assign(time=moments.dt.floor(step))
    means = values.groupby("time").mean()
    long = means.rename(columns=names).reset_index().melt("time", var_name="figure")
    return long.dropna(subset="value").reset_index(drop=True)


def _names(labels: str) -> list[str]:
    """Several labels are the same in any order."""
    return sorted(split_names(str(labels)))


def newest_verdict(folder: Path) -> tuple[dict[str, Any] | None, str, Path | None]:
    """The latest result of the monitor below a folder: the verdict, when, and its page."""
    files = list(folder.rglob("verdict.json")) if folder.is_dir() else []
    for path in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            verdict = read_as(ToldVerdict, path).model_dump()
        except RunError:
            continue  # half written by an older version, or none of ours
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")
        page = path.with_name("monitor.html")
        return verdict, written, page if page.is_file() else None
    return None, "", None
