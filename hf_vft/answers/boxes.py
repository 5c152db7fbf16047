"""Answers of boxes, each with a class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hf_vft.answers.kind import (
    AnswerKind,
    CardWords,
    GivenAnswer,
    GivenBox,
    PageWords,
    Scoring,
    WholeScore,
)
from hf_vft.answers.several_labels import SeveralLabels
from hf_vft.evaluation.box_matching import Boxes as MatchedBoxes
from hf_vft.evaluation.box_matching import match_all
from hf_vft.evaluation.detection import weighted_scores
from hf_vft.evaluation.intervals import Floats

if TYPE_CHECKING:
    import pandas as pd

AREA_QUANTILES = (0.1, 0.5, 0.9)
_MIDDLE = AREA_QUANTILES.index(0.5)


class Boxes(AnswerKind):
    """The boxes whose scores reach the thresholds of their classes, maybe none."""

    task: ClassVar[str] = "object-detection"
    boxes: ClassVar[bool] = True
    space: ClassVar[str] = "detector"
    tracked: ClassVar[tuple[str, ...]] = (
        "confidence",
        "count",
        "mean_score",
        "max_score",
        "box_area",
    )
    page: ClassVar[PageWords] = PageWords(
        target="Only boxes of",
        target_info="Empty: all.",
        shown="What was found",
        alt_text="The image with boxes over it",
        question="What is in the image? Nothing ticked: none of these",
        columns=("found", "boxes"),
    )
    card: ClassVar[CardWords] = CardWords("Finds", "AutoModelForObjectDetection")

    def columns(
        self,
        answers: Sequence[GivenAnswer],
        logits: np.ndarray | None,
        classes: Sequence[str],
        sizes: Sequence[tuple[int, int]],
    ) -> list[dict[str, Any]]:
        """As for several labels, and the boxes with their scores and areas."""
        rows = SeveralLabels().columns(answers, logits, classes, sizes)
        return [
            row | _of_boxes([box_columns(box) for box in answer.answered], size)
            for row, answer, size in zip(rows, answers, sizes, strict=True)
        ]

    def with_tracked(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With ``box_area``, each image's median share of it that a box takes."""
        if "area_quantiles" not in frame:
            return frame
        # Without a box there is nothing: None in a log, NaN once pandas has joined logs.
        middle = [
            float(areas[_MIDDLE]) if isinstance(areas, np.ndarray | list) else np.nan
            for areas in frame["area_quantiles"]
        ]
        return frame.assign(box_area=middle)

    def scoring(self, frames: Sequence[pd.DataFrame]) -> Scoring:
        """By place where all labels hold boxes; else the names alone are compared."""
        if not all(has_boxes(frame) for frame in frames):
            return super().scoring(frames)
        # The log does not hold the boxes below the thresholds.
        map50 = WholeScore("mAP50", "boxes that were answered", _map50)
        return Scoring("boxes at an overlap of 0.5", _box_totals, {"map50": map50})


def box_columns(box: GivenBox) -> dict[str, Any]:
    """A box as the log has it."""
    left, top, right, bottom = box.box
    place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {**place, "score": box.score, "label": box.label}


def has_boxes(frame: pd.DataFrame) -> bool:
    """Whether every row has boxes for its truth."""
    return "true_boxes" in frame and bool(len(frame)) and bool(frame["true_boxes"].notna().all())


def boxes_of(column: Iterable[Any], classes: Sequence[str]) -> list[MatchedBoxes]:
    """Boxes of the log as those that are matched; of classes that the model does not know, none."""
    number = {name: k for k, name in enumerate(classes)}
    return [_matched([box for box in rows if box["label"] in number], number) for rows in column]


def _of_boxes(boxes: list[dict[str, Any]], size: tuple[int, int]) -> dict[str, Any]:
    if not boxes:
        return {"boxes": boxes}
    scores = [box["score"] for box in boxes]
    areas = [box["width"] * box["height"] / (size[0] * size[1]) for box in boxes]
    return {
        "boxes": boxes,
        "mean_score": float(np.mean(scores)),
        "max_score": max(scores),
        "area_quantiles": np.quantile(areas, AREA_QUANTILES),
    }


def _matched(rows: Sequence[Mapping[str, Any]], number: Mapping[str, int]) -> MatchedBoxes:
    corners = [
        (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]) for box in rows
    ]
    scores = [1.0 if box.get("score") is None else box["score"] for box in rows]
    return MatchedBoxes(
        np.array(corners, dtype=float).reshape(-1, 4),
        np.array([number[box["label"]] for box in rows], dtype=np.int64),
        np.array(scores, dtype=float),
    )


def _box_totals(frame: pd.DataFrame, classes: Sequence[str]) -> Floats:
    truths, predicted = boxes_of(frame["true_boxes"], classes), boxes_of(frame["boxes"], classes)
    totals = np.zeros((len(frame), 3))
    for matches in match_all(truths, predicted, len(classes)):
        np.add.at(totals[:, 0], matches.image, matches.right[:, 0])
        np.add.at(totals[:, 1], matches.image, 1.0)
        totals[:, 2] += matches.true
    return totals


def _map50(frame: pd.DataFrame, classes: Sequence[str], weights: Floats) -> Floats:
    truths, predicted = (boxes_of(frame[name], classes) for name in ("true_boxes", "boxes"))
    scores: Floats = weighted_scores(match_all(truths, predicted, len(classes)), weights)[0][
        "map50"
    ]
    return scores
