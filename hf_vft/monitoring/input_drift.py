"""Whether the images themselves look as they did: brightness, sharpness, size, format."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hf_vft.monitoring.findings import Finding, Section, shown
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.two_sample import RESAMPLES, categorical_difference, numeric_difference

PROPERTIES = (
    "brightness", "contrast", "sharpness", "saturation", "image_entropy",
    "aspect", "width", "height", "bytes",
)  # fmt: skip


def input_findings(
    reference: Sample, current: Sample, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Finding]:
    """A finding for each property that both samples have.

    Args:
        reference: Independent rows.
        current: Independent rows.
        resamples: Of the test of categories, where some are rare.
        seed: Of the test of categories.
    """
    findings = [
        numeric_finding("input", name, reference.frame[name], current.frame[name])
        for name in PROPERTIES
        if reference.frame[name].notna().any() and current.frame[name].notna().any()
    ]
    if reference.frame["format"].notna().any() and current.frame["format"].notna().any():
        findings.append(
            categorical_finding(
                "input",
                "format",
                reference.frame["format"],
                current.frame["format"],
                resamples=resamples,
                seed=seed,
            )
        )
    return findings


def numeric_finding(
    section: Section, name: str, reference: pd.Series, current: pd.Series
) -> Finding:
    """Kolmogorov-Smirnov on one column."""
    difference = numeric_difference(reference.to_numpy(), current.to_numpy())
    before, now = float(reference.mean()), float(current.mean())
    return Finding(
        section=section,
        name=name,
        method="Kolmogorov-Smirnov, two samples",
        statistic=difference.statistic,
        p_value=difference.p_value,
        effect=difference.effect,
        effect_name="Wasserstein / SD",
        reference=before,
        current=now,
        rows=int(current.notna().sum()),
        note=f"Mean {shown(before)} at training, {shown(now)} now.",
    )


def categorical_finding(
    section: Section,
    name: str,
    reference: pd.Series,
    current: pd.Series,
    *,
    resamples: int,
    seed: int,
) -> Finding:
    """Chi-square on one column of names."""
    ours, theirs = reference.value_counts(), current.value_counts()
    table = pd.concat([ours, theirs], axis=1).fillna(0)
    difference = categorical_difference(table.to_numpy().T, resamples=resamples, seed=seed)
    shares = table.to_numpy() / np.array([max(len(reference), 1), max(len(current), 1)])
    worst = int(np.abs(shares[:, 1] - shares[:, 0]).argmax())
    most, (before, now) = str(table.index[worst]), shares[worst]
    return Finding(
        section=section,
        name=name,
        method="chi-square, contingency table",
        statistic=difference.statistic,
        p_value=difference.p_value,
        effect=difference.effect,
        effect_name="Cramér's V",
        reference=f"{most} {before:.1%}",
        current=f"{most} {now:.1%}",
        rows=len(current),
        note=f"{most} changed most: {before:.1%} at training, {now:.1%} now.",
    )
