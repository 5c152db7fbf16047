"""Images with true and found boxes: the worst misses, the worst false alarms, and some more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
class JudgedBoxes:
    """The boxes of one image, by outcome at an overlap of 0.5.

    Attributes:
        file: How people call the image.
        right: Found boxes that are right; each has ``label``, ``score`` and ``box``.
        false: Found boxes that are not.
        missed: True boxes that were not found.
    """

    file: str
    right: list[dict[str, Any]]
    false: list[dict[str, Any]]
    missed: list[dict[str, Any]]

    @property
    def words(self) -> str:
        """In words, such as ``2 right, 1 missed (crack)``."""
        if not (self.right or self.missed or self.false):
            return "nothing there, nothing found"
        parts = [f"{len(self.right)} right"]
        if self.missed:
            names = sorted({box["label"] for box in self.missed})
            parts.append(f"{len(self.missed)} missed ({', '.join(names)})")
        if self.false:
            worst = max(self.false, key=lambda box: box["score"])
            parts.append(f"{len(self.false)} false ({worst['label']} {worst['score']:.0%} sure)")
        return ", ".join(parts)

    def drawn(self, image: Image.Image) -> Image.Image:
        """On the image, of `SIDE` pixels: right ones blue, missed ones orange, false ones red."""
        scale = SIDE / max(image.size)  # boxes on a thumbnail could not be told apart
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        shown = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        draw = ImageDraw.Draw(shown)
        for objects, colour in ((self.right, RIGHT), (self.missed, MISSED), (self.false, FALSE)):
            for box in _corners(objects) * scale if objects else []:
                draw.rectangle([float(v) for v in box], outline=colour, width=2)
        return shown


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
    judged = [
        judge_boxes(str(row.file), row.label, row.predicted, thresholds)  # type: ignore[arg-type]
        for row in rows.itertuples()
    ]
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
                uri = image_uri(case.drawn(image), SIDE)
                by_title[heading].append(Seen(uri, case.file, case.words))
    return by_title


def judge_boxes(
    file: str,
    truths: Sequence[dict[str, Any]],
    found: Sequence[dict[str, Any]],
    thresholds: Mapping[str, float],
) -> JudgedBoxes:
    """Give each answered box, the surest first, the free true box of its class that fits best.

    Args:
        file: How people call the image.
        truths: Its boxes, as ``reference/predictions.parquet`` has them.
        found: Boxes that were found, the surest first.
        thresholds: By class; boxes below are no answers.
    """
    truths = list(truths)
    answers = [box for box in found if box["score"] >= thresholds[box["label"]]]
    free = dict(enumerate(truths))
    right: list[dict[str, Any]] = []
    false: list[dict[str, Any]] = []
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
    return JudgedBoxes(file, right, false, list(free.values()))


def _corners(objects: Sequence[dict[str, Any]]) -> np.ndarray:
    edges = ("xmin", "ymin", "xmax", "ymax")
    return np.array([[o["box"][k] for k in edges] for o in objects], dtype=np.float64)


def _sureness(objects: Sequence[dict[str, Any]]) -> float:
    return max((float(box["score"]) for box in objects), default=0.0)
