"""What the app shows, as HTML; everything from outside is escaped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import Any

from hf_vft.evaluation.results import Estimate
from hf_vft.reporting.numbers import percent, score
from hf_vft.serving.answer import boxes_of, over
from hf_vft.tasks import DetectedObject

CSS = """
/* One width for every tab, whatever is on it; the scroll bar has its room from the start. */
html { scrollbar-gutter: stable; }
.gradio-container { width: 100% !important; max-width: 1080px !important;
  margin: 0 auto !important; }
.gradio-container .tabs, .gradio-container .tabitem { width: 100%; }
.gradio-container { --color-accent: var(--primary-600); }
.dark .gradio-container, .gradio-container.dark { --color-accent: var(--primary-300); }
.vft-head { padding: 10px 2px 2px; }
.vft-head h1 { font-size: 1.6rem; margin: 0 0 4px; letter-spacing: -.01em; }
.vft-head p { color: var(--body-text-color-subdued); margin: 0; max-width: 72ch; }
.vft-card { border: 1px solid var(--border-color-primary); border-radius: 14px; padding: 18px 20px;
  background: var(--background-fill-primary); }
.vft-card.sure { border-left: 5px solid #1f9d63; }
.vft-card.unsure { border-left: 5px solid #d08700; }
.vft-card.bad { border-left: 5px solid #c8322b; }
.vft-card ul { margin: 0 0 10px; padding-left: 1.2rem; list-style: disc; }
.vft-card.idle { color: var(--body-text-color-subdued); }
.vft-kind { font-size: .75rem; font-weight: 600; letter-spacing: .06em; text-transform: uppercase;
  color: var(--body-text-color-subdued); margin: 0; }
.vft-answer { font-size: 1.7rem; font-weight: 700; margin: 2px 0 6px; overflow-wrap: anywhere; }
.vft-headline { font-size: 1.35rem; }
.vft-reason { margin: 0 0 10px; }
.vft-bar { display: grid; grid-template-columns: minmax(4.2rem, 26%) 1fr 4.2rem; gap: 10px;
  align-items: center; margin: 7px 0; font-size: .92rem; }
.vft-bar span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.vft-bar i { display: block; height: 9px; border-radius: 5px; overflow: hidden;
  background: var(--border-color-primary); }
.vft-bar b { display: block; height: 100%; border-radius: 5px; background: var(--color-accent); }
.vft-bar span:last-child { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.vft-tiles { display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
.vft-tile { border: 1px solid var(--border-color-primary); border-radius: 12px;
  padding: 12px 14px; }
.vft-tile strong { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.vft-tile span { color: var(--body-text-color-subdued); font-size: .85rem; }
.vft-scores { margin: 0; }
.vft-scores h3 { font-size: 1rem; margin: 0 0 8px; }
.vft-score { display: grid; grid-template-columns: minmax(5rem, 30%) 1fr 8.6rem; gap: 10px;
  align-items: center; margin: 7px 0; font-size: .92rem; }
.vft-score span:first-child { overflow-wrap: anywhere; }
.vft-score span:last-child, .vft-table td, .vft-table th + th { text-align: right;
  white-space: nowrap; font-variant-numeric: tabular-nums; }
.vft-score i { display: block; position: relative; height: 11px; border-radius: 5px;
  background: var(--border-color-primary); }
.vft-score b { display: block; height: 100%; border-radius: 5px; background: var(--color-accent); }
.vft-score u { position: absolute; top: 1px; height: 9px; text-decoration: none;
  border: solid var(--body-text-color); border-width: 0 2px;
  background: linear-gradient(var(--body-text-color), var(--body-text-color)) center / 100% 2px
  no-repeat; }
.vft-table { width: 100%; max-width: 560px; border-collapse: collapse; font-size: .92rem; }
.vft-table th, .vft-table td { padding: 5px 8px; border: 0 solid var(--border-color-primary)
  !important; border-bottom-width: 1px !important; }
.vft-table th { font-weight: 500; text-align: left; }
.vft-table thead th { font-weight: 600; color: var(--body-text-color-subdued); }
#rows th, #rows td { min-width: 6.6rem; overflow-wrap: normal; word-break: normal; }
/* On a phone: all four tabs on one line, and tables that scroll by themselves, not the page. */
@media (max-width: 480px) {
  .vft-tiles { grid-template-columns: 1fr 1fr; }
  .vft-score { grid-template-columns: minmax(4.2rem, 26%) 1fr; }
  .vft-score span:last-child { grid-column: 1 / -1; margin-top: -8px; }
  #rows { max-width: calc(100vw - 64px); overflow-x: auto; }
  .tab-container button[role=tab] { padding: 0 7px; }
}
"""

_BARS = 8
_REASONS = 6
_NONE = "No label reaches its threshold."
_KINDS = {"none": "sure", "retrain": "bad", "mend": "bad"}
"""By the monitor's decision, how its card looks."""

IDLE = (
    '<div class="vft-card idle" role="status"><p class="vft-kind">Answer</p>'
    "<p>Drop an image, paste one, or take one with the camera.</p></div>"
)


def head(title: str, sentence: str) -> str:
    """The page's heading: a title and a sentence."""
    return f'<div class="vft-head"><h1>{escape(title)}</h1><p>{escape(sentence)}</p></div>'


def answer_card(answer: dict[str, Any] | None, threshold: float | None = None) -> str:
    """An answer of ``/predict`` for people.

    Args:
        answer: Of the endpoint; None before there is one.
        threshold: Boxes are shown from this score on; None shows those that are answered.
    """
    if not answer:
        return IDLE
    if "objects" in answer:
        return _found_card(over(boxes_of(answer), threshold))
    if answer.get("alarms"):
        return _alarm_card(answer)
    if "labels" in answer:
        title = ", ".join(answer["labels"]) or "None of the labels"
        reason = "Every label over its threshold." if answer["labels"] else _NONE
        return _card("sure" if answer["labels"] else "unsure", title, reason, _bars(answer))
    if "anomaly" in answer:
        said = f"Score {answer['score']:.2f}, where {answer['threshold']:g} is the threshold."
        kind = "unsure" if answer["anomaly"] else "sure"
        bar = _bar("score", answer["score"] / (1.0 + answer["score"]))
        return _card(
            kind, answer["label"], said, bar.replace(bar[bar.rindex("<span>") :], "</div>")
        )
    if answer["sure"]:
        sure = f"{percent(answer['confidence'])} sure"
        return _card("sure", answer["label"], sure, _bars(answer))
    reason = f"Most likely <strong>{escape(answer['label'])}</strong>. {escape(answer['reason'])}"
    return _card("unsure", "Not sure", reason, _bars(answer))


def _alarm_card(answer: dict[str, Any]) -> str:
    """An alarm by cost, and what the model answers beside it."""
    alarms = answer["alarms"]
    said = answer["label"] if "label" in answer else ", ".join(answer["labels"]) or "none"
    reason = " ".join(escape(alarm["reason"]) for alarm in alarms)
    beside = f"The model answers <strong>{escape(said)}</strong>."
    title = f"Alarm: {', '.join(alarm['label'] for alarm in alarms)}"
    return _card("bad", title, f"{reason} {beside}", _bars(answer))


def _found_card(shown: list[DetectedObject]) -> str:
    if not shown:
        return _card("unsure", "Nothing found", "No box reaches the threshold.", "")
    counts = Counter(box.label for box in shown)
    title = ", ".join(f"{n} {label}" for label, n in counts.most_common())
    bars = "".join(_bar(box.label, box.score) for box in shown[:_BARS])
    more = f"The surest {_BARS} of {len(shown)}." if len(shown) > _BARS else ""
    return _card("sure", title, more, bars)


def _card(kind: str, title: str, reason: str, bars: str) -> str:
    """``reason`` and ``bars`` are HTML already."""
    return (
        f'<div class="vft-card {kind}" role="status" aria-live="polite">'
        '<p class="vft-kind">Answer</p>'
        f'<p class="vft-answer">{escape(title)}</p><p class="vft-reason">{reason}</p>{bars}</div>'
    )


def _bars(answer: dict[str, Any]) -> str:
    return "".join(_bar(score["label"], score["score"]) for score in answer["scores"])


def _bar(label: str, score: float) -> str:
    name = escape(label)
    return (
        f'<div class="vft-bar"><span title="{name}">{name}</span>'
        f'<i aria-hidden="true"><b style="width:{100 * score:.1f}%"></b></i>'
        f"<span>{100 * score:.1f} %</span></div>"
    )


def score_bars(title: str, rows: Iterable[tuple[str, Estimate]]) -> str:
    """Bars from 0 to 1 with their intervals, the numbers beside them."""
    drawn = "".join(_score_bar(escape(name), estimate) for name, estimate in rows)
    return f'<div class="vft-scores"><h3>{escape(title)}</h3>{drawn}</div>'


def _score_bar(name: str, estimate: Estimate) -> str:
    """``name`` is HTML already."""
    whisker = ""
    if estimate.low is not None and estimate.high is not None:
        left, width = 100 * estimate.low, 100 * (estimate.high - estimate.low)
        whisker = f'<u style="left:{left:.1f}%;width:{width:.1f}%"></u>'
    return (
        f'<div class="vft-score"><span title="{name}">{name}</span><i aria-hidden="true">'
        f'<b style="width:{100 * (estimate.value or 0.0):.1f}%"></b>{whisker}</i>'
        f"<span>{estimate}</span></div>"
    )


def score_table(rows: Iterable[tuple[str, Estimate]]) -> str:
    """Scores with the ends of their intervals, numbers below numbers."""
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(
            f"<td>{score(value)}</td>" for value in (estimate.value, estimate.low, estimate.high)
        )
        + "</tr>"
        for name, estimate in rows
    )
    return (
        '<table class="vft-table"><thead><tr><th scope="col">Score</th><th scope="col">Value</th>'
        '<th scope="col">From</th><th scope="col">To</th></tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )


def verdict_card(verdict: dict[str, Any] | None, written: str = "") -> str:
    """The monitor's latest verdict: in order or not, why, and what to do."""
    if verdict is None:
        return (
            '<div class="vft-card idle"><p class="vft-kind">Verdict of the monitor</p>'
            "<p>The monitor has not looked yet: <code>hf-vft monitor RUN LOG</code> compares what "
            "was served with the reference of the run.</p></div>"
        )
    kind = _KINDS.get(verdict["action"], "unsure")
    reasons = "".join(f"<li>{escape(str(line))}</li>" for line in verdict["reasons"][:_REASONS])
    todo = _with_commands(" ".join(str(line) for line in verdict["todo"]))
    when = f", {written}, {verdict['rows']:,} images in the newest window" if written else ""
    return (
        f'<div class="vft-card {kind}"><p class="vft-kind">Verdict of the monitor{escape(when)}</p>'
        f'<p class="vft-answer vft-headline">{escape(verdict["headline"])}</p><ul>{reasons}</ul>'
        f'<p class="vft-reason"><strong>What to do:</strong> {todo}</p></div>'
    )


def _with_commands(text: str) -> str:
    """Text as HTML; what stands between backticks is a command."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def tiles(*pairs: tuple[str, str]) -> str:
    """Numbers in a row, each with what it is."""
    items = "".join(
        f'<div class="vft-tile"><strong>{escape(value)}</strong><span>{escape(name)}</span></div>'
        for value, name in pairs
    )
    return f'<div class="vft-tiles">{items}</div>'
