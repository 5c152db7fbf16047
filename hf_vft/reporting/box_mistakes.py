"""Images with true and found boxes: the worst misses, the worst false alarms, and some more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hf_vft.data.load import ImageData
from hf_vft.evaluation.box_matching import box_iou
from hf_vft.evaluation.results import EvalReport
from hf_vft.reporting.mistakes import image_of, read_predictions
from hf_vft.reporting.pages import image_uri
from hf_vft.run import RunDirectory

SIDE = 300
"""Longest side of an image on the page in pixels."""

RIGHT, MISSED, FALSE = (28, 126, 214), (230, 119, 0), (201, 42, 42)
OVERLAP = 0.5


@dataclass(frozen=True)
class Seen:
    """An image on the page.

    Attributes:
        uri: With its boxes drawn, as a ``data:`` address.
        file: How people call it.
        words: What to look for.
    """

    uri: str
    file: str
    words: str


@dataclass(frozen=True)
class _Judged:
    """The boxes of one image, told apart."""

    file: str
    right: list[dict[str, Any]]
    false: list[dict[str, Any]]
    missed: list[dict[str, Any]]


def report_boxes(
    run: RunDirectory,
    data: ImageData,
    limit: int = 8,
    *,
    split: str = "test",
) -> dict[str, list[Seen]]:
    """Images with their boxes for the report, by heading; none where answers are no boxes.

    Args:
        run: With its scores and ``reference/predictions.parquet``.
        data: What the run was fitted on; images are found in it by their name.
        limit: Images under each heading.
        split: Of which split.

    Raises:
        RunError: If the predictions cannot be read.
    """
    if data.kind.name != "boxes":
        return {}
    thresholds = run.read_as(EvalReport, run.metrics_file).thresholds
    predictions = read_predictions(run)
    rows = predictions[predictions["split"] == split]
    judged = [_judge(row, thresholds) for row in rows.itertuples()]
    number = {file: row for row, file in enumerate(data.splits[split]["file"])}
    most_missed = sorted(judged, key=lambda image: (-len(image.missed), image.file))
    surest = sorted(judged, key=lambda image: (-_sureness(image.false), image.file))
    step = max(1, len(judged) // limit)
    chosen = {
        "Worst misses": [image for image in most_missed if image.missed],
        "Worst false alarms": [image for image in surest if image.false],
        "As they come": judged[::step],
    }
    by_title: dict[str, list[Seen]] = {}
    for heading, ones in chosen.items():
        by_title[heading] = []
        for case in ones[:limit]:
            image = image_of(data, split, number.get(case.file), side=None)
            if image is not None:
                by_title[heading].append(Seen(_drawn(image, case), case.file, _words(case)))
    return by_title


def _judge(row: Any, thresholds: dict[str, float]) -> _Judged:
    """Give each answered box, the surest first, the free true box of its class that fits best."""
    truths = list(row.label)
    answers = [box for box in row.predicted if box["score"] >= thresholds[box["label"]]]
    free = dict(enumerate(truths))
    right, false = [], []
    for answer in answers:
        fits = {
            i: float(box_iou(_corners([answer]), _corners([truth]))[0, 0])
            for i, truth in free.items()
            if truth["label"] == answer["label"]
        }
        best = max(fits, key=lambda i: fits[i], default=None)
        if best is not None and fits[best] >= OVERLAP:
            right.append(answer)
            del free[best]
        else:
            false.append(answer)
    return _Judged(str(row.file), right, false, list(free.values()))


def _corners(objects: Sequence[dict[str, Any]]) -> np.ndarray:
    return np.array([[o["box"][k] for k in ("xmin", "ymin", "xmax", "ymax")] for o in objects])


def _sureness(objects: Sequence[dict[str, Any]]) -> float:
    return max((float(box["score"]) for box in objects), default=0.0)


def _words(judged: _Judged) -> str:
    parts = [f"{len(judged.right)} right"]
    if judged.missed:
        names = sorted({box["label"] for box in judged.missed})
        parts.append(f"{len(judged.missed)} missed ({', '.join(names)})")
    if judged.false:
        worst = max(judged.false, key=lambda box: box["score"])
        parts.append(f"{len(judged.false)} false ({worst['label']} {worst['score']:.0%} sure)")
    return ", ".join(parts)


def _drawn(image: Image.Image, judged: _Judged) -> str:
    """Boxes on a reduced image: lines of two pixels whatever its size."""
    scale = min(1.0, SIDE / max(image.size))
    small = image.convert("RGB").resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))),
        Image.Resampling.LANCZOS,
    )
    if max(small.size) < SIDE:  # boxes on a thumbnail could not be told apart
        factor = SIDE / max(small.size)
        scale *= factor
        small = small.resize((round(small.width * factor), round(small.height * factor)))
    draw = ImageDraw.Draw(small)
    for objects, colour in ((judged.right, RIGHT), (judged.missed, MISSED), (judged.false, FALSE)):
        for box in _corners(objects) * scale if objects else []:
            draw.rectangle([float(v) for v in box], outline=colour, width=2)
    return image_uri(small, SIDE)
