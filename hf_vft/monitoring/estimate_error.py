"""How far estimates without labels can be trusted, by what was measured when the model was made.

Stress tests: held-out images are disturbed, and estimates are compared with the truth, in the
spirit of Deng & Zheng 2021, who learn accuracy from distances between samples. The error grows
with how far the content has moved, at a rate that differs from one kind of disturbance to the
next: ``error = (slope + deviation of the kind) * shift``. The slope corrects an estimate; the
deviation says how uncertain it is left, since what comes in production will be of another kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_vft.utils.frozen import Frozen

MAX_ERROR = 0.05
"""Standard deviation of an estimate from which on it is of no use."""

LEAST_KINDS = 4


class StressTest(Frozen):
    """Held-out images, disturbed: what was estimated of them, and what was true."""

    kind: str
    severity: str
    rows: int
    shift: float
    """`hf_vft.monitoring.embeddings.content_shift` from other held-out images."""
    estimated: float
    """Change in accuracy by the estimators."""
    measured: float
    """Change in accuracy by the labels."""


@dataclass(frozen=True)
class Trust:
    """The error of estimates as a function of how far the content has moved.

    Attributes:
        slope: Error that is to be expected for each unit of shift; estimates that are too high
            have a negative one.
        deviation: Standard deviation of it between kinds of disturbance.
        furthest: The largest shift that was measured.
    """

    slope: float
    deviation: float
    furthest: float

    @classmethod
    def learned(cls, tests: Sequence[StressTest]) -> Trust | None:
        """Learn the error of estimates from stress tests; None if there are too few kinds.

        The deviation is that from a slope of the other kinds: what comes will be of another kind
        as well.
        """
        kinds = sorted({test.kind for test in tests})
        if len(kinds) < LEAST_KINDS:
            return None
        by_kind = {kind: [test for test in tests if test.kind == kind] for kind in kinds}
        squares, weights = 0.0, 0.0
        for kind in kinds:
            slope = _slope([test for test in tests if test.kind != kind])
            for result in by_kind[kind]:
                squares += (_error(result) - slope * result.shift) ** 2
                weights += result.shift**2
        deviation = float(np.sqrt(squares / weights)) if weights else 0.0
        return cls(_slope(tests), deviation, max(test.shift for test in tests))

    def uncertainty(self, shift: float) -> float:
        """Standard deviation of the error of a corrected estimate."""
        return self.deviation * shift

    def refusal(self, shift: float) -> str | None:
        """The reason for which an estimate at this shift says nothing; None if it does."""
        if shift > self.furthest:
            return "the content has moved further than it did in any stress test"
        if self.uncertainty(shift) > MAX_ERROR:
            return (
                "the content has moved so far that estimates were off by "
                f"{100 * self.uncertainty(shift):.0f} points in stress tests"
            )
        return None


def _error(test: StressTest) -> float:
    return test.measured - test.estimated


def _slope(tests: Sequence[StressTest]) -> float:
    """Least squares through the origin: without a shift there is nothing to correct."""
    shift = np.array([test.shift for test in tests])
    errors = np.array([_error(test) for test in tests])
    total = float(shift @ shift)
    return float(shift @ errors) / total if total else 0.0
