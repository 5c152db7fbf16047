"""Plots as SVG text that goes straight into the page.

Colours are the page's CSS variables through class names, so a plot follows light, dark and
print like the text around it. Pure functions: numbers in, `Markup` out; every text from
outside is escaped by `Markup.format`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from hf_vft.evaluation.results import Bin, Estimate
from hf_vft.reporting.numbers import percent

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """A line: its name, its colour class (a, b, c) and its points."""

    name: str
    colour: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Band:
    """A named stretch of the horizontal axis: one training stage."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class PlotPoint:
    """A point with a name and a colour class."""

    name: str
    x: float
    y: float
    colour: str


@dataclass(frozen=True)
class _Frame:
    """Where data lands on the drawing, in drawing units."""

    left: float
    top: float
    width: float
    height: float
    x: Point
    y: Point

    def px(self, value: float) -> float:
        low, high = self.x
        return self.left + self.width * (value - low) / (high - low or 1.0)

    def py(self, value: float) -> float:
        low, high = self.y
        return self.top + self.height * (1.0 - (value - low) / (high - low or 1.0))


def line_plot(
    series: Sequence[Series], bands: Sequence[Band], *, label: str, rings: Sequence[Point] = ()
) -> Markup:
    """Lines over epochs, with the stages behind them.

    Args:
        series: At least one with a point.
        bands: Stages from left to right.
        label: What a screen reader says.
        rings: Points to stress, the best epochs.
    """
    values = [y for line in series for _, y in line.points]
    ticks = _ticks(min(values), max(values))
    start, end = bands[0].start, bands[-1].end
    frame = _Frame(44, 30, 424, 190, (start, end), (ticks[0], ticks[-1]))
    parts = [_bands(bands, frame), _y_axis(ticks, frame), _x_axis(start, end, frame)]
    for line in series:
        dots = Markup(" ").join(
            Markup("{:.1f},{:.1f}").format(frame.px(x), frame.py(y)) for x, y in line.points
        )
        # A stage of one epoch is a point, which a line alone would not show.
        parts.append(
            Markup('<polyline class="line {}" points="{}"/>').format(line.colour, dots)
            if len(line.points) > 1
            else _dot(frame, line.points[0], line.colour)
        )
    parts += [
        Markup('<circle class="ring" cx="{:.1f}" cy="{:.1f}" r="5.5"/>').format(
            frame.px(x), frame.py(y)
        )
        for x, y in rings
    ]
    return _svg(480, 262, label, parts)


def interval_plot(rows: Sequence[tuple[str, Estimate, str]], *, label: str) -> Markup:
    """A dot with its whisker per row, on a common axis.

    Args:
        rows: Name, estimate and colour class; undefined ones are left without a dot.
        label: What a screen reader says.
    """
    ends = [
        end
        for _, estimate, _ in rows
        for end in (estimate.value, estimate.low, estimate.high)
        if end is not None
    ]
    ticks = _ticks(min([0.0, *ends]), max([1.0, *ends]))
    row, top, right = 62, 6, 388
    frame = _Frame(12, top, right - 12, row * len(rows), (ticks[0], ticks[-1]), (0, 1))
    parts = [
        Markup(
            '<line class="rule" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
            '<text x="{0:.1f}" y="{3}" text-anchor="middle">{4:g}</text>'
        ).format(frame.px(tick), top, top + frame.height, top + frame.height + 20, tick)
        for tick in ticks
    ]
    for index, (name, estimate, colour) in enumerate(rows):
        y = top + row * index + 42
        parts.append(
            Markup(
                '<text class="strong" x="12" y="{0}">{1}</text>'
                '<text x="{2}" y="{0}" text-anchor="end">{3}</text>'
            ).format(y - 18, name, right, estimate)
        )
        if estimate.low is not None and estimate.high is not None:
            parts.append(
                Markup(
                    '<line class="{}" stroke-width="5" stroke-linecap="round" opacity=".45" '
                    'x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>'
                ).format(colour, frame.px(estimate.low), frame.px(estimate.high), y, y)
            )
        if estimate.value is not None:
            parts.append(
                Markup('<circle class="fill-{}" cx="{:.1f}" cy="{}" r="6.5"/>').format(
                    colour, frame.px(estimate.value), y
                )
            )
    return _svg(400, int(top + frame.height + 28), label, parts)


def bar(estimate: Estimate, *, label: str) -> Markup:
    """One horizontal bar from 0 to 1 with its interval, to stand in a table cell."""
    frame = _Frame(2, 3, 200, 12, (0.0, 1.0), (0.0, 1.0))
    parts = [Markup('<rect class="band" x="2" y="3" width="200" height="12" rx="3"/>')]
    if estimate.value is not None:
        parts.append(
            Markup('<rect class="fill-a" x="2" y="3" width="{:.1f}" height="12" rx="3"/>').format(
                frame.px(estimate.value) - frame.left
            )
        )
    if estimate.low is not None and estimate.high is not None:
        parts.append(
            Markup('<path class="whisker" d="M{0:.1f} 9H{1:.1f}M{0:.1f} 5v8M{1:.1f} 5v8"/>').format(
                frame.px(estimate.low), frame.px(estimate.high)
            )
        )
    return _svg(204, 18, label, parts)


def reliability_plot(bins: Sequence[Bin], *, label: str) -> Markup:
    """Accuracy per confidence bin against the diagonal; below, how many images each holds."""
    frame = _Frame(44, 10, 286, 240, (0.0, 1.0), (0.0, 1.0))
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    base = frame.top + frame.height
    parts = [_y_axis(ticks, frame)]
    most = max((bin_.n for bin_ in bins), default=0) or 1
    for bin_ in bins:
        if bin_.accuracy is None or bin_.confidence is None:
            continue
        x, width = frame.px(bin_.low) + 1, frame.px(bin_.high) - frame.px(bin_.low) - 2
        lower, upper = sorted((bin_.accuracy, bin_.confidence))
        gap = "over" if bin_.confidence > bin_.accuracy else "under"
        count = 34 * bin_.n / most
        parts.append(
            Markup(
                "<g><title>confidence {:.2f} to {:.2f}: {} images, {} right, {} claimed</title>"
                '<rect class="fill-a" x="{:.1f}" width="{:.1f}" y="{:.1f}" height="{:.1f}"/>'
                '<rect class="fill-{}" x="{:.1f}" width="{:.1f}" y="{:.1f}" height="{:.1f}"/>'
                '<rect class="fill-c" x="{:.1f}" width="{:.1f}" y="{:.1f}" height="{:.1f}"/></g>'
            ).format(
                bin_.low, bin_.high, bin_.n, percent(bin_.accuracy), percent(bin_.confidence),
                x, width, frame.py(lower), base - frame.py(lower),
                gap, x, width, frame.py(upper), frame.py(lower) - frame.py(upper),
                x, width, base + 62 - count, count,
            )
        )  # fmt: skip
    parts.append(
        Markup('<line class="axis dashed" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            frame.left, base, frame.left + frame.width, frame.top
        )
    )
    parts += [
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>').format(
            frame.px(tick), base + 18, tick
        )
        for tick in ticks
    ]
    parts.append(
        Markup(
            '<text x="{}" y="{}" text-anchor="middle">confidence · images per bin</text>'
        ).format(frame.left + frame.width / 2, base + 80)
    )
    return _svg(344, int(base + 88), label, parts)


def scatter_plot(
    points: Sequence[PlotPoint], *, line: Sequence[Point], x_name: str, label: str
) -> Markup:
    """Points with a line through some of them; a point says its name when it is pointed at.

    Args:
        points: At least two that differ along both axes or one.
        line: Points in order of x.
        x_name: Under the horizontal axis.
        label: What a screen reader says.
    """
    x_ticks = _ticks(min(0.0, *(p.x for p in points)), max(p.x for p in points))
    y_ticks = _ticks(min(p.y for p in points), max(p.y for p in points))
    frame = _Frame(44, 14, 424, 200, (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]))
    base = frame.top + frame.height
    parts = [_y_axis(y_ticks, frame)]
    parts += [
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>').format(
            frame.px(tick), base + 20, tick
        )
        for tick in x_ticks
    ]
    parts.append(
        Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
            frame.left + frame.width / 2, base + 40, x_name
        )
    )
    dots = Markup(" ").join(
        Markup("{:.1f},{:.1f}").format(frame.px(x), frame.py(y)) for x, y in line
    )
    parts.append(Markup('<polyline class="line a" points="{}"/>').format(dots))
    parts += [
        Markup(
            '<circle class="fill-{}" cx="{:.1f}" cy="{:.1f}" r="5"><title>{}</title></circle>'
        ).format(point.colour, frame.px(point.x), frame.py(point.y), point.name)
        for point in points
    ]
    return _svg(480, int(base + 50), label, parts)


def heat_map(confusion: Sequence[Sequence[int]], names: Sequence[str], *, label: str) -> Markup:
    """A confusion matrix of many classes, without numbers: rows true, columns predicted.

    A cell says what it is when it is pointed at.
    """
    n = len(confusion)
    cell = 480 / n
    parts = [Markup('<rect class="band" width="480" height="480" rx="4"/>')]
    for row, counts in enumerate(confusion):
        total = sum(counts) or 1
        parts += [
            Markup(
                '<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" '
                'style="fill:rgba(var(--{}),{:.2f})"><title>{} → {}: {}</title></rect>'
            ).format(
                cell * column, cell * row, cell, cell,
                "heat" if row == column else "miss", 0.15 + 0.85 * count / total,
                names[row], names[column], count,
            )
            for column, count in enumerate(counts)
            if count
        ]  # fmt: skip
    return _svg(480, 480, label, parts)


def _svg(width: int, height: int, label: str, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(width, height, label, Markup("").join(parts))


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose the values."""
    if high - low < 1e-9:
        low, high = low - 0.05, high + 0.05
    return [float(tick) for tick in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]


def _bands(bands: Sequence[Band], frame: _Frame) -> Markup:
    parts = []
    for index, band in enumerate(bands):
        left, right = frame.px(band.start), frame.px(band.end)
        if index % 2 == 0:
            parts.append(
                Markup('<rect class="band" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>').format(
                    left, frame.top - 24, right - left, frame.height + 24
                )
            )
        if 7.5 * len(band.name) < right - left:
            parts.append(
                Markup(
                    '<text class="strong" x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
                ).format((left + right) / 2, frame.top - 8, band.name)
            )
    return Markup("").join(parts)


def _y_axis(ticks: Sequence[float], frame: _Frame) -> Markup:
    return Markup("").join(
        Markup(
            '<line class="rule" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
            '<text x="{3}" y="{4:.1f}" text-anchor="end">{5:g}</text>'
        ).format(
            frame.left, frame.left + frame.width, frame.py(tick),
            frame.left - 8, frame.py(tick) + 4.5, tick,
        )
        for tick in ticks
    )  # fmt: skip


def _x_axis(start: float, end: float, frame: _Frame) -> Markup:
    base = frame.top + frame.height
    ticks = MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]).tick_values(start, end)
    parts = [
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>').format(
            frame.px(float(tick)), base + 20, float(tick)
        )
        for tick in ticks
        if start <= tick <= end
    ]
    parts.append(
        Markup('<text x="{}" y="{}" text-anchor="middle">epoch</text>').format(
            frame.left + frame.width / 2, base + 38
        )
    )
    return Markup("").join(parts)


def _dot(frame: _Frame, point: Point, colour: str) -> Markup:
    return Markup('<circle class="fill-{}" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(
        colour, frame.px(point[0]), frame.py(point[1])
    )
