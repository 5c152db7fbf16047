"""What a search teaches besides its model, from features that are there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hf_vft.data.load import ImageData
from hf_vft.evaluation.results import EvalReport
from hf_vft.evaluation.search_insights import ClassPair, Held, Lessons, auroc, data_curve, gain
from hf_vft.models.learning_curve import answers_by_images, pair_scores
from hf_vft.training.finetune import FineTuned, FineTuning
from hf_vft.utils.grouping import number_groups
from hf_vft.workflows.steps.held_out_scores import HELD_OUT, Logits

SPLIT = "test"
FEWEST = 30
"""Training images, or groups of them, of a class that may be called inseparable from another.

Of fewer a probe learns too little to say so: cross-validated on ten images of each of two classes
it often has an AUROC that is below a half."""

MOST_PAIRS = 5
"""Pairs of classes that are looked at: those that are confused most often."""


def lessons(
    logits: Logits, report: EvalReport, tuning: FineTuning, tuned: FineTuned, data: ImageData
) -> Lessons | None:
    """Compare with the probe, with fewer images, and class with class.

    Args:
        logits: Of the model, by held-out split.
        report: Of the model.
        tuning: Has the features of the frozen backbone.
        tuned: Has what the linear probe says.
        data: Divided images.

    Returns:
        None where there is no linear probe, or an image may have several labels.
    """
    features, probe, recipe = tuning.features, tuning.probe, tuning.recipe
    if not features or probe is None or not data.kind.exclusive:
        return None
    train, table = data.splits["train"], data.splits[SPLIT]
    held = Held(
        np.asarray(table["label"]),
        len(data.labels),
        report.primary,
        clusters=data.groups(SPLIT),
        n_bootstrap=recipe.evaluation.bootstrap,
        seed=recipe.seed,
    )
    answers = answers_by_images(
        features["train"],
        np.asarray(train["label"]),
        features[SPLIT],
        penalty=probe.penalty,
        groups=data.groups("train"),
        balanced=recipe.probe.class_weights == "balanced",
        seed=recipe.seed,
    )
    return Lessons(
        metric=held.metric,
        split=SPLIT,
        gain=gain(held, logits[SPLIT].argmax(1), tuned.probe_logits[SPLIT].argmax(1)),
        curve=data_curve(held, answers),
        pairs=[
            _pair(pair, logits, features["train"], data, probe.penalty, recipe.seed)
            for pair in _confused(
                report, known_classes(np.asarray(train["label"]), data.groups("train"))
            )
        ],
    )


def known_classes(labels: np.ndarray, groups: Sequence[Any] | None = None) -> set[int]:
    """Class ids that have enough training images, or groups, to be compared."""
    units = np.arange(len(labels)) if groups is None else number_groups(groups)
    ids = np.unique(labels)
    return {int(i) for i in ids if len(np.unique(units[labels == i])) >= FEWEST}


def _confused(report: EvalReport, known: set[int]) -> list[tuple[int, int]]:
    """Known classes that are confused on held-out images, the most often first."""
    counts = sum(np.asarray(result.confusion) for result in report.splits.values())
    both = np.triu(np.asarray(counts + np.transpose(counts)), k=1)
    order = np.argsort(-both, axis=None, kind="stable")
    pairs = [divmod(int(place), len(both)) for place in order]
    return [pair for pair in pairs if both[pair] and known.issuperset(pair)][:MOST_PAIRS]


def _pair(
    pair: tuple[int, int],
    logits: Logits,
    features: np.ndarray,
    data: ImageData,
    penalty: float,
    seed: int,
) -> ClassPair:
    train = data.splits["train"]
    labels, groups = np.asarray(train["label"]), data.groups("train")
    rows, scores = pair_scores(features, labels, pair, penalty=penalty, groups=groups, seed=seed)
    # Images and groups of different splits are different ones.
    held = [
        (split, row, label)
        for split in HELD_OUT
        for row, label in enumerate(data.splits[split]["label"])
        if label in pair
    ]
    answers = np.array([logits[s][row][pair[1]] - logits[s][row][pair[0]] for s, row, _ in held])
    columns = {split: data.groups(split) for split in HELD_OUT}
    return ClassPair(
        classes=(data.labels[pair[0]], data.labels[pair[1]]),
        n=int(np.isin(labels, pair).sum()),
        probe=auroc(
            scores,
            labels[rows] == pair[1],
            clusters=[groups[row] for row in rows.tolist()] if groups is not None else None,
            seed=seed,
        ),
        model=auroc(
            answers,
            np.array([label == pair[1] for _, _, label in held], dtype=bool),
            clusters=[_cluster(columns[split], split, row) for split, row, _ in held],
            seed=seed,
        ),
    )


def _cluster(groups: Sequence[Any] | None, split: str, row: int) -> tuple[str, Any] | None:
    return None if groups is None or groups[row] is None else (split, groups[row])
