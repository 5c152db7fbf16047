"""Answers of any number of labels an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from hf_vft.answers.kind import AnswerKind, CardWords, GivenAnswer, PageWords


class SeveralLabels(AnswerKind):
    """The classes whose scores reach their thresholds, maybe none."""

    task: ClassVar[str] = "multi-label-classification"
    page: ClassVar[PageWords] = PageWords(
        question="What is in the image? Nothing ticked: none of these",
        columns=("labels",),
    )
    card: ClassVar[CardWords] = CardWords("Distinguishes", "AutoModelForImageClassification")

    def columns(
        self,
        answers: Sequence[GivenAnswer],
        logits: np.ndarray | None,
        classes: Sequence[str],
        sizes: Sequence[tuple[int, int]],
    ) -> list[dict[str, Any]]:
        """The classes, how many, and all scores."""
        return [
            {
                "predicted": self.joined(answer.labels),
                "confidence": answer.confidence,
                "probabilities": answer.scores,
                "count": len(answer.labels),
            }
            for answer in answers
        ]
