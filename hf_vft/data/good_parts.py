"""Divides images of which only those of the first class are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hf_vft.data.splits import Rows, complete_splits
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.text import counted

FEWEST = 10
"""Good images without which nothing can be said."""


def divide_good_parts(rows: Rows, config: DataConfig, seed: int) -> tuple[list[str], list[str]]:
    """The split of every row: good ones as other images, anomalies where they are measured.

    Anomalies stay in the validation and test split they are given in; all others are test images.

    Raises:
        DataError: If there are too few good images to learn from and to hold out.
    """
    good = np.flatnonzero(rows.members[:, 0] > 0).tolist()
    if len(good) < FEWEST:
        raise DataError(
            f"Only {counted(len(good), 'image')} of {rows.classes[0]!r}: good parts are learned "
            f"from, held out for a threshold and tested; give {FEWEST} or more."
        )

    def pick(column: Sequence[Any] | None) -> list[Any] | None:
        return None if column is None else [column[row] for row in good]

    own = replace(
        rows,
        members=rows.members[good][:, :1],
        classes=rows.classes[:1],
        labels=pick(rows.labels) or [],
        hashes=pick(rows.hashes) or [],
        groups=pick(rows.groups),
        splits=pick(rows.splits),
    )
    divided, notes = complete_splits(own, config, seed)
    splits = [
        split if split in ("validation", "test") else "test"
        for split in rows.splits or [""] * len(rows.labels)
    ]
    for row, split in zip(good, divided, strict=True):
        splits[row] = split
    learned = {rows.hashes[row] for row in good if splits[row] == "train"}
    leaked = sum(
        rows.hashes[row] in learned for row in np.flatnonzero(rows.members[:, 0] == 0).tolist()
    )
    if leaked:
        notes.append(
            f"{counted(leaked, 'image')} of anomalies as identical files among the good images."
        )
    return splits, [note.replace(", stratified by label", "") for note in notes]
