"""Whether what the model sees has changed, and whether that is more than another class mix.

The principal components are those of both samples together. Components of the reference alone
describe the reference better than any other sample, and a test would find that difference in
every window: with the labels of the samples exchangeable, it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hf_vft.monitoring.findings import Finding, insufficient
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.two_sample import (
    classifier_difference,
    columns_difference,
    mean_discrepancy,
    median_distance,
    random_features,
)

Floats = npt.NDArray[np.float64]

COMPONENTS = 32
MOST_ROWS = 3000
"""Of each sample: more tell nothing new about drift, and permutations take their time."""

PERMUTATIONS = 500
LEAST_ROWS = 50
_BLOCK = 2**23  # numbers of a bootstrap that are held at once


@dataclass(frozen=True)
class Reduction:
    """Principal components of a reference: a fixed space to look for strange images in.

    Attributes:
        mean: ``float32 [D]``.
        directions: ``float32 [D, K]``, K at most `COMPONENTS`.
    """

    mean: npt.NDArray[np.float32]
    directions: npt.NDArray[np.float32]

    @classmethod
    def fit(cls, sample: Sample) -> Reduction:
        """Fit the reduction to the embeddings of a sample."""
        values = _values(sample)
        mean = values.mean(0)
        centred = values - mean
        _, directions = np.linalg.eigh(centred.T @ centred)
        kept = min(COMPONENTS, *values.shape)
        return cls(mean.astype(np.float32), directions[:, ::-1][:, :kept].astype(np.float32))

    def with_rest(self, sample: Sample) -> Floats:
        """Components ``[N, K]``, and as last column how much of the embedding they leave out."""
        values = _values(sample) - self.mean
        scores = values @ self.directions
        left = np.sqrt(np.maximum((values**2).sum(1) - (scores**2).sum(1), 0.0))
        return np.column_stack([scores, left])


def embedding_findings(
    reference: Sample,
    labels: npt.NDArray[np.int64] | None,
    current: Sample,
    class_mix: Floats | None,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> list[Finding]:
    """Four looks at the embeddings of two samples; three where there is no one label an image.

    Args:
        reference: Independent rows with embeddings.
        labels: True class ids of the reference ``[N]``, or None.
        current: Independent rows with embeddings.
        class_mix: Estimated shares of the classes now ``[C]``, or None.
        permutations: Of the kernel tests.
        seed: Of everything random.
    """
    n, m = len(reference), len(current)
    if min(n, m) < LEAST_ROWS:
        note = f"{m} embeddings now, {n} at training: {LEAST_ROWS} of each are needed."
        return [insufficient("embedding", name, m, note) for name in ("components", "mmd")]
    rng = np.random.default_rng(seed)
    if n > MOST_ROWS:
        chosen = np.sort(rng.choice(n, MOST_ROWS, replace=False))
        reference, labels = reference.take(chosen), None if labels is None else labels[chosen]
    current = current.at_most(MOST_ROWS, rng)
    ours, theirs = together(reference, current)
    components, _ = columns_difference(ours, theirs)
    mmd = mean_discrepancy(ours, theirs, permutations=permutations, rng=rng)
    classifier = classifier_difference(ours, theirs, rng)
    rows = len(current)
    findings = [
        Finding(
            section="embedding",
            name="components",
            method=f"Kolmogorov-Smirnov on {ours.shape[1]} principal components, Bonferroni",
            statistic=components.statistic,
            p_value=components.p_value,
            effect=components.effect,
            effect_name="largest KS distance",
            rows=rows,
            note="How far the direction has moved in which the content moved most.",
        ),
        Finding(
            section="embedding",
            name="mmd",
            method="maximum mean discrepancy, permutations",
            statistic=mmd.statistic,
            p_value=mmd.p_value,
            effect=mmd.effect,
            effect_name="MMD",
            rows=rows,
            note="How far the content as a whole is from that at training.",
        ),
        Finding(
            section="embedding",
            name="classifier",
            method="classifier two-sample test, Mann-Whitney",
            statistic=classifier.statistic,
            p_value=classifier.p_value,
            effect=classifier.effect,
            effect_name="2 AUC - 1",
            rows=rows,
            note=f"A classifier tells old from new with AUC {classifier.statistic:.2f}.",
        ),
    ]
    if labels is None or class_mix is None:
        return findings
    rest = beyond_class_mix(ours, labels, theirs, class_mix, permutations, rng)
    findings.append(
        Finding(
            section="embedding",
            name="new_content",
            method="MMD to the reference in the present class mix, bootstrap",
            statistic=rest.statistic,
            p_value=rest.p_value,
            effect=rest.effect,
            effect_name="MMD",
            rows=rows,
            note="What is left of the drift once the classes have their present shares: new "
            "content if this is significant, only another class mix if it is not.",
        )
    )
    return findings


def content_shift(
    reference: Sample,
    labels: npt.NDArray[np.int64],
    current: Sample,
    class_mix: Floats,
    *,
    seed: int = 0,
) -> float:
    """Shift of the content beyond the class mix: an MMD that does not depend on the number of rows.

    `new_content` grows by chance where rows are few. Here what chance adds is taken off, so
    samples of other sizes can be compared.

    Args:
        reference: Independent rows with embeddings.
        labels: True class ids of the reference ``[N]``.
        current: Independent rows with embeddings.
        class_mix: Estimated shares of the classes now ``[C]``.
        seed: Of the kernel's features, and of the rows where there are too many.
    """
    rng = np.random.default_rng(seed)
    numbered = Sample(reference.frame.assign(_class=labels), reference.embeddings)
    some = numbered.at_most(MOST_ROWS, rng)
    ours, theirs = together(some, current.at_most(MOST_ROWS, rng))
    labels = some.frame["_class"].to_numpy()
    shift = beyond_class_mix(ours, labels, theirs, class_mix, 0, rng)
    return float(np.sqrt(max(shift.statistic - shift.by_chance, 0.0)))


def together(reference: Sample, current: Sample) -> tuple[Floats, Floats]:
    """Scores on the principal components of both samples, every row with the same weight.

    With the same weight for each sample, the components would follow the chance of the smaller
    one: measured, one window in seven alarmed at 5 % with 200 rows against 600.
    """
    ours, theirs = (_values(sample) for sample in (reference, current))
    points = np.concatenate([ours, theirs])
    centre = points.mean(0)
    ours, theirs, points = ours - centre, theirs - centre, points - centre
    covariance = points.T @ points / len(points)
    variances, directions = np.linalg.eigh(covariance)
    order = np.argsort(-variances)[:COMPONENTS]
    kept = directions[:, order[variances[order] > 1e-9 * variances.max()]]
    if not kept.shape[1]:
        kept = directions[:, order[:1]]
    return ours @ kept, theirs @ kept


@dataclass(frozen=True)
class Beyond:
    """The difference that remains in the present class mix.

    Attributes:
        statistic: Squared MMD.
        by_chance: What two samples of these sizes would have without any difference.
        p_value: None without resamples.
    """

    statistic: float
    by_chance: float
    p_value: float | None

    @property
    def effect(self) -> float:
        """MMD, 0 to about 1.4."""
        return float(np.sqrt(self.statistic))


def beyond_class_mix(
    reference: Floats,
    labels: npt.NDArray[np.int64],
    current: Floats,
    class_mix: Floats,
    resamples: int,
    rng: np.random.Generator,
) -> Beyond:
    """MMD between the current sample and the reference weighted to the present class mix.

    Under label shift alone this is what two samples from the weighted reference differ in; the
    bootstrap draws such pairs, each with its classes' shares as uncertain as the estimate.
    """
    classes = len(class_mix)
    counts = np.bincount(labels, minlength=classes)
    share = np.where(counts > 0, class_mix, 0.0)
    share = share / share.sum() if share.sum() > 0 else counts / counts.sum()
    points = np.concatenate([reference, current])
    features = random_features(points, median_distance(points, rng))
    ours, theirs = features[: len(reference)], features[len(reference) :]
    members = [np.flatnonzero(labels == k) for k in np.flatnonzero(counts)]
    share = share[counts > 0]
    by_class = np.stack([ours[rows].mean(0) for rows in members])
    observed = float(_nearest_mix(by_class[None], theirs.mean(0)[None], share)[0])
    drawn = [_scatter(ours[rows]) for rows in members]
    by_chance = float(np.dot(share**2, drawn)) + _scatter(theirs)
    if not resamples:
        return Beyond(observed, by_chance, None)
    block = max(1, _BLOCK // by_class.size)
    sizes = [min(block, resamples - start) for start in range(0, resamples, block)]
    pairs = (_drawn_pairs(ours, members, share, len(theirs), size, rng) for size in sizes)
    null = np.concatenate([_nearest_mix(again, mixed, share) for again, mixed in pairs])
    p_value = (1.0 + float((null >= observed).sum())) / (1.0 + resamples)
    return Beyond(observed, by_chance, p_value)


def _scatter(points: Floats) -> float:
    """How far the mean of ``points [N, F]`` is expected from the true one, squared."""
    return float(points.var(0).sum()) / max(len(points) - 1, 1)


def _drawn_pairs(
    features: Floats,
    members: Sequence[npt.NDArray[np.int64]],
    share: Floats,
    rows: int,
    size: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Means of the classes ``[size, C, F]``, and of samples ``[size, F]`` in their shares.

    How often each row is drawn, with replacement, says all about a mean.
    """
    drawn = rng.multinomial(rows, share, size=size)
    by_class = np.empty((size, len(members), features.shape[1]))
    mixed = np.zeros((size, features.shape[1]))
    for k, mine in enumerate(members):
        even = np.full(len(mine), 1.0 / len(mine))
        by_class[:, k] = rng.multinomial(len(mine), even, size=size) @ features[mine] / len(mine)
        mixed += rng.multinomial(drawn[:, k], even) @ features[mine] / rows
    return by_class, mixed


def _nearest_mix(by_class: Floats, target: Floats, start: Floats) -> Floats:
    """Squared distances ``[B]`` of ``target [B, F]`` to the nearest mixtures of the classes.

    Args:
        by_class: Mean features of each class ``[B, C, F]``.
        target: Mean features of a sample ``[B, F]``.
        start: Shares ``[C]`` to begin with; an error in them is not new content.
    """
    present = np.flatnonzero(start > 0)
    by_class = by_class[:, present]
    gram = by_class @ by_class.transpose(0, 2, 1)
    along = (by_class @ target[..., None])[..., 0]
    shares = np.tile(start[present] / start[present].sum(), (len(target), 1))
    step = 1.0 / np.maximum(np.trace(gram, axis1=1, axis2=2), 1e-12)[:, None]
    for _ in range(50):
        slope = (gram @ shares[..., None])[..., 0] - along
        shares = _onto_simplex(shares - step * slope)
    gap = (shares[:, None] @ by_class)[:, 0] - target
    distances: Floats = (gap**2).sum(1)
    return distances


def _onto_simplex(values: Floats) -> Floats:
    """The nearest shares ``[B, C]`` (Duchi et al. 2008)."""
    ordered = -np.sort(-values, axis=1)
    sums = np.cumsum(ordered, axis=1) - 1.0
    places = np.arange(1, values.shape[1] + 1)
    last = (ordered - sums / places > 0).sum(1)
    level = np.take_along_axis(sums, last[:, None] - 1, 1) / last[:, None]
    projected: Floats = np.maximum(values - level, 0.0)
    return projected


def _values(sample: Sample) -> Floats:
    if sample.embeddings is None:
        raise ValueError("the sample has no embeddings")
    return np.asarray(sample.embeddings, dtype=np.float64)
