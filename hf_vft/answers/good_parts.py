"""Answers of good or anomaly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from hf_vft.answers.kind import CardWords, GivenAnswer, PageWords
from hf_vft.answers.one_label import OneLabel


class GoodOrAnomaly(OneLabel):
    """Good, or an anomaly: its score is over the threshold."""

    task: ClassVar[str] = "anomaly-detection"
    scored: ClassVar[bool] = True
    tracked: ClassVar[tuple[str, ...]] = ("anomaly_score",)
    page: ClassVar[PageWords] = PageWords(
        question="Right or wrong? It is …",
        columns=("label", "score"),
        target="Map",
        target_info="Where the image is unlike good ones.",
        shown="Where it is unlike good ones",
        alt_text="The image with a heat map of what is unlike good images",
    )
    card: ClassVar[CardWords] = CardWords("Distinguishes", "AutoModel")

    def columns(
        self,
        answers: Sequence[GivenAnswer],
        logits: Any,
        classes: Sequence[str],
        sizes: Sequence[tuple[int, int]],
    ) -> list[dict[str, Any]]:
        """As for one label, and the score in shares of the threshold."""
        values: np.ndarray = logits.logits
        rows = super().columns(answers, values, classes, sizes)
        return [
            {**row, "anomaly_score": float(np.exp(value[1]))}
            for row, value in zip(rows, values, strict=True)
        ]
