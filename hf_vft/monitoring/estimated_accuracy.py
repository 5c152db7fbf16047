"""How right the model still is, without labels: three estimates and when not to trust them.

All of them rest on confidence keeping its meaning. They follow a change of input that makes the
model unsure; they are blind to one it is surely wrong about, and to labels that mean something
new. Hence the refusal.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import pandas as pd
from scipy import stats

from hf_vft.evaluation.intervals import Floats, percentile_interval
from hf_vft.monitoring.findings import Finding, Section, insufficient
from hf_vft.monitoring.log_sample import effective_rows


class Known(TypedDict, total=False):
    """Facts about the content of a window that `performance_findings` needs; see there."""

    unsafe: str
    correction: float
    doubt: float


SECTION: Section = "performance"
NAME = "estimated_accuracy"
MIN_ROWS = 50
MAX_SPREAD = 0.15
"""Estimators further apart than this know nothing."""
RESAMPLES = 300


def estimate_accuracy(reference_confidence: Floats, right: Floats, confidence: Floats) -> Floats:
    """Three estimates of accuracy on unlabelled data, from calibrated confidence.

    - Average confidence (Hendrycks & Gimpel 2017), after temperature scaling.
    - Difference of confidences (Guillory et al. 2021): the accuracy that was measured, less by
      as much as confidence fell.
    - Average thresholded confidence (Garg et al. 2022): the share of answers above the
      confidence that as many held-out answers exceed as were right.

    Args:
        reference_confidence: Of held-out rows ``[..., N]``.
        right: Whether each was right, 0 or 1 ``[..., N]``.
        confidence: Of the rows in question ``[..., M]``.

    Returns:
        ``[..., 3]``, each in [0, 1].
    """
    measured = right.mean(-1)
    average = confidence.mean(-1)
    difference = np.clip(measured + average - reference_confidence.mean(-1), 0.0, 1.0)
    ordered = np.sort(reference_confidence, axis=-1)
    n = ordered.shape[-1]
    # As many held-out rows lie at or above the threshold as were right.
    place = np.clip(np.rint(n * (1.0 - measured)).astype(int), 0, n - 1)
    threshold = np.take_along_axis(ordered, place[..., None], -1)
    above = (confidence >= threshold).mean(-1)
    return np.stack([average, difference, above], axis=-1)


def performance_findings(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    group: str | None = None,
    unsafe: str | None = None,
    correction: float = 0.0,
    doubt: float = 0.0,
    seed: int = 0,
) -> list[Finding]:
    """Estimate the accuracy on unlabelled rows, beside what was measured at training.

    Args:
        reference: Held-out rows: predicted, label, confidence (calibrated).
        current: Production rows: confidence.
        group: Column whose values images of one part, patient or place share.
        unsafe: Why no estimator can be trusted, where the embeddings show new content.
        correction: What stress tests teach to add to an estimate.
        doubt: Standard deviation of what is wrong with it then; see `Trust`.
        seed: Of the resamples.

    Returns:
        ``performance.estimated_accuracy``, the median of the three, corrected, and each of them
        as it is. Refused estimates are ``insufficient`` and carry no number.
    """
    rows = len(current)
    held_out = reference.dropna(subset=["label", "confidence"])
    scored = current.dropna(subset=["confidence"])
    now = scored["confidence"].to_numpy(dtype=float)
    if len(held_out) < MIN_ROWS or len(now) < MIN_ROWS:
        few = (
            f"{len(held_out)} held-out and {len(now)} current rows; {MIN_ROWS} of each are needed."
        )
        return [insufficient(SECTION, NAME, rows, few)]
    if unsafe:
        return [insufficient(SECTION, NAME, rows, f"No estimate without labels: {unsafe}")]
    sure = held_out["confidence"].to_numpy(dtype=float)
    right = (held_out["predicted"] == held_out["label"]).to_numpy().astype(np.float64)
    estimates = estimate_accuracy(sure, right, now)
    spread = float(estimates.max() - estimates.min())
    if spread > MAX_SPREAD:
        shown = ", ".join(f"{value:.2f}" for value in estimates)
        return [
            insufficient(
                SECTION,
                NAME,
                rows,
                f"No estimate without labels: the estimators contradict each other ({shown}).",
            )
        ]
    # What images of one part have in common makes them count as fewer.
    draws = (
        round(effective_rows(right, held_out, group)),
        round(effective_rows(now, scored, group)),
    )
    findings = _consensus(sure, right, now, draws, correction, doubt, seed)
    return [findings.model_copy(update={"rows": rows}), *_each(right, estimates, rows)]


def consensus(reference_confidence: Floats, right: Floats, confidence: Floats) -> Floats:
    """The median of the three estimates, ``[...]``; arguments as for `estimate_accuracy`."""
    middle: Floats = np.median(estimate_accuracy(reference_confidence, right, confidence), axis=-1)
    return middle


def _consensus(
    sure: Floats,
    right: Floats,
    now: Floats,
    draws: tuple[int, int],
    correction: float,
    doubt: float,
    seed: int,
) -> Finding:
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(sure), size=(RESAMPLES, draws[0]))
    fresh = now[rng.integers(len(now), size=(RESAMPLES, draws[1]))]
    measured = right[drawn].mean(1)
    wrong = correction + doubt * rng.standard_normal(RESAMPLES)
    change = consensus(sure[drawn], right[drawn], fresh) + wrong - measured
    value = float(np.clip(consensus(sure, right, now) + correction, 0.0, 1.0))
    effect, error = value - float(right.mean()), float(change.std(ddof=1))
    low, high = (float(end) for end in percentile_interval(change))
    p = float(2 * stats.norm.sf(abs(effect) / error)) if error > 0 else None
    verb = "has fallen" if effect < 0 else "has not fallen"
    taught = f", {100 * correction:+.0f} by stress tests" if correction else ""
    return Finding(
        section=SECTION,
        name=NAME,
        method="median of AC, DoC and ATC, corrected by stress tests, bootstrap"
        if correction or doubt
        else "median of AC, DoC and ATC, bootstrap",
        statistic=value,
        p_value=p,
        effect=effect,
        effect_name="change in accuracy",
        reference=float(right.mean()),
        current=value,
        interval=(low, high),
        rows=len(now),
        note=f"Estimated accuracy {value:.2f} against {right.mean():.2f} measured at training "
        f"({100 * effect:+.0f} points, {100 * low:+.0f} to {100 * high:+.0f}{taught}): it {verb}, "
        "as far as confidence can tell.",
    )


def _each(right: Floats, estimates: Floats, rows: int) -> list[Finding]:
    names = {
        "average_confidence": "temperature-scaled average confidence",
        "difference_of_confidences": "DoC (Guillory et al. 2021)",
        "thresholded_confidence": "ATC (Garg et al. 2022)",
    }
    measured = float(right.mean())
    return [
        Finding(
            section=SECTION,
            name=name,
            method=method,
            effect=float(value) - measured,
            effect_name="change in accuracy",
            reference=measured,
            current=float(value),
            rows=rows,
            note=f"Accuracy {value:.2f} by this estimate alone.",
        )
        for (name, method), value in zip(names.items(), estimates, strict=True)
    ]
