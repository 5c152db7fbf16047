"""One sentence and an order of steps that fit each other: what happened decides what is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hf_vft.monitoring.decision import MEASURES, Decision, measured
from hf_vft.monitoring.explanation import OUTSIDE, Affected, Cause, Kind, Since
from hf_vft.monitoring.findings import Finding
from hf_vft.monitoring.incident import day

_FIRST: dict[Kind, str] = {
    "lens": "clean the lens and check its focus",
    "lamp": "check the lamps and the exposure",
    "camera": "check the camera and its settings",
    "new_class": "decide whether it is to be a class",
    "new_content": "look at the images",
    "class_mix": "ask whether this mix is to stay",
    "label_rule": "agree on the labelling rule",
    "group": "label more of this group",
    "unknown": "look for the cause",
}
_RETRAIN = "run `hf-vft retrain RUN LOG`"
_LABEL = (
    "Label the images of label-these.csv, `hf-vft log label LOG label-these.csv`, and monitor "
    "again: only labels say whether it costs accuracy."
)


def explained(
    decision: Decision,
    causes: Sequence[Cause],
    since: Since | None,
    affected: Sequence[Affected],
    *,
    to_label: int,
) -> Decision:
    """The decision with cause, time and steps, none of which contradicts another.

    A cause outside the model is mended and not learned, so the action is then ``mend``.

    Args:
        decision: Of the findings alone.
        causes: The likeliest first.
        since: When it began.
        affected: Groups that are served worse.
        to_label: Images that wait for a label.
    """
    if not decision.alert:
        return decision.model_copy(update={"causes": list(causes), "affected": list(affected)})
    known = measured(decision.judged)
    harm = decision.action == "retrain"
    first = causes[0] if causes else None
    outside = first is not None and first.kind in OUTSIDE
    action = decision.action
    if (harm and outside) or (not harm and (known or not to_label)):
        action = "mend"
    return decision.model_copy(
        update={
            "action": action,
            "headline": _headline(
                decision, first, since, harm=harm, known=known, waiting=to_label > 0
            ),
            "todo": _steps(first, since, harm=harm, known=known, to_label=to_label, old=decision),
            "reasons": [_agreeing(reason, outside=outside) for reason in decision.reasons],
            "causes": list(causes),
            "since": since,
            "affected": list(affected),
        }
    )


def _agreeing(reason: str, *, outside: bool) -> str:
    """Where the images changed, confidence that no longer fits says nothing of the labels."""
    if not outside:
        return reason
    return reason.replace(
        "what the labels mean may have changed", "confidence does not fit the changed images"
    )


def _headline(
    decision: Decision,
    first: Cause | None,
    since: Since | None,
    *,
    harm: bool,
    known: bool,
    waiting: bool,
) -> str:
    what = _what(decision, harm=harm, known=known, waiting=waiting)
    begun = f" since {day(since.at)}" if since is not None and since.at is not None else ""
    if first is None or first.kind == "unknown":
        return f"{what}{begun}: {'retrain it' if harm else 'look for the cause'}."
    step = _FIRST[first.kind]
    if harm and first.kind == "class_mix":
        step = "retrain it if this mix is to stay"
    elif harm and first.kind not in OUTSIDE:
        step += ", then retrain it"
    elif not harm and waiting and not known:
        step += ", and label images"
    if begun:
        return f"{what}{begun}, when {first.short}: {step}."
    return f"{what}: {first.short}; {step}."


def _what(decision: Decision, *, harm: bool, known: bool, waiting: bool) -> str:
    """What happened to the answers."""
    findings = [judged.finding for judged in decision.judged]
    if harm:
        only = all(judged.section == "bias" for judged in findings if _harms(judged))
        return f"The model has become worse{' for some' if only else _figures(decision)}"
    if known and any(judged.level == "warn" and _loses(judged) for judged in findings):
        return "Something changed, and a loss is measured in one window so far"
    if known:
        return "Something changed, and the labels prove no loss"
    if waiting:
        return "Something changed, and whether it hurts is unknown"
    return "Something changed, and too few labels can be compared with"


def _figures(decision: Decision) -> str:
    """The measured score, else the estimate."""
    by_key = {judged.finding.key: judged.finding for judged in decision.judged}
    for key in (*MEASURES, "performance.estimated_accuracy"):
        finding = by_key.get(key)
        if finding is None or finding.level not in ("alert", "warn"):
            continue
        before, now = finding.reference, finding.current
        if isinstance(before, float) and isinstance(now, float):
            name = "F1 by image" if key.endswith("f1_image") else "accuracy"
            prefix = "estimated " if key.startswith("performance") else ""
            return f" ({prefix}{name} {before:.2f} → {now:.2f})"
    return ""


def _harms(finding: Finding) -> bool:
    return finding.level == "alert" and finding.section in ("labels", "performance", "bias")


def _loses(finding: Finding) -> bool:
    return finding.section == "labels" and (finding.effect or 0.0) < 0


def _steps(
    first: Cause | None,
    since: Since | None,
    *,
    harm: bool,
    known: bool,
    to_label: int,
    old: Decision,
) -> list[str]:
    """What to do, in the order that fits the cause."""
    kind = first.kind if first is not None else "unknown"
    at = since.at if since is not None else None
    steps = _first_steps(kind, first, at)
    if to_label and not known:
        steps.append(_LABEL)
    elif to_label:
        steps.append("Label the images of label-these.csv, and some at random.")
    if kind in OUTSIDE:
        steps.append(f"Only if the change is to stay: label some of the new images and {_RETRAIN}.")
    elif harm and kind not in ("label_rule", "new_class"):
        steps.append(f"Then {_RETRAIN}." if to_label else f"The labels are there: {_RETRAIN}.")
    elif not harm and known:
        steps.append(
            f"If it is to stay, {_RETRAIN}: it makes the new images the reference, should the "
            "challenger win."
        )
    return steps if known else [*steps, *_refused(old)]


def _first_steps(kind: Kind, first: Cause | None, at: datetime | None) -> list[str]:
    """What comes before any learning."""
    when = f" on {day(at)}" if at is not None else ""
    value = first.value if first is not None else None
    begin = f" --since {at:%Y-%m-%d}" if at is not None else ""
    if first is not None and kind in OUTSIDE:
        place = f" ({first.column} {value!r})" if value is not None else ""
        return [
            f"{_FIRST[kind][0].upper()}{_FIRST[kind][1:]}{place}: what was done{when}?",
            "Monitor again on images taken after that. Do not retrain on images of a fault: the "
            "model would learn the fault.",
        ]
    steps: dict[Kind, list[str]] = {
        "label_rule": [
            f"Ask whoever labels whether the rule was changed{when}.",
            f"If it was meant: `hf-vft retrain RUN LOG{begin}`, on labels by the new rule. If not: "
            "correct the labels with `hf-vft log label`.",
        ],
        "new_class": [
            f"Decide whether {value!r} is to be a class of the model.",
            "If so: `hf-vft retrain RUN LOG` gives it a row of its own once ten of its images are "
            "labelled.",
        ],
        "class_mix": [f"Ask whether production has changed{when}: it is no fault of the model."],
        "new_content": ["Look at the images least like training: what is new in them?"],
        "group": ["Label more images of the group that is served worse."],
    }
    return steps.get(kind, [f"Look for the cause: what was changed{when}?"])


def _refused(decision: Decision) -> list[str]:
    return [
        judged.finding.note
        for judged in decision.judged
        if judged.finding.key == "performance.estimated_accuracy"
        and judged.finding.level == "insufficient"
    ]


def told(decision: Decision) -> list[str]:
    """The head of the page as lines for a terminal."""
    lines = [decision.headline]
    if decision.since is not None:
        lines.append(decision.since.sentence)
    if decision.causes:
        lines.append("Why:")
        lines += [f"  {n}. {cause.sentence}" for n, cause in enumerate(decision.causes, 1)]
    if decision.affected:
        lines.append("Who is affected:")
        lines += [
            f"  {group.column} {group.value}: {group.of} {group.before:.2f} → {group.now:.2f} "
            f"({group.low:.2f}–{group.high:.2f}, {group.rows:,} images)"
            for group in decision.affected
        ]
    lines.append("What to do:")
    lines += [f"  {n}. {step}" for n, step in enumerate(decision.todo, 1)]
    lines.append("What the tests found:")
    return [*lines, *(f"  {reason}" for reason in decision.reasons)]
