"""Curves of precision over recall, one small plot for each class."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from hf_vft.evaluation.results import Point

_SIDE, _LEFT, _TOP = 150, 34, 8
_WIDTH, _HEIGHT = _LEFT + _SIDE + 12, _TOP + _SIDE + 40


def pr_plot(points: Sequence[Point], threshold: float | None, *, label: str) -> Markup:
    """One curve, with a dot where the threshold cuts it.

    Args:
        points: From `hf_vft.evaluation.curves.precision_recall`.
        threshold: On the scores; None draws no dot.
        label: What a screen reader says.
    """
    parts = [_grid()]
    if points:
        line = Markup(" ").join(_place(p.recall, p.precision) for p in points)
        start = _place(points[0].recall, points[0].precision)
        parts.append(Markup('<polyline class="line a" points="{} {}"/>').format(start, line))
    chosen = [p for p in points if threshold is not None and p.score >= threshold]
    if chosen:
        at = _place(chosen[-1].recall, chosen[-1].precision).split(",")
        parts.append(
            Markup(
                '<circle class="fill-b" cx="{}" cy="{}" r="5"><title>at the threshold {:.2f}: '
                "recall {:.2f}, precision {:.2f}</title></circle>"
            ).format(*at, threshold, chosen[-1].recall, chosen[-1].precision)
        )
    return Markup(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(_WIDTH, _HEIGHT, label, Markup("").join(parts))


def _place(recall: float, precision: float) -> Markup:
    return Markup("{:.1f},{:.1f}").format(_LEFT + _SIDE * recall, _TOP + _SIDE * (1.0 - precision))


def _grid() -> Markup:
    base, right = _TOP + _SIDE, _LEFT + _SIDE
    parts = [
        Markup(
            '<line class="rule" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
            '<text x="{3}" y="{4}" text-anchor="end">{5:g}</text>'
            '<text x="{6}" y="{7}" text-anchor="middle">{5:g}</text>'
        ).format(
            _LEFT, right, base - _SIDE * tick, _LEFT - 6, base - _SIDE * tick + 4.5, tick,
            _LEFT + _SIDE * tick, base + 17,
        )
        for tick in (0.0, 0.5, 1.0)
    ]  # fmt: skip
    middle = _LEFT + _SIDE / 2
    parts.append(
        Markup('<text x="{}" y="{}" text-anchor="middle">recall · precision upwards</text>').format(
            middle, base + 35
        )
    )
    return Markup("").join(parts)
