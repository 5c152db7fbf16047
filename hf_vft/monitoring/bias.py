"""Whether the model is equally right for all, now, and whether it already was not at training.

Without labels only answers and confidence can be compared. That they differ between groups is
no error of the model, and is never called one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from hf_vft.evaluation.fairness import JOIN, MIN_EVENTS, MIN_ROWS, measure_bias
from hf_vft.evaluation.group_disparities import ERROR_METRICS, describe_gap
from hf_vft.evaluation.results import BiasResult, Gap
from hf_vft.monitoring.findings import Finding, insufficient
from hf_vft.monitoring.log_sample import unit_numbers

Origin = Literal["new", "there at training", "unknown"]
SHARE_AT_TRAINING = 0.5  # of today's gap, from which on it counts as having been there


def bias_findings(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    slices: Sequence[str],
    *,
    min_rows: int = MIN_ROWS,
    min_events: int = MIN_EVENTS,
    intersections: bool = True,
    group: str | None = None,
) -> tuple[list[Finding], BiasResult | None]:
    """Compare slices with each other now, and each gap with the same one at training.

    Args:
        reference: Held-out rows: predicted, confidence, label and the slice columns.
        current: Production rows with the same columns; ``label`` may be missing or null.
        slices: Columns to compare by; those the log does not have are said to be missing.
        min_rows: Rows that a group needs.
        min_events: Rows, and outcomes, that a rate needs.
        intersections: Whether pairs of columns are looked at too.
        group: Column whose values images of one part, patient or place share.

    Returns:
        Findings, and the groups behind them (None where there is nothing to group by).
        ``bias.new_gap`` carries the smallest corrected p-value of the gaps that were not there
        at training, so a policy can page on it alone; ``bias.old_gap`` those that were.
    """
    present = [name for name in slices if name in current]
    findings = [
        insufficient("bias", f"column {name}", len(current), f"The log has no column {name!r}.")
        for name in slices
        if name not in present
    ]
    if not present or not len(current):
        return findings, None
    labelled = current.dropna(subset=["label"]) if "label" in current else current.iloc[:0]
    known = len(labelled) >= min_rows
    rows = labelled if known else current

    def measured(frame: pd.DataFrame, columns: Sequence[str]) -> BiasResult:
        return measure_bias(
            frame["predicted"].tolist(),
            frame["confidence"].to_numpy(dtype=float),
            {name: frame[name].tolist() for name in columns},
            frame["label"].tolist() if known else None,
            intersections=intersections,
            min_rows=min_rows,
            min_events=min_events,
            clusters=unit_numbers(frame, group).tolist(),
        )

    now = measured(rows, present)
    before_columns = [name for name in present if name in reference]
    before = measured(reference, before_columns) if before_columns and len(reference) else None
    findings += _small_groups(now)
    old = {_identity(gap): gap for gap in before.gaps} if before else {}
    if known:
        findings += _error_findings(now, old, len(rows))
    else:
        findings += _answer_findings(now, old, len(rows))
    return findings, now


def origin(gap: Gap, at_training: Gap | None) -> Origin:
    """The origin of a gap: new in production, or measured on held-out data already."""
    if at_training is None:
        return "unknown"
    now, then = gap.value - gap.rest, at_training.value - at_training.rest
    return "there at training" if then / now >= SHARE_AT_TRAINING else "new"


def _identity(gap: Gap) -> tuple[str, str, str, str | None]:
    return gap.column, gap.group, gap.metric, gap.label


def _small_groups(now: BiasResult) -> list[Finding]:
    """Groups of single columns that are too small; their intersections go without saying."""
    return [
        insufficient("bias", f"{column} = {value}", group.n, f"{group.n} rows are too few.")
        for column, groups in now.groups.items()
        for value, group in groups.items()
        if not group.sufficient and JOIN not in column
    ]


def _error_findings(
    now: BiasResult, old: dict[tuple[str, str, str, str | None], Gap], rows: int
) -> list[Finding]:
    gaps = [gap for gap in now.gaps if gap.metric in ERROR_METRICS and gap.value != gap.rest]
    origins = {_identity(gap): origin(gap, _same(gap, old)) for gap in gaps}
    if not gaps:
        return [insufficient("bias", "new_gap", rows, "No two groups are large enough to compare.")]
    findings = []
    for name, wanted in (("new_gap", ("new", "unknown")), ("old_gap", ("there at training",))):
        chosen = [gap for gap in gaps if origins[_identity(gap)] in wanted]
        if chosen:
            findings.append(_headline(name, chosen, old, origins))
    for gap in gaps:
        if gap.metric == "accuracy" or gap.p_holm <= 0.05:
            findings.append(_detail(gap, _same(gap, old), origins[_identity(gap)]))
    return findings


def _headline(
    name: str,
    gaps: list[Gap],
    old: dict[tuple[str, str, str, str | None], Gap],
    origins: dict[tuple[str, str, str, str | None], Origin],
) -> Finding:
    """The clearest gap stands for all: one in accuracy before one in a single class."""
    worst = min(gaps, key=lambda gap: (gap.p_holm > 0.05, gap.metric != "accuracy", gap.p_holm))
    detail = _detail(worst, _same(worst, old), origins[_identity(worst)])
    return detail.model_copy(
        update={
            "name": name,
            "p_value": min(gap.p_holm for gap in gaps),
            "effect": abs(worst.value - worst.rest),
            "interval": None,
            "method": f"smallest of {len(gaps)} p-values, Holm",
        }
    )


def _detail(gap: Gap, before: Gap | None, came: Origin) -> Finding:
    what = gap.metric.replace("_", " ") + (f" of {gap.label}" if gap.label else "")
    then = None if before is None else before.value - before.rest
    history = {
        "new": f"At training it was {100 * (then or 0):+.0f} points, so it came since.",
        "there at training": f"It was there at training ({100 * (then or 0):+.0f} points).",
        "unknown": "Held-out data are too few to say whether it was there at training.",
    }[came]
    return Finding(
        section="bias",
        name=f"{what}, {gap.where}",
        method="chi-square or Fisher, group against the others",
        p_value=gap.p_value,
        effect=gap.value - gap.rest,
        effect_name="difference of shares",
        reference=then,
        current=gap.value - gap.rest,
        interval=_ends(gap),
        rows=gap.n,
        note=f"{describe_gap(gap)}. {history}",
    )


def _answer_findings(
    now: BiasResult, old: dict[tuple[str, str, str, str | None], Gap], rows: int
) -> list[Finding]:
    """Without labels: how answers and confidence differ, for information."""
    findings = [
        insufficient(
            "bias",
            "new_gap",
            rows,
            "No labels yet, so nothing is known about errors; only answers and confidence are "
            "compared.",
        )
    ]
    for gap in now.gaps:
        if gap.p_holm > 0.05:
            continue
        before = _same(gap, old)
        what = gap.metric.replace("_", " ") + (f" of {gap.label}" if gap.label else "")
        findings.append(
            Finding(
                section="bias",
                name=f"{what}, {gap.where}",
                method="group against the others, no labels",
                p_value=gap.p_value,
                effect=gap.value - gap.rest,
                effect_name="difference of shares",
                reference=None if before is None else before.value - before.rest,
                current=gap.value - gap.rest,
                interval=_ends(gap),
                rows=gap.n,
                note=f"{describe_gap(gap)}. Answers differ; whether the model errs more here, "
                "only labels can say.",
            )
        )
    return findings


def _same(gap: Gap, old: dict[tuple[str, str, str, str | None], Gap]) -> Gap | None:
    """The gap at training; of two groups only one was tested there, perhaps the other one."""
    known = old.get(_identity(gap))
    if known is not None:
        return known
    for other in old.values():
        same = (other.column, other.metric, other.label) == (gap.column, gap.metric, gap.label)
        if same and JOIN not in gap.column and _only_two(other, gap, old):
            return other.model_copy(update={"value": other.rest, "rest": other.value})
    return None


def _only_two(other: Gap, gap: Gap, old: dict[tuple[str, str, str, str | None], Gap]) -> bool:
    """Whether the column was compared once at training, as one of two groups is."""
    tests = [x for x in old.values() if (x.column, x.metric, x.label) == _about(gap)]
    return tests == [other]


def _about(gap: Gap) -> tuple[str, str, str | None]:
    return gap.column, gap.metric, gap.label


def _ends(gap: Gap) -> tuple[float, float] | None:
    low, high = gap.difference.low, gap.difference.high
    return None if low is None or high is None else (low, high)
