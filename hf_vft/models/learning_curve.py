"""What linear probes say that saw a part of the images, or only two of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from hf_vft.models.logistic import fit_logistic, standardisation
from hf_vft.models.probe import held_out_logits
from hf_vft.utils.grouping import number_groups

SHARES = (0.25, 0.5, 1.0)
DRAWS = 3
"""Of each part that is not the whole."""

FEWEST = 2
"""Images a class has in every part; without groups."""


def answers_by_images(
    features: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    *,
    penalty: float,
    groups: Sequence[Any] | None = None,
    balanced: bool = True,
    seed: int = 0,
) -> dict[int, list[np.ndarray]]:
    """Fit a probe to a quarter, a half and all of the images, and let each answer.

    Args:
        features: Of the images to learn from, ``[N, D]``.
        labels: Class ids ``[N]``.
        held_out: Features ``[M, D]`` of the images to answer for.
        penalty: Of the probe of all images.
        groups: One per image; a part has whole groups.
        balanced: Weigh classes inversely to their frequency.
        seed: Of the draws.

    Returns:
        By number of images (the mean of the draws), answers ``[M]`` of each draw.
    """
    rng = np.random.default_rng(seed)
    by_images: dict[int, list[np.ndarray]] = {}
    for share in SHARES:
        drawn = [
            part(labels, share, rng, groups=groups) for _ in range(DRAWS if share < 1.0 else 1)
        ]
        drawn = [rows for rows in drawn if len(np.unique(labels[rows])) > 1]
        answers = [
            _answers(features[rows], labels[rows], held_out, penalty, balanced) for rows in drawn
        ]
        if answers:
            by_images[round(float(np.mean([len(rows) for rows in drawn])))] = answers
    return by_images


def part(
    labels: np.ndarray,
    share: float,
    rng: np.random.Generator,
    *,
    groups: Sequence[Any] | None = None,
) -> np.ndarray:
    """Rows of a random part: of each class alike, or of whole groups."""
    if groups is None:
        rows = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
        return np.sort(
            np.concatenate([row[: max(round(share * len(row)), FEWEST)] for row in rows])
        )
    units = number_groups(groups)
    order = rng.permutation(units.max() + 1)
    reached = np.cumsum(np.bincount(units)[order])
    taken = order[: int(np.searchsorted(reached, share * len(labels))) + 1]
    return np.flatnonzero(np.isin(units, taken))


def pair_scores(
    features: np.ndarray,
    labels: np.ndarray,
    pair: tuple[int, int],
    *,
    penalty: float,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Probes of two classes alone, cross-validated.

    Args:
        features: Of images of all classes, ``[N, D]``.
        labels: Class ids ``[N]``.
        pair: The two classes.
        penalty: Of the probe of all classes: to choose one for each pair takes nine times as long.
        groups: One per image; a group is never on both sides of a fold.
        seed: Of the folds.

    Returns:
        Rows ``[M]`` of their images that were held out once, and ``[M]`` how much each speaks
        for the second class.
    """
    own = np.flatnonzero(np.isin(labels, pair))
    rows, logits = held_out_logits(
        features[own],
        (labels[own] == pair[1]).astype(int),
        num_classes=2,
        groups=[groups[row] for row in own.tolist()] if groups is not None else None,
        penalty=penalty,
        seed=seed,
    )
    return own[rows], logits[:, 1] - logits[:, 0]


def _answers(
    features: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    penalty: float,
    balanced: bool,
) -> np.ndarray:
    mean, scale = standardisation(features)
    with threadpool_limits(1):
        probe = fit_logistic(
            ((features - mean) / scale).astype(np.float64), labels, penalty, balanced
        )
        return np.asarray(probe.predict(((held_out - mean) / scale).astype(np.float64)))
