"""What delayed labels say where an image has several, or boxes.

An image's score is its F1: twice what is right by what was answered and what is there. Names are
compared as sets; boxes, where the labels hold boxes, at an overlap of 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from hf_vft.answers import AnswerKind, WholeScore
from hf_vft.evaluation.intervals import Floats, percentile_interval
from hf_vft.monitoring.bias import SHARE_AT_TRAINING
from hf_vft.monitoring.delayed_labels import MIN_ROWS, RESAMPLES, SECTION, change_points
from hf_vft.monitoring.findings import Finding, holm, insufficient

F1 = "f1_image"


def several_label_findings(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    labels: Sequence[str],
    kind: AnswerKind,
    *,
    seed: int = 0,
) -> list[Finding]:
    """Compare realised scores with those at training.

    Args:
        reference: Held-out rows: predicted and ``label``, and what else the kind compares.
        current: Production rows: the same, and ts_utc; ``label`` where known.
        labels: The classes.
        kind: Of the answers.
        seed: Of the resamples.

    Returns:
        ``labels.f1_image`` is the loss that a policy pages on; ``labels.f1_micro``, the scores that
        the kind adds (``labels.map50`` of boxes), and when it began, stand beside it.
    """
    known = current.dropna(subset=["label"]) if "label" in current else current.iloc[:0]
    if len(known) < MIN_ROWS or len(reference) < MIN_ROWS:
        few = (
            f"{len(known)} labels have arrived, {len(reference)} images were held out; "
            f"{MIN_ROWS} of each are needed."
        )
        return [insufficient(SECTION, F1, len(known), few)]
    known = known.sort_values("ts_utc", kind="stable")
    scoring = kind.scoring([reference, known])
    then, now = (scoring.totals(frame, labels) for frame in (reference, known))
    rng = np.random.default_rng(seed)
    findings = [_f1_image(then, now, scoring.what), _f1_micro(then, now, scoring.what, rng)]
    findings += [
        _whole(name, score, reference, known, labels, rng) for name, score in scoring.whole.items()
    ]
    return [*findings, *change_points(known, 1.0 - f1_of(now))]


def several_bias_findings(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    columns: Sequence[str],
    labels: Sequence[str],
    kind: AnswerKind,
    *,
    min_rows: int,
) -> list[Finding]:
    """Test whether the F1 of a group differs from that of the rest, and whether it did at training.

    Args:
        reference: Held-out rows.
        current: Production rows; only labelled ones are compared.
        columns: To compare by.
        labels: The classes.
        kind: Of the answers.
        min_rows: Labelled rows that a group and the rest need.

    Returns:
        ``bias.new_gap`` of the clearest gap that was not there at training, with the smallest
        p-value after Holm; and each gap. Groups are not crossed.
    """
    known = current.dropna(subset=["label"]) if "label" in current else current.iloc[:0]
    present = [name for name in columns if name in known]
    if not present:
        return []
    gaps = [
        (f"{name} = {value}", gap, _gap(reference, labels, kind, name, value, 2))
        for name in present
        for value in _compared(known[name])
        if (gap := _gap(known, labels, kind, name, value, min_rows)) is not None
    ]
    if not gaps:
        few = f"No group has {min_rows} labelled images beside as many others."
        return [insufficient("bias", "new_gap", len(known), few)]
    details = [_gap_finding(where, gap, then) for where, gap, then in gaps]
    corrected = holm([finding.p_value for finding in details])
    new = [
        (p, finding)
        for p, finding in zip(corrected, details, strict=True)
        if not _was_there(finding)
    ]
    if not new:
        return details
    p, worst = min(new, key=lambda pair: pair[0])
    method = f"smallest of {len(details)} p-values, Holm"
    head = {"name": "new_gap", "p_value": float(p), "method": method, "interval": None}
    return [worst.model_copy(update=head), *details]


def _compared(column: pd.Series) -> list[Any]:
    """Groups to set against the others; of two groups one, the other would say the same."""
    values = sorted(column.dropna().unique(), key=str)
    return values[:1] if len(values) == 2 else values


def _gap(
    frame: pd.DataFrame,
    labels: Sequence[str],
    kind: AnswerKind,
    column: str,
    value: object,
    least: int,
) -> tuple[Floats, Floats] | None:
    """F1 of the images of a group, and of the others; None if either are too few."""
    if column not in frame:
        return None
    inside = (frame[column] == value).to_numpy()
    if min(inside.sum(), (~inside).sum()) < least:
        return None
    scores = image_scores(frame, labels, kind)
    return scores[inside], scores[~inside]


def _gap_finding(
    where: str, gap: tuple[Floats, Floats], then: tuple[Floats, Floats] | None
) -> Finding:
    inside, outside = gap
    test = stats.ttest_ind(inside, outside, equal_var=False)
    ends = test.confidence_interval()
    before = None if then is None else float(then[0].mean() - then[1].mean())
    history = "not known from training" if before is None else f"{before:+.2f} at training"
    p = float(test.pvalue)
    return Finding(
        section="bias",
        name=f"F1 by image, {where}",
        method="Welch's test, group against the others",
        p_value=p if np.isfinite(p) else 1.0,
        effect=float(inside.mean() - outside.mean()),
        effect_name="difference of F1",
        reference=before,
        current=float(inside.mean() - outside.mean()),
        interval=(float(ends.low), float(ends.high)),
        rows=len(inside),
        note=f"{where}: F1 {inside.mean():.2f}, the others {outside.mean():.2f}; the gap is "
        f"{history}.",
    )


def _was_there(finding: Finding) -> bool:
    then, now = finding.reference, finding.effect or 0.0
    return isinstance(then, float) and now != 0 and then / now >= SHARE_AT_TRAINING


def image_scores(frame: pd.DataFrame, labels: Sequence[str], kind: AnswerKind) -> Floats:
    """F1 of each labelled image ``[N]``."""
    return f1_of(kind.scoring([frame]).totals(frame, labels))


def f1_of(totals: Floats) -> Floats:
    """F1 of counts ``[N, 3]``; 1 if nothing is present and nothing was predicted."""
    both = totals[:, 1] + totals[:, 2]
    scores: Floats = np.divide(2.0 * totals[:, 0], both, out=np.ones(len(both)), where=both > 0)
    return scores


def _f1_image(then: Floats, now: Floats, what: str) -> Finding:
    before, after = f1_of(then), f1_of(now)
    tested = bool(before.std() or after.std())
    test = stats.ttest_ind(after, before, equal_var=False) if tested else None
    effect = float(after.mean() - before.mean())
    ends = None if test is None else test.confidence_interval()
    return Finding(
        section=SECTION,
        name=F1,
        method=f"Welch's test of F1 by image, {what}",
        statistic=float(after.mean()),
        p_value=None if test is None else float(test.pvalue),
        effect=effect,
        effect_name="change in F1 by image",
        reference=float(before.mean()),
        current=float(after.mean()),
        interval=None if ends is None else (float(ends.low), float(ends.high)),
        rows=len(after),
        note=f"Measured on {len(after)} labelled images ({what}): F1 {after.mean():.2f} against "
        f"{before.mean():.2f} at training.",
    )


def _f1_micro(then: Floats, now: Floats, what: str, rng: np.random.Generator) -> Finding:
    def draws(totals: Floats) -> Floats:
        sums = np.vstack([np.ones(len(totals)), _weights(len(totals), rng)]) @ totals
        both = np.maximum(sums[:, 1] + sums[:, 2], 1e-9)
        return np.asarray(2.0 * sums[:, 0] / both)

    return _bootstrapped("f1_micro", "micro F1", draws(then), draws(now), len(now), what)


def _whole(
    name: str,
    score: WholeScore,
    reference: pd.DataFrame,
    known: pd.DataFrame,
    labels: Sequence[str],
    rng: np.random.Generator,
) -> Finding:
    def draws(frame: pd.DataFrame) -> Floats:
        weights = np.vstack([np.ones(len(frame)), _weights(len(frame), rng)]).T
        return score.values(frame, labels, weights)

    then, now = draws(reference), draws(known)
    return _bootstrapped(name, score.title, then, now, len(known), score.what)


def _weights(n: int, rng: np.random.Generator) -> Floats:
    return rng.multinomial(n, np.full(n, 1.0 / n), size=RESAMPLES).astype(float)


def _bootstrapped(
    name: str, title: str, then: Floats, now: Floats, rows: int, what: str
) -> Finding:
    """For information: the value, its change and the interval of that."""
    change = now[1:] - then[1:]
    low, high = (float(end) for end in percentile_interval(change[np.isfinite(change)]))
    return Finding(
        section=SECTION,
        name=name,
        method=f"{title} of {what}, bootstrap",
        statistic=float(now[0]),
        effect=float(now[0] - then[0]),
        effect_name=f"change in {title}",
        reference=float(then[0]),
        current=float(now[0]),
        interval=(low, high),
        rows=rows,
        note=f"{title} {now[0]:.2f} against {then[0]:.2f} at training.",
    )
