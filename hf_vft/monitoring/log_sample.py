"""Rows of a production log beside their embeddings: what a section of the report compares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from hf_vft.evaluation.intervals import design_effect
from hf_vft.utils.grouping import number_groups

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """Predictions of one model.

    Attributes:
        frame: Columns of `hf_vft.records.PREDICTIONS` and slice columns, N rows.
        embeddings: ``[N, D]``, NaN in rows whose embedding was not kept; None if none was.
    """

    frame: pd.DataFrame
    embeddings: npt.NDArray[np.float16] | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: Ints) -> Sample:
        """Some of the rows."""
        embeddings = None if self.embeddings is None else self.embeddings[rows]
        return Sample(self.frame.iloc[rows].reset_index(drop=True), embeddings)

    def embedded(self) -> Sample:
        """Only the rows that have an embedding."""
        if self.embeddings is None:
            return self.take(np.empty(0, dtype=np.int64))
        return self.take(np.flatnonzero(~np.isnan(self.embeddings[:, :1]).any(1)))

    def at_most(self, n: int, rng: np.random.Generator) -> Sample:
        """A random part, if there are more than ``n`` rows."""
        if len(self) <= n:
            return self
        return self.take(np.sort(rng.choice(len(self), n, replace=False)))


def independent(sample: Sample, group: str | None, rng: np.random.Generator) -> Sample:
    """One random row of each independent unit.

    Tests take rows for independent; images of one part, patient or place are not, and a
    p-value that takes them for it is too small. A file that was sent twice counts once.

    Args:
        sample: Any.
        group: Column whose values rows of one unit share; not every sample has to have it.
        rng: Chooses the row.
    """
    frame = sample.frame
    if group is not None and group in frame:
        alone = frame.index.to_series().astype(str).radd("row ")
        units = frame[group].astype("string").fillna(alone)
    else:
        units = image_identity(frame)
    order = rng.permutation(len(frame))
    first = ~units.iloc[order].duplicated().to_numpy()
    return sample.take(np.sort(order[first]))


def unit_numbers(frame: pd.DataFrame, group: str | None) -> Ints:
    """A number for each row ``[N]``, equal in rows of one unit; each alone without the column."""
    if group is None or group not in frame:
        return np.arange(len(frame))
    values = frame[group].astype("string")
    return number_groups([None if pd.isna(value) else value for value in values])


def effective_rows(
    values: npt.NDArray[np.float64], frame: pd.DataFrame, group: str | None
) -> float:
    """Number of independent rows that would say as much of the mean of ``values [N]``.

    Two images of one part are often both right or both wrong.
    """
    return len(values) / design_effect(values, unit_numbers(frame, group))


def image_identity(frame: pd.DataFrame) -> pd.Series:
    """Equal in rows that show the same file; each row its own where that cannot be told."""
    names = ["phash", "bytes", "width", "height", "brightness"]
    same = frame.groupby(names, sort=False).ngroup().to_numpy()  # -1 where one is missing
    return pd.Series(np.where(same < 0, -1 - np.arange(len(frame)), same), index=frame.index)
