"""``monitor.html``: what whoever is on call reads first, with the statistics folded below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from hf_vft._version import __version__
from hf_vft.monitoring.decision import Action, Decision
from hf_vft.monitoring.explanation import Stretch
from hf_vft.reporting.monitor_plot import CurvePoint, accuracy_plot
from hf_vft.reporting.numbers import score
from hf_vft.reporting.pages import render_page

Pair = tuple[str | None, str | None]

_REASONS = 5
"""Findings that are read at once; what was left out of the comparison is always read."""

_WORDS: dict[Action, tuple[str, str]] = {
    "none": ("in order", "good"),
    "wait": ("no verdict yet", "warn"),
    "label": ("alert: label", "warn"),
    "retrain": ("alert: retrain", "bad"),
    "mend": ("alert: mend the cause", "bad"),
}
_TILES = {
    "labels.accuracy": "Accuracy, measured",
    "labels.f1_image": "F1 by image, measured",
    "performance.estimated_accuracy": "Accuracy, estimated",
    "bias.new_gap": "Widest new gap",
}


def render_monitor(
    decision: Decision,
    statistics: str,
    *,
    name: str,
    curve: Sequence[Stretch] = (),
    crops: Sequence[Pair] = (),
    held_out: pd.DataFrame | None = None,
) -> str:
    """The page.

    Args:
        decision: With causes, since when, and whom it concerns.
        statistics: The whole page of Evidently, made inert; it is shown in a frame of its own.
        name: Of the run.
        curve: Accuracy over data time.
        crops: An image at training and one of now for each cause, as ``data:`` addresses.
        held_out: Rows of the reference, for the accuracy at training.
    """
    word, tone = _WORDS[decision.action]
    pairs = [*crops, *([(None, None)] * len(decision.causes))]
    reference = _at_training(held_out)
    points = [_point(stretch) for stretch in curve]
    plots = (
        [
            accuracy_plot(points, reference=reference, change=_change(decision), width=width)
            for width in (900, 340)
        ]
        if points
        else [None, None]
    )
    left_out = [reason for reason in decision.reasons if "eft out" in reason]
    reasons = [reason for reason in decision.reasons if reason not in left_out]
    return render_page(
        "monitor.html",
        name=name,
        version=__version__,
        decision=decision,
        word=word,
        tone=tone,
        period=_period(curve),
        tiles=list(_tiles(decision)),
        curve=plots[0],
        narrow_curve=plots[1],
        causes=[(cause, *pair) for cause, pair in zip(decision.causes, pairs, strict=False)],
        no_images=not any(crop for pair in crops for crop in pair),
        reasons=[*reasons[:_REASONS], *left_out],
        more_reasons=reasons[_REASONS:],
        statistics=statistics,
    )


def _tiles(decision: Decision) -> list[tuple[str, str, str]]:
    by_key = {judged.finding.key: judged.finding for judged in decision.judged}
    tiles = []
    for key, title in _TILES.items():
        finding = by_key.get(key)
        if finding is None:
            continue
        value = finding.current if isinstance(finding.current, float) else finding.effect
        if value is None:
            continue
        before = finding.reference
        note = f"{before:.2f} at training" if isinstance(before, float) else ""
        if key == "bias.new_gap":
            value, note = abs(finding.effect or 0.0), "between groups"
        tiles.append((title, score(value), note))
    return tiles


def _at_training(held_out: pd.DataFrame | None) -> float | None:
    if held_out is None or "label" not in held_out:
        return None
    known = held_out.dropna(subset=["label"])
    return float((known["predicted"] == known["label"]).mean()) if len(known) else None


def _point(stretch: Stretch) -> CurvePoint:
    middle = stretch.start + (stretch.end - stretch.start) / 2
    return CurvePoint(
        middle, stretch.measured, stretch.low, stretch.high, stretch.estimated, stretch.trusted
    )


def _change(decision: Decision) -> tuple[datetime, datetime, datetime] | None:
    since = decision.since
    if since is None or since.at is None:
        return None
    return since.earliest or since.at, since.at, since.latest or since.at


def _period(curve: Sequence[Stretch]) -> str:
    if not curve:
        return "the newest images"
    return f"{curve[0].start:%Y-%m-%d %H:%M} to {curve[-1].end:%Y-%m-%d %H:%M}"
