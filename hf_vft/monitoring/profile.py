"""The reference: held-out images as the production log would have recorded them.

Never training images: a model is more confident of what it has learned by heart, and every
window would seem to have drifted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from hf_vft.errors import RunError
from hf_vft.monitoring.embeddings import Reduction
from hf_vft.monitoring.estimate_error import StressTest
from hf_vft.monitoring.log_sample import Sample
from hf_vft.run import RunDirectory, write_json

VERSION = 2
"""2 added `Profile.stress`; profiles without it are read as they were."""

QUANTILES = (0.5, 0.95, 0.99)


class Profile(BaseModel):
    """``run/reference/profile.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    version: int = VERSION
    model_hash: str
    preprocessing_hash: str
    task: str
    labels: list[str]
    temperature: float
    thresholds: dict[str, float] = {}
    group_column: str | None = None
    slice_columns: list[str] = []
    null_quantiles: dict[str, dict[str, float]] = {}
    """By finding: quantiles of the effect between two halves of the reference, for a window and a
    reference of one row each. They shrink as ``sqrt(1 / n + 1 / m)``; see `Reference.chance`."""
    stress: list[StressTest] = []
    """What estimates without labels were worth on disturbed images; see `Trust`."""


@dataclass(frozen=True)
class Reference:
    """The reference that production is compared with.

    Attributes:
        profile: Of the model and the data.
        sample: Held-out rows: columns of the production log, ``label`` (the truth; of several
            labels joined by |), ``true_boxes`` for detection, ``split``, and the other columns of
            the data.
        reduction: Of the embeddings; None for a model without.
    """

    profile: Profile
    sample: Sample
    reduction: Reduction | None = None

    @property
    def identity(self) -> dict[str, str]:
        """The values that a row must share with the reference to be comparable."""
        names = ("model_hash", "preprocessing_hash")
        return {name: getattr(self.profile, name) for name in names}

    @property
    def label_ids(self) -> npt.NDArray[np.int64]:
        """The true class of each row, ``[N]``; only where each has one."""
        ids = {name: number for number, name in enumerate(self.profile.labels)}
        return np.array([ids[name] for name in self.sample.frame["label"]], dtype=np.int64)

    def chance(self, key: str, rows: int, quantile: float = 0.95) -> float | None:
        """The effect of a finding that chance alone produces, without any drift.

        Args:
            key: ``section.name`` of the finding.
            rows: Of the window.
            quantile: One of `QUANTILES`.
        """
        known = self.profile.null_quantiles.get(key)
        if known is None or rows == 0:
            return None
        return known[str(quantile)] * float(np.sqrt(1 / rows + 1 / len(self.sample)))

    def save(self, run: RunDirectory) -> None:
        """Write it into a run; the profile last, whose presence says that all is there."""
        run.reference_file.parent.mkdir(parents=True, exist_ok=True)
        temporary = run.reference_file.with_suffix(".tmp")
        self.sample.frame.to_parquet(temporary, index=False, compression="zstd")
        temporary.replace(run.reference_file)
        run.reference_arrays_file.unlink(missing_ok=True)
        if self.sample.embeddings is not None and self.reduction is not None:
            arrays = {
                "embeddings": self.sample.embeddings,
                "mean": self.reduction.mean,
                "directions": self.reduction.directions,
            }
            temporary = run.reference_arrays_file.with_suffix(".tmp")
            save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, temporary)
            temporary.replace(run.reference_arrays_file)
        write_json(run.profile_file, self.profile.model_dump(mode="json"))

    @classmethod
    def load(cls, run: RunDirectory) -> Reference:
        """The reference of a run.

        Raises:
            RunError: If the run has none, or it is damaged.
        """
        if not run.profile_file.is_file():
            raise RunError(f"{run.path}: {_why_no_reference(run)}")
        try:
            profile = run.read_as(Profile, run.profile_file)
            frame = run.read_table(run.reference_file)
            if not run.reference_arrays_file.is_file():
                return cls(profile, Sample(frame))
            arrays = load_file(run.reference_arrays_file)
            reduction = Reduction(arrays["mean"], arrays["directions"])
            rows, width = arrays["embeddings"].shape
            if rows != len(frame) or {len(reduction.mean), len(reduction.directions)} != {width}:
                raise ValueError("embeddings.safetensors does not fit records.parquet")
            return cls(profile, Sample(frame, arrays["embeddings"]), reduction)
        except (ValidationError, OSError, ValueError, KeyError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise RunError(f"{run.profile_file.parent}: damaged ({reason}).") from None


def _why_no_reference(run: RunDirectory) -> str:
    if not run.recipe_file.is_file():
        return "no reference to compare with, nor a run that could write one."
    return f"no reference to compare with; `hf-vft fit --out {run.path} --resume` writes it."


def make_reference(
    rows: list[dict[str, object]],
    beside: pd.DataFrame,
    *,
    labels: list[str],
    temperature: float,
    group_column: str | None,
    slice_columns: list[str],
    thresholds: Mapping[str, float] | None = None,
) -> Reference:
    """A reference without null quantiles.

    Args:
        rows: As for `hf_vft.records.LogWriter.append`, of held-out images.
        beside: ``label``, ``split`` and the other columns of the data, a row each.
        labels: The classes of the model.
        temperature: Of the run.
        group_column: Whose values rows that belong together share.
        slice_columns: By which people want to see figures.
        thresholds: At which answers are given, by class.
    """
    embeddings = [row.get("embedding") for row in rows]
    frame = pd.DataFrame([{k: v for k, v in row.items() if k != "embedding"} for row in rows])
    others = beside[[name for name in beside if name not in frame]].reset_index(drop=True)
    for name in ("top_labels", "rest"):
        if name not in frame:
            frame[name] = None
    complete = all(embedding is not None for embedding in embeddings)
    clipped = None
    if complete and rows:
        largest = np.finfo(np.float16).max
        stacked = np.stack([np.asarray(embedding, dtype=np.float32) for embedding in embeddings])
        clipped = np.clip(stacked, -largest, largest).astype(np.float16)
    sample = Sample(pd.concat([frame, others], axis=1), clipped)
    profile = Profile(
        model_hash=str(rows[0]["model_hash"]),
        preprocessing_hash=str(rows[0]["preprocessing_hash"]),
        task=str(rows[0]["task"]),
        labels=labels,
        temperature=temperature,
        thresholds=dict(thresholds or {}),
        group_column=group_column,
        slice_columns=slice_columns,
    )
    return Reference(profile, sample, None if clipped is None else Reduction.fit(sample))
