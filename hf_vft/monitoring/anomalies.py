"""Whether good images are still scored as they were, and how many are over the threshold."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact
from statsmodels.stats.proportion import proportion_confint

from hf_vft.monitoring.findings import Finding
from hf_vft.monitoring.input_drift import numeric_finding
from hf_vft.monitoring.log_sample import Sample

SCORE = "anomaly_score"
"""In shares of the threshold."""


def anomaly_findings(reference: Sample, current: Sample) -> list[Finding]:
    """Drift of the score, and the share of anomalies.

    Args:
        reference: Independent rows of good images.
        current: Independent rows.
    """
    ours, theirs = reference.frame, current.frame
    score = numeric_finding("prediction", SCORE, ours[SCORE], theirs[SCORE])
    return [score, _share(ours, theirs)]


def _share(ours: pd.DataFrame, theirs: pd.DataFrame) -> Finding:
    counts = [(int((frame[SCORE] > 1.0).sum()), len(frame)) for frame in (ours, theirs)]
    (before, of_before), (now, of_now) = counts
    table = np.array([[before, of_before - before], [now, of_now - now]])
    shares = [over / n if n else float("nan") for over, n in counts]
    low, high = proportion_confint(now, max(of_now, 1), method="wilson")
    return Finding(
        section="prediction",
        name="anomalies",
        method="Fisher's exact test",
        statistic=float(now),
        p_value=float(fisher_exact(table)[1]),
        effect=shares[1] - shares[0],
        effect_name="share",
        reference=shares[0],
        current=shares[1],
        interval=(float(low) - shares[0], float(high) - shares[0]),
        rows=of_now,
        note=f"{now} of {of_now} images are over the threshold ({low:.1%} to {high:.1%}).",
    )
