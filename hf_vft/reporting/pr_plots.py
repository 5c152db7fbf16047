"""Curves of precision over recall and of recall over false alarms (ROC), small, by class."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from hf_vft.evaluation.results import Point

_SIDE, _LEFT, _TOP = 150, 34, 8
_WIDTH, _HEIGHT = _LEFT + _SIDE + 12, _TOP + _SIDE + 40


def pr_plot(points: Sequence[Point], threshold: float | None, *, label: str) -> Markup:
    """One curve, with a dot where the threshold cuts it.

    Args:
        points: From `hf_vft.evaluation.pr_roc_curves.precision_recall`.
        threshold: On the scores; None draws no dot.
        label: What a screen reader says.
    """
    parts = [_grid("recall · precision ↑")]
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


def roc_plot(points: Sequence[Point], threshold: float | None, *, label: str) -> Markup | None:
    """Recall over the share of false alarms, beside the diagonal of chance; None for boxes.

    Args:
        points: From `hf_vft.evaluation.pr_roc_curves.precision_recall`.
        threshold: On the scores; None draws no dot.
        label: What a screen reader says.
    """
    known = [(p, p.false_positive_rate) for p in points if p.false_positive_rate is not None]
    if not known:
        return None
    places = [_place(0.0, 0.0), *(_place(rate, p.recall) for p, rate in known), _place(1.0, 1.0)]
    parts = [
        _grid("false alarms · recall ↑"),
        Markup('<polyline class="line c dashed" points="{} {}"/>').format(places[0], places[-1]),
        Markup('<polyline class="line a" points="{}"/>').format(Markup(" ").join(places)),
    ]
    chosen = [(p, rate) for p, rate in known if threshold is not None and p.score >= threshold]
    if chosen:
        point, rate = chosen[-1]
        parts.append(
            Markup(
                '<circle class="fill-b" cx="{}" cy="{}" r="5"><title>at the threshold {:.2f}: '
                "recall {:.2f}, false alarms {:.2f}</title></circle>"
            ).format(*_place(rate, point.recall).split(","), threshold, point.recall, rate)
        )
    return Markup(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(_WIDTH, _HEIGHT, label, Markup("").join(parts))


def _place(across: float, up: float) -> Markup:
    return Markup("{:.1f},{:.1f}").format(_LEFT + _SIDE * across, _TOP + _SIDE * (1.0 - up))


def _grid(axes: str) -> Markup:
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
        Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(middle, base + 35, axes)
    )
    return Markup("").join(parts)
