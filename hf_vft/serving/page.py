"""What the app shows, as HTML and tables; everything from outside is escaped."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from hf_vft.evaluation.results import EvalReport
from hf_vft.records import ProductionLog
from hf_vft.reporting.numbers import percent
from hf_vft.reporting.verdict import details, headline, judged_split, metric_name
from hf_vft.run import RunDirectory

CSS = """
.gradio-container { max-width: 1080px !important; margin: 0 auto !important; }
.vft-head { padding: 10px 2px 2px; }
.vft-head h1 { font-size: 1.6rem; margin: 0 0 4px; letter-spacing: -.01em; }
.vft-head p { color: var(--body-text-color-subdued); margin: 0; max-width: 72ch; }
.vft-card { border: 1px solid var(--border-color-primary); border-radius: 14px; padding: 18px 20px;
  background: var(--background-fill-primary); }
.vft-card.sure { border-left: 5px solid #1f9d63; }
.vft-card.unsure { border-left: 5px solid #d08700; }
.vft-card.idle { color: var(--body-text-color-subdued); }
.vft-kind { font-size: .75rem; font-weight: 600; letter-spacing: .06em; text-transform: uppercase;
  color: var(--body-text-color-subdued); margin: 0; }
.vft-answer { font-size: 1.7rem; font-weight: 700; margin: 2px 0 6px; overflow-wrap: anywhere; }
.vft-reason { margin: 0 0 10px; }
.vft-bar { display: grid; grid-template-columns: minmax(5rem, 9rem) 1fr 3.6rem; gap: 10px;
  align-items: center; margin: 7px 0; font-size: .92rem; }
.vft-bar span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.vft-bar i { display: block; height: 9px; border-radius: 5px; overflow: hidden;
  background: var(--border-color-primary); }
.vft-bar b { display: block; height: 100%; border-radius: 5px; background: var(--color-accent); }
.vft-bar span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.vft-tiles { display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
.vft-tile { border: 1px solid var(--border-color-primary); border-radius: 12px;
  padding: 12px 14px; }
.vft-tile strong { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.vft-tile span { color: var(--body-text-color-subdued); font-size: .85rem; }
footer { opacity: .8; }
"""

IDLE = (
    '<div class="vft-card idle" role="status"><p class="vft-kind">Answer</p>'
    "<p>Drop a picture, paste one, or take one with the camera.</p></div>"
)


def head(title: str, sentence: str) -> str:
    """What the page is about."""
    return f'<div class="vft-head"><h1>{escape(title)}</h1><p>{escape(sentence)}</p></div>'


def answer_card(answer: dict[str, Any] | None) -> str:
    """An answer of ``/predict`` for people."""
    if not answer:
        return IDLE
    kind = "sure" if answer["sure"] else "unsure"
    title = escape(answer["label"]) if answer["sure"] else "Not sure"
    best = escape(answer["label"])
    reason = (
        f"{percent(answer['confidence'])} sure"
        if answer["sure"]
        else f"Most likely <strong>{best}</strong>. {escape(answer['reason'])}"
    )
    bars = "".join(
        f'<div class="vft-bar"><span title="{escape(one["label"])}">{escape(one["label"])}</span>'
        f'<i aria-hidden="true"><b style="width:{100 * one["score"]:.1f}%"></b></i>'
        f"<span>{100 * one['score']:.1f} %</span></div>"
        for one in answer["scores"]
    )
    return (
        f'<div class="vft-card {kind}" role="status" aria-live="polite">'
        '<p class="vft-kind">Answer</p>'
        f'<p class="vft-answer">{title}</p><p class="vft-reason">{reason}</p>{bars}</div>'
    )


def tiles(*pairs: tuple[str, str]) -> str:
    """Numbers in a row, each with what it is."""
    items = "".join(
        f'<div class="vft-tile"><strong>{escape(value)}</strong><span>{escape(name)}</span></div>'
        for value, name in pairs
    )
    return f'<div class="vft-tiles">{items}</div>'


def verdict_of(run: RunDirectory) -> tuple[EvalReport, str]:
    """The run's scores, and what they say in a few sentences."""
    report = EvalReport.model_validate(run.read_json(run.metrics_file))
    return report, " ".join([headline(report), *details(report)])


def score_table(report: EvalReport) -> pd.DataFrame:
    """Every overall score of the judged split with its interval."""
    split = judged_split(report)
    rows = [
        {"Score": metric_name(name), "Value": value.value, "From": value.low, "To": value.high}
        for name, value in report.splits[split].metrics.items()
    ]
    return pd.DataFrame(rows).round(3)


def class_scores(report: EvalReport) -> pd.DataFrame:
    """F1 of each class, the best first, for a plot."""
    found = report.splits[judged_split(report)].per_class
    rows = [
        {"class": name, "F1": one.metrics["f1"].value or 0.0}
        for name, one in found.items()
        if "f1" in one.metrics
    ]
    return pd.DataFrame(rows, columns=["class", "F1"])


def slice_scores(report: EvalReport) -> pd.DataFrame:
    """Accuracy by slice, for a plot."""
    rows = [
        {"slice": f"{column}: {value}", "accuracy": found.metrics["accuracy"].value or 0.0}
        for column, values in report.splits[judged_split(report)].slices.items()
        for value, found in values.items()
        if "accuracy" in found.metrics
    ]
    return pd.DataFrame(rows, columns=["slice", "accuracy"])


def card_text(run: RunDirectory) -> str:
    """The model card without its front matter and comments."""
    if not run.card_file.is_file():
        return "There is no card in this run; `hf-vft push` writes one."
    text = re.sub(r"\A---\n.*?\n---\n", "", run.card_file.read_text(encoding="utf-8"), flags=re.S)
    return re.sub(r"<!--.*?-->\n?|</?sub>", "", text, flags=re.S)


def log_history(log: ProductionLog | None, threshold: float) -> tuple[str, pd.DataFrame]:
    """What was served so far: tiles, and figures by hour."""
    empty = pd.DataFrame(columns=["time", "figure", "value"])
    if log is None or not ProductionLog.is_log(log.folder):
        return tiles(("0", "answers logged")), empty
    frame = log.read(columns=["request_id", "ts_utc", "predicted", "confidence", "latency_ms"])
    if frame.empty:
        return tiles(("0", "answers logged")), empty
    labels = log.read_labels()
    told = frame.merge(labels[["request_id", "label"]], on="request_id") if len(labels) else None
    right = None if told is None or told.empty else (told["predicted"] == told["label"])
    shown = tiles(
        (f"{len(frame):,}", "answers logged"),
        (percent(frame["confidence"].mean()), "mean confidence"),
        (percent((frame["confidence"] < threshold).mean()), "not sure"),
        (f"{frame['latency_ms'].median():.0f} ms", "median time to answer"),
        (
            "–" if right is None else percent(right.mean()),
            f"right, by {0 if right is None else len(right):,} feedbacks",
        ),
    )
    hours = frame.assign(time=frame["ts_utc"].dt.floor("h").dt.tz_localize(None)).groupby("time")
    figures = pd.DataFrame(
        {
            "mean confidence": hours["confidence"].mean(),
            "share not sure": hours["confidence"].apply(lambda c: float((c < threshold).mean())),
        }
    )
    return shown, figures.reset_index().melt("time", var_name="figure", value_name="value")


def newest_report(folder: Path) -> Path | None:
    """The page of the last monitoring report below a folder."""
    pages = list(folder.rglob("report.html")) if folder.is_dir() else []
    return max(pages, key=lambda path: path.stat().st_mtime, default=None)
