"""What a run teaches: what fine-tuning and more images bring, and which classes look alike.

Everything here is measured on images that were held out. Nothing is extrapolated: curves that
were fitted to score over images and drawn on held the truth in one of ten of their intervals.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from pydantic import Field

from hf_vft.evaluation.counts import count_scores
from hf_vft.evaluation.intervals import Floats, Ints, percentile_interval, resamples, units_of
from hf_vft.evaluation.ranking_metrics import ClassRanking
from hf_vft.evaluation.results import Estimate
from hf_vft.utils.frozen import Frozen

ALIKE = 0.65
"""Classes whose AUROC against each other is below this, for sure, look alike."""


class CurvePoint(Frozen):
    """The score of a probe of a part of the training images."""

    images: int
    score: Estimate = Field(description="Mean over several draws of the part.")


class DataCurve(Frozen):
    """Score over training images, measured."""

    points: list[CurvePoint]
    doubling: Estimate = Field(description="Score of all images minus that of half of them.")


class ClassPair(Frozen):
    """Separability of two classes: AUROC of one against the other; 0.5 is guessing."""

    classes: tuple[str, str]
    n: int = Field(description="Training images of both.")
    probe: Estimate = Field(description="Of a probe of these two, cross-validated on training.")
    model: Estimate = Field(description="Of the model, on held-out images.")

    @property
    def inseparable(self) -> bool:
        """Whether the probe fails for sure, and the model does no better."""
        fails = self.probe.high is not None and self.probe.high < ALIKE
        return fails and (self.model.value is None or self.model.value < ALIKE)


class Lessons(Frozen):
    """The insights of a search, besides its model."""

    metric: str
    split: str = Field(description="On which everything but the pairs is measured.")
    gain: Estimate = Field(description="Model minus linear probe on the same images.")
    curve: DataCurve | None = None
    pairs: list[ClassPair] = Field(
        default_factory=list, description="Classes that the model takes for one another."
    )


class Held:
    """Held-out images of known classes, and their resamples.

    Args:
        truth: Class ids ``[N]``.
        n_classes: C.
        metric: One of those that are counted; macro F1 stands in for others.
        clusters: Images that belong together.
        n_bootstrap: Resamples.
        seed: Of the resamples.
    """

    def __init__(
        self,
        truth: Ints,
        n_classes: int,
        metric: str,
        *,
        clusters: Sequence[Hashable | None] | None = None,
        n_bootstrap: int = 1000,
        seed: int = 0,
    ) -> None:
        self.truth, self.n_classes, self.seed = truth, n_classes, seed
        self._draws = list(resamples(units_of(len(truth), clusters), n_bootstrap, seed))
        counted = count_scores(truth, truth, n_classes, np.ones((len(truth), 1)))[0]
        self.metric = metric if metric in counted else "f1_macro"

    def scores(self, predicted: Ints) -> tuple[float, Floats]:
        """Score answers ``[N]`` on the images and on each of their resamples."""
        columns = [np.ones((len(self.truth), 1)), *self._draws]
        computed = [
            count_scores(self.truth, predicted, self.n_classes, weights)[0][self.metric]
            for weights in columns
        ]
        return float(computed[0][0]), np.concatenate([np.empty(0), *computed[1:]])


def gain(held: Held, ours: Ints, theirs: Ints) -> Estimate:
    """The gain of one model over another on the same images, by the paired bootstrap."""
    (value, draws), (other, others) = held.scores(ours), held.scores(theirs)
    return _estimate(value - other, draws - others)


def data_curve(held: Held, answers_by_images: Mapping[int, Sequence[Ints]]) -> DataCurve | None:
    """The score over training images, and what the last doubling brought.

    A resample takes one of the draws of each part, so the intervals hold what the choice of
    images does as well: to learn from, and to test on.

    Args:
        held: What the answers are to.
        answers_by_images: By number of training images, the answers of a probe of each
            draw of so many. The two largest are all images and half of them.

    Returns:
        None where there are fewer than two parts.
    """
    if len(answers_by_images) < 2:
        return None
    rng = np.random.default_rng(held.seed)
    values, draws = {}, {}
    for images in sorted(answers_by_images):
        scores = [held.scores(answers) for answers in answers_by_images[images]]
        values[images] = float(np.mean([value for value, _ in scores]))
        table = np.stack([column for _, column in scores])
        drawn = rng.integers(len(table), size=table.shape[1])
        draws[images] = table[drawn, np.arange(table.shape[1])]
    half, whole = sorted(answers_by_images)[-2:]
    return DataCurve(
        points=[
            CurvePoint(images=n, score=_estimate(values[n], draws[n]))
            for n in sorted(answers_by_images)
        ],
        doubling=_estimate(values[whole] - values[half], draws[whole] - draws[half]),
    )


def auroc(
    scores: Floats,
    positive: np.ndarray,
    *,
    clusters: Sequence[Hashable | None] | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Estimate:
    """The area under the ROC curve for two classes, with its interval."""
    if not positive.any() or positive.all():
        return Estimate(value=None)
    ranked = ClassRanking(scores, positive)
    units = units_of(len(scores), clusters)
    draws = [ranked.scores(weights)[0] for weights in resamples(units, n_bootstrap, seed)]
    value = float(ranked.scores(np.ones((len(scores), 1)))[0][0])
    return _estimate(value, np.concatenate([np.empty(0), *draws]))


def _estimate(value: float, draws: Floats) -> Estimate:
    low, high = percentile_interval(draws)
    return Estimate(value=value, low=float(low), high=float(high))
