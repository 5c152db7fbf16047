"""Plots of the audit page, in the manner of :mod:`hf_vft.reporting.plots`."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from hf_vft.data.audit.results import Size, Spread

_WIDTH, _LEFT, _BASE = 400, 14, 84
_TALLEST = 76
_SQUARE = 300


def histogram(spread: Spread) -> Markup:
    """Histogram of the number of images by value."""
    low, high = spread.edges[0], spread.edges[-1]
    span = high - low or 1.0
    most = max(spread.counts) or 1
    width = (_WIDTH - 2 * _LEFT) / len(spread.counts)
    bars = [
        Markup(
            '<rect class="fill-a" x="{:.1f}" width="{:.1f}" y="{:.1f}" height="{:.1f}">'
            "<title>{:.2f} to {:.2f}: {} images</title></rect>"
        ).format(
            _LEFT + width * index, max(width - 1.5, 1), _BASE - _TALLEST * _shown(count, most),
            _TALLEST * _shown(count, most), spread.edges[index], spread.edges[index + 1], count,
        )
        for index, count in enumerate(spread.counts)
    ]  # fmt: skip
    ticks = [
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>').format(
            _LEFT + (_WIDTH - 2 * _LEFT) * (tick - low) / span, _BASE + 20, round(tick, 6)
        )
        for tick in MaxNLocator(4).tick_values(low, high)
        if low <= tick <= high
    ]
    axis = Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
        _LEFT, _WIDTH - _LEFT, _BASE, _BASE
    )
    label = f"Histogram of {spread.name} over {sum(spread.counts)} images."
    return _svg(_WIDTH, _BASE + 30, label, [*bars, axis, *ticks])


def size_plot(sizes: Sequence[Size]) -> Markup:
    """Width against height in pixels; the area of a dot is the number of images."""
    ticks = MaxNLocator(4).tick_values(0, max(max(size.width, size.height) for size in sizes))
    end, left, top = float(ticks[-1]), 48, 12
    most = max(size.images for size in sizes)

    def place(pixels: float) -> float:
        return _SQUARE * pixels / end

    rules = [
        Markup(
            '<line class="rule" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
            '<text x="{3}" y="{4:.1f}" text-anchor="end">{5:g}</text>'
            '<text x="{6:.1f}" y="{7}" text-anchor="middle">{5:g}</text>'
        ).format(
            left, left + _SQUARE, top + _SQUARE - place(tick), left - 8,
            top + _SQUARE - place(tick) + 4.5, tick, left + place(tick), top + _SQUARE + 20,
        )
        for tick in ticks
    ]  # fmt: skip
    dots = [
        Markup(
            '<circle class="fill-a" opacity=".55" cx="{:.1f}" cy="{:.1f}" r="{:.1f}">'
            "<title>{} × {}: {} images</title></circle>"
        ).format(
            left + place(size.width), top + _SQUARE - place(size.height),
            3 + 9 * (size.images / most) ** 0.5, size.width, size.height, size.images,
        )
        for size in sizes
    ]  # fmt: skip
    names = Markup('<text x="{}" y="{}" text-anchor="middle">width × height, pixels</text>').format(
        left + _SQUARE / 2, top + _SQUARE + 40
    )
    label = f"Width against height of {sum(size.images for size in sizes)} images."
    return _svg(left + _SQUARE + 16, top + _SQUARE + 48, label, [*rules, *dots, names])


def count_bar(parts: Sequence[tuple[str, int]], most: int) -> Markup:
    """The images of a class as one bar, a stretch for each split.

    Args:
        parts: Split and number of images.
        most: Of the largest class.
    """
    drawn, x = [], 0.0
    for (split, count), colour in zip(parts, ("fill-a", "fill-b", "fill-c"), strict=False):
        width = 240 * count / max(most, 1)
        drawn.append(
            Markup(
                '<rect class="{}" x="{:.1f}" y="3" width="{:.1f}" height="12">'
                "<title>{}: {}</title></rect>"
            ).format(colour, x, width, split, count)
        )
        x += width
    label = ", ".join(f"{split} {count}" for split, count in parts)
    return _svg(240, 18, label, drawn)


def _shown(count: int, most: int) -> float:
    """Share of the height; what is there at all can be seen."""
    return max(count / most, 0.015) if count else 0.0


def _svg(width: int, height: int, label: str, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(width, height, label, Markup("").join(parts))
