"""What a model says of an image, in one form for every task.

A `Prediction` is what ``hf-vft predict`` prints, the Space shows and the production log keeps. It
is made by `Task.predictions` from the model's outputs and the `Calibration` of the run, and by
nothing else, so that all of them agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_vft.evaluation.results import EvalReport


@dataclass(frozen=True)
class Calibration:
    """The values fitted on validation images that turn outputs into answers.

    Attributes:
        temperature: Logits are divided by it.
        thresholds: One for each class, on calibrated scores, in the order of the class ids; empty
            where the best class is the answer.
    """

    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()

    @classmethod
    def of(cls, report: EvalReport) -> Calibration:
        """The calibration of a finished run."""
        chosen = (report.thresholds.get(label) for label in report.labels)
        return cls(report.temperature, tuple(t for t in chosen if t is not None))


@dataclass(frozen=True)
class DetectedObject:
    """A detected box with its class and score.

    Attributes:
        label: Class name.
        score: In [0, 1].
        box: Left, top, right and bottom in pixels of the image.
        answered: Whether the score reaches the threshold of the class. The others are there for a
            slider, and for the log.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    answered: bool

    def as_dict(self) -> dict[str, Any]:
        """The box in the format of transformers' ``object-detection`` pipeline."""
        corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), self.box, strict=True))
        return {"label": self.label, "score": self.score, "box": corners}


@dataclass(frozen=True)
class Prediction:
    """The model's answer for one image.

    Attributes:
        labels: What is answered, the surest first: one class; those over their thresholds, maybe
            none; or the class of each box that is answered.
        scores: Calibrated probability of each class ``[C]``; with boxes the best score of each.
        objects: The boxes, the surest first; None where the task has none.
        region: Of an anomaly map the hottest place, with the image's score in shares of the
            threshold; None where the task has no map.
        heat: That map ``[h, w]``, in shares of the threshold.
    """

    labels: tuple[str, ...]
    scores: np.ndarray
    objects: tuple[DetectedObject, ...] | None = None
    region: DetectedObject | None = None
    heat: np.ndarray | None = None

    @property
    def confidence(self) -> float:
        """The highest score; 0 where there is no box."""
        return float(self.scores.max(initial=0.0))

    @property
    def answered(self) -> tuple[DetectedObject, ...]:
        """The boxes whose scores reach the threshold of their class."""
        return tuple(detected for detected in self.objects or () if detected.answered)

    def best(self, names: Sequence[str], top: int) -> tuple[tuple[str, float], ...]:
        """The classes of the highest scores, the best first."""
        order = np.argsort(-self.scores, kind="stable")[:top]
        return tuple((names[i], float(self.scores[i])) for i in order)
