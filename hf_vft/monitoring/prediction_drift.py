"""Whether the model answers as it did: labels, confidence, and its whole output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from hf_vft.monitoring.findings import Finding
from hf_vft.monitoring.input_drift import categorical_finding, numeric_finding
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.two_sample import RESAMPLES, columns_difference


def prediction_findings(
    reference: Sample,
    current: Sample,
    labels: Sequence[str],
    tracked: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Finding]:
    """Predicted labels, the tracked numbers, and all outputs together (BBSD).

    Args:
        reference: Independent rows.
        current: Independent rows.
        labels: The classes, in the order of the probabilities.
        tracked: Columns of numbers, such as the confidence.
        resamples: Of the test of labels, where some are rare.
        seed: Of the test of labels.
    """
    ours, theirs = reference.frame, current.frame
    findings = [
        categorical_finding(
            "prediction",
            "labels",
            ours["predicted"],
            theirs["predicted"],
            resamples=resamples,
            seed=seed,
        )
    ]
    findings += [numeric_finding("prediction", name, ours[name], theirs[name]) for name in tracked]
    return [*findings, *all_outputs(ours, theirs, labels)]


def all_outputs(ours: pd.DataFrame, theirs: pd.DataFrame, labels: Sequence[str]) -> list[Finding]:
    """A finding on all outputs together; none where only the highest of them were kept."""
    before, now = probabilities(ours, len(labels)), probabilities(theirs, len(labels))
    if before is None or now is None or not len(before) or not len(now):
        return []
    return [outputs_finding(before, now, labels)]


def outputs_finding(
    before: npt.NDArray[np.float64], now: npt.NDArray[np.float64], labels: Sequence[str]
) -> Finding:
    """All outputs together, ``[N, C]`` against ``[M, C]`` (BBSD, Lipton et al. 2018)."""
    difference, worst = columns_difference(before, now)
    return Finding(
        section="prediction",
        name="outputs",
        method="BBSD: Kolmogorov-Smirnov on every output, Bonferroni",
        statistic=difference.statistic,
        p_value=difference.p_value,
        effect=difference.effect,
        effect_name="largest KS distance",
        reference=float(before[:, worst].mean()),
        current=float(now[:, worst].mean()),
        rows=len(now),
        note=f"The output for {labels[worst]} changed most.",
    )


def probabilities(frame: pd.DataFrame, classes: int) -> npt.NDArray[np.float64] | None:
    """Calibrated probabilities ``[N, C]``; None where only the highest were kept."""
    column = frame["probabilities"]
    if column.isna().any() or frame["top_labels"].notna().any():
        return None
    if not len(column):
        return np.empty((0, classes))
    return np.stack([np.asarray(row, dtype=np.float64) for row in column])
