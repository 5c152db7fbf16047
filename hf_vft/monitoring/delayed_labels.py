"""What delayed labels say: realised scores over time, concept drift, calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from hf_vft.evaluation.calibration import ece_estimate
from hf_vft.evaluation.intervals import Floats, percentile_interval
from hf_vft.monitoring.findings import Finding, Section, insufficient
from hf_vft.monitoring.log_sample import effective_rows, unit_numbers
from hf_vft.utils.imports import require_package

SECTION: Section = "labels"
MIN_ROWS = 50
RESAMPLES = 200
PERIODS = 12
_ADWIN_DELTA = 0.002
_PAGE_HINKLEY = {"delta": 0.02, "threshold": 25.0}


def label_findings(
    reference: pd.DataFrame, current: pd.DataFrame, *, group: str | None = None, seed: int = 0
) -> tuple[list[Finding], pd.DataFrame]:
    """Compare realised scores with those at training, in the order of time.

    Args:
        reference: Held-out rows: predicted, label, confidence.
        current: Production rows: ts_utc, predicted, confidence, and ``label`` where known.
        group: Column whose values images of one part, patient or place share: they count as
            fewer than as many independent ones. Not every frame has to have it.
        seed: Of the resamples.

    Returns:
        Findings and `realised_over_time`. ``labels.accuracy`` and ``labels.f1_macro`` are
        losses; ``labels.concept`` asks whether answers are less often right *given the same
        confidence*, which a mere change of input does not explain.
    """
    known = current.dropna(subset=["label"]) if "label" in current else current.iloc[:0]
    held_out = reference.dropna(subset=["label"])
    if len(known) < MIN_ROWS or len(held_out) < MIN_ROWS:
        few = (
            f"{len(known)} labels have arrived, {len(held_out)} images were held out; "
            f"{MIN_ROWS} of each are needed."
        )
        return [insufficient(SECTION, "accuracy", len(known), few)], realised_over_time(known)
    known = known.sort_values("ts_utc", kind="stable")
    findings = [
        _accuracy(held_out, known, group),
        _f1(held_out, known, group, seed),
        _concept(held_out, known, group),
        *change_points(known, 1.0 - _right(known)),
        _calibration(held_out, known, seed),
    ]
    return findings, realised_over_time(known)


def realised_over_time(
    known: pd.DataFrame, periods: int = PERIODS, *, scores: Floats | None = None
) -> pd.DataFrame:
    """Accuracy with Wilson's interval in stretches of equal size: start, end, rows, accuracy.

    Args:
        known: Labelled rows: ts_utc, predicted, label.
        periods: How many at most; each has at least 20 rows.
        scores: Another score of each row, 0 to 1 ``[N]``, to be shown in the place of accuracy; it
            varies less than what is only right or wrong, so Wilson's interval is wide enough.
    """
    columns = ["start", "end", "rows", "accuracy", "low", "high"]
    n = min(periods, len(known) // 20)
    if n < 1:
        return pd.DataFrame(columns=columns)
    scored = known.assign(_score=_right(known) if scores is None else scores)
    ordered = scored.sort_values("ts_utc", kind="stable")
    rows = []
    for places in np.array_split(np.arange(len(ordered)), n):
        part = ordered.iloc[places]
        right = float(part["_score"].sum())
        low, high = proportion_confint(right, len(part), method="wilson")
        ends = part["ts_utc"].iloc[0], part["ts_utc"].iloc[-1]
        rows.append([*ends, len(part), right / len(part), low, high])
    return pd.DataFrame(rows, columns=columns)


def _accuracy(held_out: pd.DataFrame, known: pd.DataFrame, group: str | None) -> Finding:
    then, now = _right(held_out), _right(known)
    n, m = effective_rows(now, known, group), effective_rows(then, held_out, group)
    counts = (now.mean() * n, n, then.mean() * m, m)
    low, high = confint_proportions_2indep(*counts, method="newcomb", compare="diff")
    table = np.rint([[x, rows - x] for x, rows in (counts[:2], counts[2:])]).astype(int)
    p = float(stats.fisher_exact(table).pvalue)
    change = float(now.mean() - then.mean())
    return Finding(
        section=SECTION,
        name="accuracy",
        method="Fisher's exact test; Newcombe's interval",
        statistic=float(now.mean()),
        p_value=p,
        effect=change,
        effect_name="change in accuracy",
        reference=float(then.mean()),
        current=float(now.mean()),
        interval=(float(low), float(high)),
        rows=len(known),
        note=f"Measured on {len(known)} labels: accuracy {now.mean():.2f} against "
        f"{then.mean():.2f} at training ({100 * change:+.0f} points, {100 * low:+.0f} to "
        f"{100 * high:+.0f}).",
    )


def _f1(held_out: pd.DataFrame, known: pd.DataFrame, group: str | None, seed: int) -> Finding:
    """Macro F1 over the classes that both have, so that a new class is not a loss by itself."""
    shared = sorted(set(held_out["label"]) & set(known["label"]))
    rng = np.random.default_rng(seed)
    then = _f1_draws(held_out, shared, group, rng)
    now = _f1_draws(known, shared, group, rng)
    change = now[1:] - then[1:]
    effect = float(now[0] - then[0])
    error = float(change.std(ddof=1))
    low, high = (float(end) for end in percentile_interval(change))
    return Finding(
        section=SECTION,
        name="f1_macro",
        method="bootstrap",
        statistic=float(now[0]),
        p_value=float(2 * stats.norm.sf(abs(effect) / error)) if error > 0 else None,
        effect=effect,
        effect_name="change in macro F1",
        reference=float(then[0]),
        current=float(now[0]),
        interval=(low, high),
        rows=len(known),
        note=f"Macro F1 {now[0]:.2f} against {then[0]:.2f} at training.",
    )


def _f1_draws(
    frame: pd.DataFrame, labels: Sequence[str], group: str | None, rng: np.random.Generator
) -> Floats:
    """Macro F1 of the rows, then of `RESAMPLES` resamples ``[1 + RESAMPLES]``."""
    number = {name: i for i, name in enumerate(labels)}
    other = len(labels)
    true = frame["label"].map(number).fillna(other).to_numpy(dtype=int)
    predicted = frame["predicted"].map(number).fillna(other).to_numpy(dtype=int)
    c = other + 1
    n = round(effective_rows(_right(frame), frame, group))
    first = f1_score(true, predicted, labels=range(other), average="macro", zero_division=0)
    shares = np.bincount(true * c + predicted, minlength=c * c) / len(frame)
    drawn = rng.multinomial(n, shares, size=RESAMPLES)
    tables = drawn.reshape(-1, c, c)
    right = np.diagonal(tables, axis1=1, axis2=2)[:, :other]
    both = (tables.sum(1) + tables.sum(2))[:, :other]
    f1 = np.divide(2.0 * right, both, out=np.zeros(both.shape), where=both > 0)
    return np.concatenate([[first], f1.mean(1)])


def _concept(held_out: pd.DataFrame, known: pd.DataFrame, group: str | None) -> Finding:
    """Right minus confidence, now against then, by Welch's test of the units' means.

    Darker images make the model unsure and wrong together, which cancels here. Where labels
    mean something new, the model is as sure as ever and wrong.
    """
    then, now = (_unexplained(frame, group) for frame in (held_out, known))
    test = stats.ttest_ind(now, then, equal_var=False)
    low, high = test.confidence_interval()
    effect = float(now.mean() - then.mean())
    return Finding(
        section=SECTION,
        name="concept",
        method="Welch's test of right minus confidence",
        statistic=float(test.statistic),
        p_value=float(test.pvalue),
        effect=effect,
        effect_name="change in accuracy not explained by confidence",
        reference=float(then.mean()),
        current=float(now.mean()),
        interval=(float(low), float(high)),
        rows=len(known),
        note="Answers are right as often as their confidence says, as at training."
        if abs(effect) < 0.05
        else f"At the same confidence answers are right {100 * abs(effect):.0f} points "
        f"{'less' if effect < 0 else 'more'} often: what the labels mean may have changed.",
    )


def _unexplained(frame: pd.DataFrame, group: str | None) -> Floats:
    """Right minus confidence, averaged over each unit."""
    units = unit_numbers(frame, group)
    values = _right(frame) - frame["confidence"].to_numpy(dtype=float)
    means: Floats = np.bincount(units, values) / np.bincount(units)
    return means


def change_points(known: pd.DataFrame, wrong: Floats) -> list[Finding]:
    """The time at which errors began to change, by two detectors that watch them one by one.

    Args:
        known: Labelled rows in the order of time.
        wrong: How wrong each is, 0 to 1 ``[N]``.
    """
    drift = require_package("river.drift", "monitor")
    detectors = {
        "adwin": drift.ADWIN(delta=_ADWIN_DELTA),
        "page_hinkley": drift.PageHinkley(min_instances=MIN_ROWS, mode="up", **_PAGE_HINKLEY),
    }
    findings = []
    for name, detector in detectors.items():
        place = _first_alarm(detector, wrong)
        when = None if place is None else known["ts_utc"].iloc[place]
        rate = None if place is None else float(wrong[place:].mean() - wrong[:place].mean())
        note = "The error rate has not changed within the labels at hand."
        if when is not None and rate is not None:
            note = (
                f"The error rate changed by {100 * rate:+.0f} points about {when:%Y-%m-%d %H:%M}."
            )
        findings.append(
            Finding(
                section=SECTION,
                name=name,
                method={"adwin": "ADWIN (Bifet & Gavaldà 2007)"}.get(name, "Page-Hinkley (1954)"),
                effect=rate,
                effect_name="change in the error rate" if rate is not None else "",
                current=None if when is None else str(when),
                rows=len(known),
                note=note,
            )
        )
    return findings


def _first_alarm(detector: object, wrong: Floats) -> int | None:
    for place, value in enumerate(wrong):
        detector.update(float(value))  # type: ignore[attr-defined]
        if detector.drift_detected:  # type: ignore[attr-defined]
            return place
    return None


def _calibration(held_out: pd.DataFrame, known: pd.DataFrame, seed: int) -> Finding:
    sure = known["confidence"].to_numpy(dtype=float)
    now = ece_estimate(sure, _right(known) > 0, seed=seed)
    before = ece_estimate(
        held_out["confidence"].to_numpy(dtype=float), _right(held_out) > 0, seed=seed
    )
    value, reference = float(now.value or 0.0), float(before.value or 0.0)
    return Finding(
        section=SECTION,
        name="ece",
        method="expected calibration error, 15 bins, bootstrap",
        statistic=value,
        effect=value - reference,
        effect_name="change in ECE",
        reference=reference,
        current=value,
        rows=len(known),
        note=f"Confidence is off by {100 * value:.0f} points on average, {100 * reference:.0f} at "
        "training.",
    )


def _right(frame: pd.DataFrame) -> Floats:
    return (frame["predicted"] == frame["label"]).to_numpy().astype(np.float64)
