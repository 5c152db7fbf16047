"""What to know before relying on a result. Every notice follows from a rule stated here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hf_vft.evaluation.group_disparities import describe_gap, error_gaps
from hf_vft.evaluation.metrics import lower_is_better
from hf_vft.evaluation.results import EvalReport, SplitResult
from hf_vft.reporting import numbers
from hf_vft.reporting.report_facts import ReportFacts
from hf_vft.reporting.verdict import (
    BASELINE_NAMES,
    BLIND,
    judged_split,
    lower_first,
    metric_name,
    standings,
)

FEW_IMAGES = 10
# A macro score that falls by more than this from validation to test is worth a warning.
SPLIT_GAP = 0.10
# A slice that is worse by less than this share is not worth a warning.
UNEQUAL = 0.05


@dataclass(frozen=True)
class Notice:
    """Something a reader should know, with how much it matters."""

    severity: Literal["error", "warning", "info", "good"]
    sentence: str


def notices(report: EvalReport, facts: ReportFacts | None = None) -> list[Notice]:
    """Notices to read before relying on the result, the gravest first."""
    facts = facts or ReportFacts()
    split = judged_split(report)
    candidates = [
        _not_pretrained(facts),
        _no_gain(report),
        _few_images(report.splits[split], split),
        _splits_disagree(report, split),
        _unequal(report.splits[split]),
    ]
    grave = [notice for notice in candidates if notice]
    for stage, sentences in facts.warnings.items():
        grave += [Notice("warning", f"Stage {stage}: {sentence}") for sentence in sentences]
    return sorted(grave, key=lambda notice: notice.severity != "error")


def leaks(findings: Sequence[Mapping[str, Any]]) -> list[Notice]:
    """Notices of images that an audit found in two splits, which make scores look too good.

    Args:
        findings: Of ``audit.json``.
    """
    return [
        Notice(finding["severity"], finding["sentence"])
        for finding in findings
        if str(finding.get("kind")).endswith("_across")
    ]


def _not_pretrained(facts: ReportFacts) -> Notice | None:
    if facts.pretrained is not False:
        return None
    return Notice(
        "error",
        "The model started from random weights. Expect a large gain from a pre-trained "
        "checkpoint: name one in model.candidates.",
    )


def _no_gain(report: EvalReport) -> Notice | None:
    verdicts = standings(report)
    blind = next((name for name in BLIND if verdicts.get(name) in ("unclear", "worse")), None)
    if blind is not None:
        return Notice(
            "error",
            f"The model cannot be told from {BASELINE_NAMES[blind]}: it is of no use yet.",
        )
    place = verdicts.get("linear_probe")
    if place == "worse":
        return Notice(
            "error",
            "Fine-tuning did worse than a linear probe on the frozen backbone: use the probe, or "
            "try a lower learning rate.",
        )
    if place == "unclear":
        return Notice(
            "warning",
            "The gain over a linear probe is within the uncertainty of this split: more test "
            "images, or a longer search, would be needed to tell them apart.",
        )
    return None


def _few_images(result: SplitResult, split: str) -> Notice | None:
    few = {
        name: result_of_class.support
        for name, result_of_class in result.per_class.items()
        if result_of_class.support < FEW_IMAGES
    }
    if not few:
        return None
    shown = [f"{name} ({n})" for name, n in sorted(few.items(), key=lambda item: item[1])]
    listed = ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
    return Notice(
        "warning",
        f"Fewer than {FEW_IMAGES} {split} images for {listed}: these scores, and the macro "
        "averages that they enter, are uncertain.",
    )


def _unequal(result: SplitResult) -> Notice | None:
    gaps = error_gaps(result.bias.gaps, least=UNEQUAL) if result.bias else []
    if not gaps:
        return None
    more = f" {len(gaps) - 1} more are in metrics.json." if len(gaps) > 1 else ""
    return Notice("warning", f"Not equally good for all. {describe_gap(gaps[0])}.{more}")


def _splits_disagree(report: EvalReport, split: str) -> Notice | None:
    if split == "validation" or "validation" not in report.splits:
        return None
    validation = report.splits["validation"].metrics[report.primary].value
    test = report.splits[split].metrics[report.primary].value
    if validation is None or test is None or abs(validation - test) <= SPLIT_GAP:
        return None
    lower = test < validation
    cause = (
        "the splits may differ in kind (other cameras, parts or days), or the validation split "
        "was consulted too often"
        if lower != (lower_is_better(report.primary))
        else "the splits may differ in kind, so neither score may hold for new images"
    )
    name = lower_first(metric_name(report.primary))
    return Notice(
        "warning",
        f"The {name} is {numbers.score(validation)} on validation but {numbers.score(test)} on "
        f"{split}: {cause}.",
    )
