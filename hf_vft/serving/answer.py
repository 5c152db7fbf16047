"""An answer to one image, as the page and the endpoints give it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hf_vft.evaluation.alarms import Alarm
from hf_vft.tasks import DetectedObject


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    Attributes:
        request_id: Names it in the log, and for feedback.
        labels: What is answered: one class; those over their thresholds, maybe none; or the class
            of each box that is answered.
        scores: Classes with calibrated scores, the best first.
        objects: Boxes, the surest first, also those below the threshold; None where the task has
            none.
        sure: Whether the confidence reaches the abstention threshold, and no threshold by cost
            contradicts the answer; None where thresholds of the classes decide.
        reason: Why it is not sure; empty if it is.
        note: What was noticed while the image was decoded; mostly empty.
        region: The hottest place of an anomaly map, with the score in shares of the threshold.
        alarms: Classes whose threshold by cost is reached; None where the run has no thresholds.
    """

    request_id: str
    labels: tuple[str, ...]
    scores: tuple[tuple[str, float], ...]
    objects: tuple[DetectedObject, ...] | None = None
    sure: bool | None = None
    reason: str = ""
    note: str = ""
    region: DetectedObject | None = None
    alarms: tuple[Alarm, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The answer in the form of the endpoints."""
        named: dict[str, Any] = {"request_id": self.request_id}
        named |= {"note": self.note} if self.note else {}
        if self.alarms is not None:
            named |= {"alarms": [alarm.as_dict() for alarm in self.alarms]}
        if self.objects is not None:
            return named | {"objects": [_box(box) for box in self.objects]}
        if self.region is not None:
            place = _box(self.region)
            return named | {
                "label": self.labels[0],
                "anomaly": place["answered"],
                "score": place["score"],
                "threshold": 1.0,
                "box": place["box"],
            }
        scores = [{"label": name, "score": round(score, 6)} for name, score in self.scores]
        if self.sure is None:
            return named | {"labels": list(self.labels), "scores": scores}
        best = {"label": self.labels[0], "confidence": scores[0]["score"]}
        return named | best | {"sure": self.sure, "reason": self.reason, "scores": scores}


def _box(detected: DetectedObject) -> dict[str, Any]:
    corners = {name: round(edge, 2) for name, edge in detected.as_dict()["box"].items()}
    return {
        "label": detected.label,
        "score": round(detected.score, 6),
        "box": corners,
        "answered": detected.answered,
    }


def boxes_of(answer: dict[str, Any]) -> list[DetectedObject]:
    """The boxes of what `Answer.as_dict` wrote."""
    return [
        DetectedObject(
            box["label"],
            box["score"],
            tuple(box["box"][name] for name in ("xmin", "ymin", "xmax", "ymax")),
            box["answered"],
        )
        for box in answer.get("objects", [])
    ]


def over(objects: list[DetectedObject], threshold: float | None) -> list[DetectedObject]:
    """The boxes from a score on; None takes those that are answered."""
    if threshold is None:
        return [box for box in objects if box.answered]
    return [box for box in objects if box.score >= threshold]
