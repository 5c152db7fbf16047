"""Learning curves from ``history.json``: the stages one after the other on one axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from hf_vft.evaluation.metrics import lower_is_better
from hf_vft.reporting.plots import Band, Point, Series, line_plot
from hf_vft.reporting.verdict import metric_name

Record = Mapping[str, Any]


def stage_bands(history: Sequence[Record]) -> list[Band]:
    """Start and end of each stage, in epochs since the first one began."""
    bands: list[Band] = []
    for name, records in _stages(history):
        start = bands[-1].end if bands else 0.0
        bands.append(Band(name, start, start + max(float(r["epoch"]) for r in records)))
    return bands


def score_curve(history: Sequence[Record], metric: str) -> Markup | None:
    """The validation score by epoch, a ring at the best of each stage; None without scores."""
    lines = _lines(history, f"eval_{metric}")
    if not any(lines):
        return None
    best = min if lower_is_better(metric) else max
    return line_plot(
        # A line per stage: between stages the optimizer starts anew.
        [Series(metric, "a", points) for points in lines if points],
        stage_bands(history),
        label=f"Line plot: validation {metric_name(metric)} by epoch.",
        rings=[best(points, key=lambda point: point[1]) for points in lines if points],
    )


def loss_curve(history: Sequence[Record]) -> Markup | None:
    """Training and validation loss by epoch; None without losses."""
    series = [
        Series(key, colour, points)
        for key, colour in (("train_loss", "b"), ("eval_loss", "a"))
        for points in _lines(history, key)
        if points
    ]
    if not series:
        return None
    label = "Line plot: training and validation loss by epoch."
    return line_plot(series, stage_bands(history), label=label)


def _stages(history: Sequence[Record]) -> Iterator[tuple[str, list[Record]]]:
    names = dict.fromkeys(str(record["stage"]) for record in history)
    for name in names:
        yield name, [record for record in history if record["stage"] == name]


def _lines(history: Sequence[Record], key: str) -> list[list[Point]]:
    """The points of each stage; a stage that did not record ``key`` has none."""
    return [
        [
            (band.start + float(record["epoch"]), float(record[key]))
            for record in records
            if record.get(key) is not None
        ]
        for band, (_, records) in zip(stage_bands(history), _stages(history), strict=True)
    ]
