"""What delayed labels say where an image has several, or boxes.

An image's score is its F1: twice what is right by what was answered and what is there. Names are
compared as sets; boxes, where the labels hold boxes, at an overlap of 0.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from hf_vft.evaluation.box_matching import Boxes, match_all
from hf_vft.evaluation.detection import weighted_scores
from hf_vft.evaluation.intervals import Floats, percentile_interval
from hf_vft.monitoring.bias import SHARE_AT_TRAINING
from hf_vft.monitoring.delayed_labels import MIN_ROWS, RESAMPLES, SECTION, change_points
from hf_vft.monitoring.findings import Finding, holm, insufficient
from hf_vft.records import split_names

F1 = "f1_image"


def several_label_findings(
    reference: pd.DataFrame, current: pd.DataFrame, labels: Sequence[str], *, seed: int = 0
) -> list[Finding]:
    """Compare realised scores with those at training.

    Args:
        reference: Held-out rows: predicted and ``label``, joined; ``boxes`` and ``true_boxes``.
        current: Production rows: the same, and ts_utc; ``label`` where known.
        labels: The classes.
        seed: Of the resamples.

    Returns:
        ``labels.f1_image`` is the loss that a policy pages on; ``labels.f1_micro``,
        ``labels.map50`` (of the boxes that were answered), and when it began, stand beside it.
    """
    known = current.dropna(subset=["label"]) if "label" in current else current.iloc[:0]
    if len(known) < MIN_ROWS or len(reference) < MIN_ROWS:
        few = (
            f"{len(known)} labels have arrived, {len(reference)} images were held out; "
            f"{MIN_ROWS} of each are needed."
        )
        return [insufficient(SECTION, F1, len(known), few)]
    known = known.sort_values("ts_utc", kind="stable")
    boxed = has_boxes(known) and has_boxes(reference)
    then, now = (counts(frame, labels, boxed=boxed) for frame in (reference, known))
    what = "boxes at an overlap of 0.5" if boxed else "sets of labels"
    rng = np.random.default_rng(seed)
    findings = [_f1_image(then, now, what), _f1_micro(then, now, what, rng)]
    if boxed:
        findings.append(_map50(reference, known, labels, rng))
    return [*findings, *change_points(known, 1.0 - f1_of(now))]


def several_bias_findings(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    columns: Sequence[str],
    labels: Sequence[str],
    *,
    min_rows: int,
) -> list[Finding]:
    """Whether images of one group have another F1 than the rest, and had at training.

    Args:
        reference: Held-out rows.
        current: Production rows; only labelled ones are compared.
        columns: To compare by.
        labels: The classes.
        min_rows: Labelled rows that a group and the rest need.

    Returns:
        ``bias.new_gap`` of the clearest gap that was not there at training, with the smallest
        p-value after Holm; and each gap. Groups are not crossed.
    """
    known = current.dropna(subset=["label"]) if "label" in current else current.iloc[:0]
    there = [name for name in columns if name in known]
    if not there:
        return []
    gaps = [
        (f"{name} = {value}", gap, _gap(reference, labels, name, value, 2))
        for name in there
        for value in _compared(known[name])
        if (gap := _gap(known, labels, name, value, min_rows)) is not None
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
    p, worst = min(new, key=lambda one: one[0])
    method = f"smallest of {len(details)} p-values, Holm"
    head = {"name": "new_gap", "p_value": float(p), "method": method, "interval": None}
    return [worst.model_copy(update=head), *details]


def _compared(column: pd.Series) -> list[Any]:
    """Groups to set against the others; of two groups one, the other would say the same."""
    values = sorted(column.dropna().unique(), key=str)
    return values[:1] if len(values) == 2 else values


def _gap(
    frame: pd.DataFrame, labels: Sequence[str], column: str, value: object, least: int
) -> tuple[Floats, Floats] | None:
    """F1 of the images of a group, and of the others; None if either are too few."""
    if column not in frame:
        return None
    inside = (frame[column] == value).to_numpy()
    if min(inside.sum(), (~inside).sum()) < least:
        return None
    scores = image_scores(frame, labels)
    return scores[inside], scores[~inside]


def _gap_finding(
    where: str, gap: tuple[Floats, Floats], then: tuple[Floats, Floats] | None
) -> Finding:
    inside, outside = gap
    found = stats.ttest_ind(inside, outside, equal_var=False)
    ends = found.confidence_interval()
    before = None if then is None else float(then[0].mean() - then[1].mean())
    history = "not known from training" if before is None else f"{before:+.2f} at training"
    p = float(found.pvalue)
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


def image_scores(frame: pd.DataFrame, labels: Sequence[str]) -> Floats:
    """F1 of each labelled image ``[N]``."""
    return f1_of(counts(frame, labels, boxed=has_boxes(frame)))


def has_boxes(frame: pd.DataFrame) -> bool:
    """Whether every row has boxes for its truth."""
    return "true_boxes" in frame and bool(len(frame)) and bool(frame["true_boxes"].notna().all())


def counts(frame: pd.DataFrame, labels: Sequence[str], *, boxed: bool) -> Floats:
    """Of each image: right, answered, there ``[N, 3]``."""
    if not boxed:
        sets = [(_names(a), _names(b)) for a, b in zip(frame["predicted"], frame["label"])]  # noqa: B905
        return np.array([(len(a & b), len(a), len(b)) for a, b in sets], dtype=float).reshape(-1, 3)
    truths, found = boxes_of(frame["true_boxes"], labels), boxes_of(frame["boxes"], labels)
    totals = np.zeros((len(frame), 3))
    for one in match_all(truths, found, len(labels)):
        np.add.at(totals[:, 0], one.image, one.right[:, 0])
        np.add.at(totals[:, 1], one.image, 1.0)
        totals[:, 2] += one.true
    return totals


def f1_of(totals: Floats) -> Floats:
    """Of counts ``[N, 3]``; 1 where nothing is there and nothing was answered."""
    both = totals[:, 1] + totals[:, 2]
    scores: Floats = np.divide(2.0 * totals[:, 0], both, out=np.ones(len(both)), where=both > 0)
    return scores


def boxes_of(column: Iterable[Any], labels: Sequence[str]) -> list[Boxes]:
    """Boxes of the log as those that are matched; of classes that the model does not know, none."""
    number = {name: k for k, name in enumerate(labels)}
    return [_boxes([one for one in rows if one["label"] in number], number) for rows in column]


def _boxes(rows: Sequence[Mapping[str, Any]], number: Mapping[str, int]) -> Boxes:
    corners = [
        (one["x"], one["y"], one["x"] + one["width"], one["y"] + one["height"]) for one in rows
    ]
    scores = [1.0 if one.get("score") is None else one["score"] for one in rows]
    return Boxes(
        np.array(corners, dtype=float).reshape(-1, 4),
        np.array([number[one["label"]] for one in rows], dtype=np.int64),
        np.array(scores, dtype=float),
    )


def _names(text: str) -> set[str]:
    return set(split_names(text))


def _f1_image(then: Floats, now: Floats, what: str) -> Finding:
    before, after = f1_of(then), f1_of(now)
    tested = bool(before.std() or after.std())
    found = stats.ttest_ind(after, before, equal_var=False) if tested else None
    effect = float(after.mean() - before.mean())
    ends = None if found is None else found.confidence_interval()
    return Finding(
        section=SECTION,
        name=F1,
        method=f"Welch's test of F1 by image, {what}",
        statistic=float(after.mean()),
        p_value=None if found is None else float(found.pvalue),
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


def _map50(
    reference: pd.DataFrame, known: pd.DataFrame, labels: Sequence[str], rng: np.random.Generator
) -> Finding:
    """Of the boxes that were answered: the log does not hold those below the thresholds."""

    def draws(frame: pd.DataFrame) -> Floats:
        truths, found = (boxes_of(frame[name], labels) for name in ("true_boxes", "boxes"))
        matches = match_all(truths, found, len(labels))
        weights = np.vstack([np.ones(len(frame)), _weights(len(frame), rng)]).T
        scores: Floats = weighted_scores(matches, weights)[0]["map50"]
        return scores

    what = "boxes that were answered"
    return _bootstrapped("map50", "mAP50", draws(reference), draws(known), len(known), what)


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
