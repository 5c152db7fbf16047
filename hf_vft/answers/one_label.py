"""Answers of one label an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.special import entr, logsumexp

from hf_vft.answers.kind import AnswerKind, CardWords, GivenAnswer, PageWords, one_of
from hf_vft.records.schema import FULL_PROBABILITIES, TOP_PROBABILITIES


class OneLabel(AnswerKind):
    """The most probable class."""

    task: ClassVar[str] = "image-classification"
    exclusive: ClassVar[bool] = True
    tracked: ClassVar[tuple[str, ...]] = ("confidence", "entropy", "energy")
    page: ClassVar[PageWords] = PageWords(
        question="Right or wrong? It is …",
        columns=("label", "confidence", "sure"),
    )
    card: ClassVar[CardWords] = CardWords("Distinguishes", "AutoModelForImageClassification")

    def names(self, text: str) -> list[str]:
        """The one name, whatever characters it has."""
        return [text]

    def joined(self, names: Sequence[str]) -> str:
        """The one name."""
        return names[0]

    def told(self, given: Sequence[str], classes: Sequence[str]) -> list[str]:
        """The one name.

        Raises:
            DataError: If there is none, or another beside it.
        """
        return one_of(given)

    def columns(
        self,
        answers: Sequence[GivenAnswer],
        logits: np.ndarray | None,
        classes: Sequence[str],
        sizes: Sequence[tuple[int, int]],
    ) -> list[dict[str, Any]]:
        """The class, how sure it is, and how familiar the image is."""
        probs = np.stack([answer.scores for answer in answers]) if answers else np.empty((0, 1))
        if logits is None:
            raise ValueError("logits are needed: the energy follows from them")
        return one_label_columns(probs, logits, classes)


def one_label_columns(
    probs: np.ndarray, logits: np.ndarray, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Single-label answers as columns of `hf_vft.records.PREDICTIONS`.

    Args:
        probs: Calibrated ``[N, C]``.
        logits: ``[N, C]``, before the temperature.
        classes: The C classes.
    """
    order = np.argsort(-probs, axis=1, kind="stable")
    best = np.take_along_axis(probs, order, 1)
    entropy, energy = entr(probs).sum(1), -logsumexp(logits, axis=1)
    rows = []
    for i in range(len(probs)):
        row = {
            "predicted": classes[order[i, 0]],
            "confidence": best[i, 0],
            "margin": best[i, 0] - (best[i, 1] if best.shape[1] > 1 else 0.0),
            "entropy": entropy[i],
            "energy": energy[i],
            "probabilities": probs[i],
        }
        if len(classes) > FULL_PROBABILITIES:
            row["probabilities"] = best[i, :TOP_PROBABILITIES]
            row["top_labels"] = [classes[k] for k in order[i, :TOP_PROBABILITIES]]
            row["rest"] = best[i, TOP_PROBABILITIES:].sum()
        rows.append(row)
    return rows
