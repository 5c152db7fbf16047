"""Which images to label: a third uncertain, a third drifted, a third to cover all the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hf_vft.evaluation.intervals import Ints

COLUMNS = ["request_id", "file", "predicted", "confidence", "why", "label"]


def images_to_label(
    current: pd.DataFrame, embeddings: npt.NDArray[Any] | None, unlike: pd.DataFrame, n: int
) -> pd.DataFrame:
    """Choose ``n`` unlabelled images.

    Args:
        current: Rows of the log: request_id, file, margin, predicted, confidence, maybe label.
        embeddings: ``[N, D]``, NaN where there is none; None if there are none at all.
        unlike: ``request_id`` of the images least like the reference, the strangest first;
            may be empty.
        n: How many, at most.

    Returns:
        request_id, file, predicted, confidence, ``why`` (uncertain, drifted or diverse), and
        ``label``, which is empty: it is filled in by a person.
    """
    open_rows = current[current["label"].isna()] if "label" in current else current
    chosen: dict[int, str] = {}
    third = max(1, n // 3)
    for place in open_rows["margin"].sort_values().index[:third]:
        chosen[place] = "uncertain"
    if len(unlike):
        strange = open_rows.reset_index().set_index("request_id")["index"]
        places = strange.reindex(unlike["request_id"]).dropna().astype(int)
        fresh = [place for place in places if place not in chosen]
        chosen |= dict.fromkeys(fresh[:third], "drifted")
    rest = open_rows.index.difference(list(chosen)).to_numpy()
    spread = _spread(rest, embeddings, n - len(chosen))
    chosen |= dict.fromkeys(spread.tolist(), "diverse")
    images = current.loc[list(chosen)].assign(why=list(chosen.values()))
    return images.assign(label=None).reindex(columns=COLUMNS).head(n).reset_index(drop=True)


def _spread(rows: Ints, embeddings: npt.NDArray[Any] | None, n: int) -> Ints:
    """Far apart from one another: the next is the farthest from all before (Gonzalez 1985)."""
    if n <= 0 or not len(rows):
        return rows[:0]
    if embeddings is not None:
        rows = rows[~np.isnan(embeddings[rows]).any(1)]
    if embeddings is None or len(rows) <= n:
        return np.random.default_rng(0).permutation(rows)[:n]
    values = np.asarray(embeddings[rows], dtype=np.float32)
    first = int(np.argmin(((values - values.mean(0)) ** 2).sum(1)))
    picked, nearest = [first], ((values - values[first]) ** 2).sum(1)
    while len(picked) < n:
        picked.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, ((values - values[picked[-1]]) ** 2).sum(1))
    return rows[picked]
