"""Accuracy over data time: measured, estimated, at training, and where it changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from hf_vft.reporting.plots import _Frame, _svg, _ticks, _y_axis


@dataclass(frozen=True)
class CurvePoint:
    """One stretch of time.

    Attributes:
        at: Its middle.
        measured: On labels, or None.
        low: Lower end of the 95 % interval.
        high: Upper end.
        estimated: Without labels, or None.
        trusted: Whether the estimate may be believed.
    """

    at: datetime
    measured: float | None
    low: float | None
    high: float | None
    estimated: float | None
    trusted: bool


def accuracy_plot(
    points: Sequence[CurvePoint],
    *,
    reference: float | None,
    change: tuple[datetime, datetime, datetime] | None,
    width: int = 900,
) -> Markup:
    """The curve; shapes differ as well as colours, so that it reads without these.

    Args:
        points: At least two, in the order of time.
        reference: Accuracy at training.
        change: The earliest, the likeliest and the latest moment of the change.
        width: Of the drawing; text keeps its size, so a phone gets a narrow one.
    """
    values = [
        value
        for point in points
        for value in (point.measured, point.low, point.high, point.estimated, reference)
        if value is not None
    ]
    ticks = _ticks(min(values), max(values))
    ticks = [tick for tick in ticks if tick <= 1.0001] or ticks
    first, last = points[0].at.timestamp(), points[-1].at.timestamp()
    edge = 0.02 * (last - first)
    frame = _Frame(44, 34, width - 60, 210, (first - edge, last + edge), (ticks[0], ticks[-1]))
    parts = [_change(change, frame), _y_axis(ticks, frame), _dates(points, frame, width)]
    if reference is not None:
        y = frame.py(reference)
        parts.append(
            Markup(
                '<line class="axis dashed" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
            ).format(frame.left, frame.left + frame.width, y)
        )
    parts += [_estimates(points, frame), _measured(points, frame)]
    return _svg(width, 276, _said(points, reference, change), parts)


def _change(change: tuple[datetime, datetime, datetime] | None, frame: _Frame) -> Markup:
    if change is None:
        return Markup("")
    low, at, high = (
        min(max(frame.px(moment.timestamp()), frame.left), frame.left + frame.width)
        for moment in change
    )
    text = f"changed {change[1].day} {change[1]:%b %H:%M}"
    right = at > frame.left + frame.width / 2
    base = frame.top + frame.height
    return Markup(
        '<rect class="interval" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>'
        '<line class="change" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>'
        '<text class="strong" x="{:.1f}" y="{}" text-anchor="{}">{}</text>'
    ).format(
        low, frame.top, max(high - low, 2.0), frame.height, at, at, frame.top - 10, base,
        at + (-6 if right else 6), frame.top - 14, "end" if right else "start", text,
    )  # fmt: skip


def _dates(points: Sequence[CurvePoint], frame: _Frame, width: int) -> Markup:
    most = max(2, width // 130)
    step = max(1, -(-(len(points) - 1) // (most - 1)))
    chosen = points[::step]
    same_day = points[0].at.date() == points[-1].at.date()
    base = frame.top + frame.height
    return Markup("").join(
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            frame.px(point.at.timestamp()),
            base + 20,
            f"{point.at:%H:%M}" if same_day else f"{point.at.day} {point.at:%b}",
        )
        for point in chosen
    )


def _estimates(points: Sequence[CurvePoint], frame: _Frame) -> Markup:
    placed = [
        (frame.px(p.at.timestamp()), frame.py(p.estimated), p.trusted, p.estimated)
        for p in points
        if p.estimated is not None
    ]
    dots = " ".join(f"{x:.1f},{y:.1f}" for x, y, trusted, _ in placed if trusted)
    parts = [Markup('<polyline class="line b dashed" points="{}"/>').format(dots)] if dots else []
    for x, y, trusted, value in placed:
        title = f"estimated {value:.2f}" + ("" if trusted else ", not to be trusted")
        if trusted:
            mark = Markup(
                '<rect class="open-b" x="{:.1f}" y="{:.1f}" width="7" height="7"><title>{}</title>'
                "</rect>"
            ).format(x - 3.5, y - 3.5, title)
        else:
            mark = Markup(
                '<path class="line b" d="M{0:.1f},{1:.1f} l8,8 m0,-8 l-8,8">'
                "<title>{2}</title></path>"
            ).format(x - 4, y - 4, title)
        parts.append(mark)
    return Markup("").join(parts)


def _measured(points: Sequence[CurvePoint], frame: _Frame) -> Markup:
    parts = []
    for point in points:
        if point.measured is None or point.low is None or point.high is None:
            continue
        x = frame.px(point.at.timestamp())
        parts.append(
            Markup(
                '<line class="whisker" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>'
                '<circle class="fill-a dot" cx="{0:.1f}" cy="{3:.1f}" r="5">'
                "<title>{4:.2f} ({5:.2f}–{6:.2f})</title></circle>"
            ).format(
                x,
                frame.py(point.low),
                frame.py(point.high),
                frame.py(point.measured),
                point.measured,
                point.low,
                point.high,
            )
        )
    return Markup("").join(parts)


def _said(
    points: Sequence[CurvePoint],
    reference: float | None,
    change: tuple[datetime, datetime, datetime] | None,
) -> str:
    """For screen readers."""
    sentences = []
    measured = [p for p in points if p.measured is not None]
    if measured:
        sentences.append(
            f"Measured accuracy from {measured[0].measured:.2f} to {measured[-1].measured:.2f}."
        )
    estimated = [p for p in points if p.estimated is not None and p.trusted]
    if estimated:
        sentences.append(
            f"Estimated accuracy from {estimated[0].estimated:.2f} to "
            f"{estimated[-1].estimated:.2f}."
        )
    if reference is not None:
        sentences.append(f"At training {reference:.2f}.")
    if change is not None:
        sentences.append(f"Changed on {change[1].day} {change[1]:%B %Y, %H:%M}.")
    return " ".join(["Accuracy over time.", *sentences])
