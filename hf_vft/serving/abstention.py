"""Below which confidence an answer is no answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hf_vft.errors import RunError
from hf_vft.run import RunDirectory

TARGET = 0.95
"""How often an answer above the threshold was right on held-out images."""

_FEWEST = 10
OTHERWISE = 0.5


@dataclass(frozen=True)
class Abstention:
    """The rule by which the server answers "not sure".

    Attributes:
        threshold: Calibrated confidence below which the model abstains.
        accuracy: How often answers at or above it were right on validation; None if not known.
        coverage: The share of validation that was answered.
    """

    threshold: float
    accuracy: float | None = None
    coverage: float | None = None

    def reason(self, confidence: float) -> str:
        """The reason for which an answer is withheld, in a sentence."""
        limit = f"{100 * self.threshold:.0f} %"
        if self.accuracy is None:
            return (
                f"It is {100 * confidence:.0f} % sure; below {limit} its answers are not relied on."
            )
        return (
            f"It is {100 * confidence:.0f} % sure. On validation images its answers were right "
            f"{100 * self.accuracy:.0f} % of the time from {limit} on, and less often below."
        )


def abstention(run: RunDirectory, target: float = TARGET) -> Abstention:
    """The lowest threshold at which validation answers are right often enough.

    Where no threshold reaches the target on at least ten images, the one that comes closest.
    """
    if not run.predictions_file.is_file():
        return Abstention(OTHERWISE)
    frame = run.read_table(run.predictions_file)
    if not {"split", "label", "predicted", "confidence"} <= set(frame.columns):
        return Abstention(OTHERWISE)
    frame = frame[frame["split"] == "validation"].sort_values("confidence", ascending=False)
    if len(frame) < _FEWEST:
        return Abstention(OTHERWISE)
    confidence = pd.to_numeric(frame["confidence"], errors="coerce")
    if confidence.isna().any():
        raise RunError(f"{run.predictions_file}: a confidence in it is not a number.")
    right = (frame["label"] == frame["predicted"]).to_numpy(float)
    accuracy = np.cumsum(right) / np.arange(1, len(right) + 1)
    enough = np.flatnonzero(accuracy[_FEWEST - 1 :] >= target) + _FEWEST - 1
    last = int(enough[-1]) if len(enough) else int(accuracy[_FEWEST - 1 :].argmax()) + _FEWEST - 1
    threshold = float(confidence.iloc[last])
    return Abstention(threshold, float(accuracy[last]), (last + 1) / len(frame))
