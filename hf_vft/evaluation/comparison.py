"""A challenger against the champion on the same images: is it better, and by how much at least.

Both answer every image, so what makes an image hard cancels; see `hf_vft.evaluation.paired`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from pydantic import Field

from hf_vft.evaluation.paired import PairedScore, label_measure, paired_scores
from hf_vft.evaluation.results import Estimate
from hf_vft.utils.frozen import Frozen

RESAMPLES = 2000


class Paired(Frozen):
    """A score of two models on the same images."""

    champion: float
    challenger: float
    difference: Estimate = Field(description="Challenger minus champion.")

    @classmethod
    def of(cls, score: PairedScore) -> Paired:
        """The champion is the first of the two."""
        return cls(champion=score.first, challenger=score.second, difference=score.difference)


class Comparison(Frozen):
    """Challenger against champion on one set of images."""

    n: int = Field(description="Images.")
    units: int = Field(
        description="Number of independent groups, or of images if there are no groups."
    )
    accuracy: Paired
    f1_macro: Paired
    only_champion: int = Field(description="Images that the champion alone has right.")
    only_challenger: int = Field(description="Images that the challenger alone has right.")
    p_value: float = Field(description="McNemar's exact test; images count as independent.")

    @property
    def wins(self) -> bool:
        """Whether the challenger is more often right, for sure."""
        low = self.accuracy.difference.low
        return low is not None and low > 0

    def loses(self, tolerance: float) -> bool:
        """Whether the challenger is worse for sure, or could be by more than ``tolerance``."""
        worse = any(
            high is not None and high < 0
            for high in (self.accuracy.difference.high, self.f1_macro.difference.high)
        )
        low = self.accuracy.difference.low
        return worse or low is None or low < -tolerance


def compare(
    labels: Sequence[str],
    champion: Sequence[str],
    challenger: Sequence[str],
    clusters: Sequence[Hashable | None] | None = None,
    *,
    n_bootstrap: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two models' answers to the same images.

    Args:
        labels: The truth, N names.
        champion: N answers; names that the truth does not hold are simply wrong.
        challenger: N answers.
        clusters: Group of each image; None is a group of its own.
        n_bootstrap: Resamples behind the intervals.
        seed: Of the resamples.
    """
    names = sorted({*labels, *champion, *challenger})
    truth = np.asarray(labels)
    scores = paired_scores(
        label_measure(labels, champion, names),
        label_measure(labels, challenger, names),
        (truth == np.asarray(champion), truth == np.asarray(challenger)),
        clusters=clusters,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    return Comparison(
        n=scores.n,
        units=scores.units,
        accuracy=Paired.of(scores.scores["accuracy"]),
        f1_macro=Paired.of(scores.scores["f1_macro"]),
        only_champion=scores.only_first,
        only_challenger=scores.only_second,
        p_value=scores.p_value,
    )
