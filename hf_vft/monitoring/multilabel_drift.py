"""Where an image has several labels, or boxes: how the answers drift, and how often each occurs.

An answer is a set of names, joined in the log; a detector's boxes count by their number,
scores and areas as well. What rests on one label an image is not looked at, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from hf_vft.answers import AnswerKind
from hf_vft.monitoring.class_mix import LEAST_SUPPORT, black_box, share_finding
from hf_vft.monitoring.findings import Finding, insufficient
from hf_vft.monitoring.input_drift import numeric_finding
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.prediction_drift import all_outputs, probabilities
from hf_vft.monitoring.two_sample import RESAMPLES, categorical_difference

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

DRAWS = 100


def presence(answers: pd.Series, labels: Sequence[str], kind: AnswerKind) -> Flags:
    """The presence of each label in each answer, ``[N, C]``."""
    number = {name: k for k, name in enumerate(labels)}
    present = np.zeros((len(answers), len(labels)), dtype=bool)
    for row, text in enumerate(answers):
        for name in kind.names(str(text)):
            if name in number:
                present[row, number[name]] = True
    return present


def several_prediction_findings(
    reference: Sample,
    current: Sample,
    labels: Sequence[str],
    kind: AnswerKind,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Finding]:
    """Findings on each label's frequency, their number, the confidence, and all scores together.

    Args:
        reference: Independent rows.
        current: Independent rows.
        labels: The classes, in the order of the scores.
        kind: Of the answers.
        resamples: Of the tests of labels, where some are rare.
        seed: Of these tests.
    """
    ours, theirs = (kind.with_tracked(sample.frame) for sample in (reference, current))
    findings = [_answered(ours, theirs, labels, kind, resamples, seed)]
    findings += [
        numeric_finding("prediction", name, ours[name], theirs[name])
        for name in kind.tracked
        if all(name in frame and frame[name].notna().any() for frame in (ours, theirs))
    ]
    return [*findings, *all_outputs(ours, theirs, labels)]


def presence_findings(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    labels: Sequence[str],
    kind: AnswerKind,
    *,
    units: npt.NDArray[np.int64],
    seed: int = 0,
) -> list[Finding]:
    """Share of the images that hold each label, estimated from the scores alone.

    Each label by itself, by inverting how its score is distributed with and without it (Lipton et
    al. 2018 with two classes): the score need not be calibrated, but what has the label must look
    as it did.

    Args:
        reference: Rows with the truth in ``label``.
        current: Rows.
        labels: The classes, in the order of the scores.
        kind: Of the answers.
        units: Of each current row; rows of one are drawn together.
        seed: Of the bootstrap.
    """
    before, now = probabilities(reference, len(labels)), probabilities(current, len(labels))
    if before is None or now is None:
        return []
    truth = presence(reference["label"], labels, kind)
    rng = np.random.default_rng(seed)
    ours = rng.integers(len(before), size=(DRAWS, len(before)))
    # Exponential weights of the units: a bootstrap that leaves none of them out.
    weights = rng.exponential(size=(DRAWS, units.max() + 1))[:, units]
    weights /= weights.sum(1, keepdims=True)
    return [
        _share(
            name, before[:, k], truth[:, k], now[:, k].mean(), ours, weights @ now[:, k], len(now)
        )
        for k, name in enumerate(labels)
    ]


def left_out(rows: int) -> list[Finding]:
    """The checks that are not made, so that nobody assumes they passed."""
    note = "No estimate without labels: it is made for one label an image only."
    return [insufficient("performance", "estimated_accuracy", rows, note)]


def doubt(frame: pd.DataFrame, thresholds: Mapping[str, float], labels: Sequence[str]) -> pd.Series:
    """Distance of the nearest score of each image to its threshold; low is uncertain."""
    scores = probabilities(frame, len(labels))
    if scores is None or not thresholds:
        return 1.0 - frame["confidence"]
    limits = np.array([thresholds.get(name, 0.5) for name in labels])
    return pd.Series(np.abs(scores - limits).min(1), index=frame.index)


def _answered(
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    labels: Sequence[str],
    kind: AnswerKind,
    resamples: int,
    seed: int,
) -> Finding:
    before, now = (presence(frame["predicted"], labels, kind) for frame in (ours, theirs))
    differences = []
    for k in range(len(labels)):
        sides = (before[:, k], now[:, k])
        table = [[int(side.sum()), int((~side).sum())] for side in sides]
        differences.append(categorical_difference(table, resamples=resamples, seed=seed))
    tested = [difference.p_value for difference in differences if difference.p_value is not None]
    worst = max(range(len(labels)), key=lambda k: differences[k].effect)
    then, share = float(before[:, worst].mean()), float(now[:, worst].mean())
    return Finding(
        section="prediction",
        name="labels",
        method="chi-square for each label, Bonferroni",
        statistic=differences[worst].statistic,
        p_value=min(1.0, min(tested) * len(tested)) if tested else None,
        effect=differences[worst].effect,
        effect_name="Cramér's V",
        reference=f"{labels[worst]} {then:.1%}",
        current=f"{labels[worst]} {share:.1%}",
        rows=len(theirs),
        note=f"{labels[worst]} changed most: answered for {then:.1%} of the images at "
        f"training, for {share:.1%} now.",
    )


def _share(
    name: str,
    scores: Floats,
    truth: Flags,
    mean: float,
    ours: npt.NDArray[np.int64],
    means: Floats,
    rows: int,
) -> Finding:
    """A label's share now; ``means`` are those of the current scores, drawn anew."""
    if min(truth.sum(), (~truth).sum()) < LEAST_SUPPORT:
        note = f"{LEAST_SUPPORT} reference images with {name} are needed, and as many without."
        return insufficient("class_mix", name, rows, note)
    before, now = float(truth.mean()), _inverted(scores, truth, mean)
    draws = [
        _inverted(scores[drawn], truth[drawn], other)
        for drawn, other in zip(ours, means, strict=True)
        if 0 < truth[drawn].sum() < len(drawn)
    ]
    low, high = (float(end) for end in np.quantile(draws, [0.025, 0.975]))
    note = (
        f"{name} in {before:.1%} of the images at training, now in about {now:.1%} "
        f"({low:.1%} to {high:.1%})."
    )
    method = "share of images with the label, BBSE, bootstrap"
    return share_finding(name, method, before, now, (low, high), rows, note)


def _inverted(scores: Floats, truth: Flags, mean: float) -> float:
    both = np.stack([1.0 - scores, scores], axis=1)
    shares = black_box(both, truth.astype(np.int64), np.array([[1.0 - mean, mean]]))
    return float(shares[1])
