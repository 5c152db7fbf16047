"""How far single images are from all of training: which ones are strange, and how strange.

The distance is that to the nearest reference images (Sun et al. 2022). What is far is told by
the reference itself, whose own distances are held out: in a space that was made without the
image and without those of the same part, patient or place. Its brothers would be next to it,
and components that were fitted to it leave less of it out, so any new image would seem strange.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from hf_vft.monitoring.embeddings import MOST_ROWS, Reduction
from hf_vft.monitoring.log_sample import Sample, unit_numbers

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEIGHBOURS = 5
FOLDS = 10


def most_unlike(
    reference: Sample,
    current: Sample,
    reduction: Reduction,
    *,
    group: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Current images by their distance to the nearest reference images, the strangest first.

    Args:
        reference: With embeddings.
        current: With embeddings.
        reduction: Of the reference.
        group: Column whose values images of one part, patient or place share.
        seed: Chooses reference images, if there are more than `MOST_ROWS`, and folds.

    Returns:
        ``request_id``, ``file``, ``predicted``, ``confidence``, ``distance``, and ``rank``, the
        share of reference images that are less far from the others.
    """
    rng = np.random.default_rng(seed)
    known = reference.at_most(MOST_ROWS, rng)
    own = held_out_distances(known, known, np.arange(len(known)), group=group, rng=rng)
    distance = distances(known, current, reduction)
    names = [
        name for name in ("request_id", "file", "predicted", "confidence") if name in current.frame
    ]
    frame = current.frame[names].assign(
        distance=distance,
        rank=np.searchsorted(np.sort(own), distance, side="left") / len(own),
    )
    return frame.sort_values("distance", ascending=False, ignore_index=True)


def distances(known: Sample, asked: Sample, reduction: Reduction) -> Floats:
    """Mean distance ``[M]`` of each asked image to the nearest known ones."""
    points = reduction.with_rest(known)
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(points))).fit(points)
    means: Floats = search.kneighbors(reduction.with_rest(asked))[0].mean(1)
    return means


def held_out_distances(
    known: Sample,
    asked: Sample,
    origin: Ints,
    *,
    group: str | None,
    rng: np.random.Generator,
) -> Floats:
    """The same for images that were made of known ones, as if those had never been seen.

    Args:
        known: With embeddings.
        asked: With embeddings.
        origin: The row of ``known`` that each asked image shows ``[M]``.
        group: As for `most_unlike`.
        rng: Divides the units into folds.
    """
    units = unit_numbers(known.frame, group)
    folds = rng.permutation(units.max() + 1)[units] % FOLDS
    out_of_fold = np.full(len(asked), np.nan)
    for fold in np.unique(folds):
        mine = np.flatnonzero(folds[origin] == fold)
        others = known.take(np.flatnonzero(folds != fold))
        if len(mine) and len(others):
            out_of_fold[mine] = distances(others, asked.take(mine), Reduction.fit(others))
    return out_of_fold
