"""From findings to a decision. It is returned, never acted on: acting is the pipeline's part.

Drift is not harm. Images that look different ask for labels; a loss that was measured, or
credibly estimated, asks for retraining.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, computed_field

from hf_vft.evaluation.multiplicity import benjamini_hochberg, holm
from hf_vft.monitoring.explanation import Affected, Cause, Since
from hf_vft.monitoring.findings import Finding, Level
from hf_vft.monitoring.policy import Policy
from hf_vft.utils.frozen import Frozen

Action = Literal["none", "wait", "label", "retrain", "mend"]
"""``mend``, which `hf_vft.monitoring.advice` decides, is what is mended outside the model."""

DRIFT = ("input", "prediction", "embedding", "class_mix")

_HEADLINES: dict[Action, str] = {
    "none": "In order: production is what the model was trained for.",
    "mend": "Something changed: look for the cause.",
    "wait": "No verdict yet: there is too little to go by.",
    "label": "Something changed, and whether it hurts is unknown: label images.",
    "retrain": "The model has become worse: retrain it.",
}
_ONCE = "No alert yet: something changed in the newest window, and one is not enough to say so."

MEASURES = ("labels.accuracy", "labels.f1_image")
"""What measures how right answers are: of one label, and of several or boxes."""

_MEND = "Find and mend the cause if it is outside the model (lamp, lens, camera, labelling rule)."
_EQUALITY = "The model has become worse for some: retrain it."


class Judged(Frozen):
    """A finding of the newest window, with what the others say."""

    finding: Finding
    p_holm: float | None = Field(description="Corrected for all that could page.")
    q_value: float | None = Field(description="By Benjamini-Hochberg, for the table.")
    windows: int = Field(description="Windows in which it holds.")


class Decision(Frozen):
    """The verdict, and the actions to take."""

    action: Action
    headline: str
    reasons: list[str] = Field(description="Why, the gravest first.")
    todo: list[str] = Field(description="What to do now.")
    windows: int
    rows: int = Field(description="Of the newest window.")
    judged: list[Judged]
    since: Since | None = Field(None, description="When it began; None without an alert.")
    causes: list[Cause] = Field(default_factory=list, description="The likeliest first.")
    affected: list[Affected] = Field(
        default_factory=list, description="Groups that are served worse, the worst first."
    )

    @computed_field  # type: ignore[prop-decorator]
    @property
    def actions(self) -> list[str]:
        """The actions to take, in the order that fits the cause."""
        return self.todo

    def with_reasons(self, more: Sequence[str]) -> Decision:
        """The same, with something else that has to be known."""
        return self.model_copy(update={"reasons": [*self.reasons, *more]})

    @property
    def alert(self) -> bool:
        """Whether someone has to do something."""
        return self.action in ("label", "retrain", "mend")


def decide(windows: Sequence[Sequence[Finding]], policy: Policy) -> Decision:
    """Judge the findings of one report.

    A finding holds in a window if its p-value, corrected by Holm for all that could page there,
    is at most ``policy.alpha`` and its effect is large enough. It pages if it holds in
    ``policy.windows.needed`` windows, the newest or the one before among them. A loss that labels
    measure beyond doubt pages from the newest window alone: nobody waits for more of it.

    Args:
        windows: Findings of each window, the newest last; none if there were too few rows.
        policy: What counts, and from when on.
    """
    if not windows:
        return _nothing(policy)
    holds = [_held(findings, policy) for findings in windows]
    needed = min(policy.windows.needed, len(windows))
    newest = list(windows[-1])
    corrected = _corrected(newest, policy)
    q_values = benjamini_hochberg([finding.p_value for finding in newest])
    judged = []
    for finding, p, q in zip(newest, corrected, q_values, strict=True):
        count = sum(finding.key in held for held in holds)
        sure = _is_sure(finding, p, policy)
        now = finding.key in holds[-1]
        level = _level(finding, count, 1 if sure else needed, now=now, policy=policy)
        judged.append(
            Judged(
                finding=finding.judged(level),
                p_holm=p,
                q_value=None if q != q else float(q),
                windows=count,
            )
        )
    return _decided(judged, len(windows), policy)


def pages(finding: Finding, policy: Policy) -> bool:
    """Whether a finding may page at all: it was tested, and the policy knows how large is large."""
    return finding.p_value is not None and (
        finding.key in policy.harm
        or (finding.section in DRIFT and _least(finding, policy) is not None)
    )


def _least(finding: Finding, policy: Policy) -> float | None:
    return policy.effects.get(finding.key, policy.effects.get(finding.effect_name))


def _corrected(findings: Sequence[Finding], policy: Policy) -> list[float | None]:
    adjusted = holm(finding.p_value if pages(finding, policy) else None for finding in findings)
    return [None if p != p else float(p) for p in adjusted]


def _held(findings: Sequence[Finding], policy: Policy) -> set[str]:
    return {
        finding.key
        for finding, p in zip(findings, _corrected(findings, policy), strict=True)
        if p is not None and p <= policy.alpha and _large(finding, policy)
    }


def _large(finding: Finding, policy: Policy) -> bool:
    if finding.effect is None:
        return False
    if finding.key in policy.harm:
        # Scores harm by falling, a gap between groups by its width.
        loss = abs(finding.effect) if finding.section == "bias" else -finding.effect
        return loss >= policy.harm[finding.key]
    return abs(finding.effect) >= (_least(finding, policy) or 0.0)


def _is_sure(finding: Finding, p_holm: float | None, policy: Policy) -> bool:
    """Whether labels of one window leave no doubt that answers have become worse."""
    measured_loss = finding.section == "labels" and finding.key in policy.harm
    return measured_loss and p_holm is not None and p_holm <= policy.windows.sure


def _level(finding: Finding, count: int, needed: int, *, now: bool, policy: Policy) -> Level:
    if finding.level == "insufficient":
        return "insufficient"
    if count >= needed and (now or count > 1):
        return "alert"
    if now:
        return "warn"
    return "ok" if pages(finding, policy) else "info"


def _decided(judged: list[Judged], windows: int, policy: Policy) -> Decision:
    alerts = [item for item in judged if item.finding.level == "alert"]
    harms = [item for item in alerts if item.finding.key in policy.harm]
    action: Action = "retrain" if harms else "label" if alerts else "none"
    headline = _HEADLINES[action]
    if harms and all(item.finding.section == "bias" for item in harms):
        headline = _EQUALITY
    drifts = sorted(
        (item for item in alerts if item not in harms),
        key=lambda item: -_excess(item.finding, policy),
    )
    reasons = [_reason(item) for item in [*harms, *drifts]]
    once = [item for item in judged if item.finding.level == "warn"]
    if once and action == "none":
        headline = _ONCE
    reasons += [f"Seen in one window only: {_reason(item)}" for item in once]
    if not reasons:
        reasons = [_quiet(judged)]
    rows = max((item.finding.rows for item in judged), default=0)
    return Decision(
        action=action,
        headline=headline,
        reasons=reasons,
        todo=_todo(action, judged),
        windows=windows,
        rows=rows,
        judged=judged,
    )


def _excess(finding: Finding, policy: Policy) -> float:
    """Effect in multiples of the smallest that counts: the cause stands out, not its echoes."""
    echo = 0.0 if finding.section == "input" else 1e6  # causes are named before consequences
    return abs(finding.effect or 0.0) / (_least(finding, policy) or 1.0) - echo


def _reason(item: Judged) -> str:
    finding = item.finding
    name = finding.name.replace("_", " ")
    text = finding.note
    if not text and isinstance(finding.reference, float) and isinstance(finding.current, float):
        text = f"{finding.reference:.3g} at training, {finding.current:.3g} now."
    where = {"class_mix": "class mix", "labels": "with labels"}.get(
        finding.section, finding.section
    )
    size = f" ({finding.effect_name} {finding.effect:.2f})" if finding.section in DRIFT else ""
    return f"{where}, {name}: {text}{size}" if text else f"{where}, {name}{size}"


def _quiet(judged: list[Judged]) -> str:
    looked = sum(item.p_holm is not None for item in judged)
    unmeasured = "without labels, as far as confidence can tell"
    basis = "measured on labels" if measured(judged) else unmeasured
    return f"None of {looked} tests found a change that counts ({basis})."


def measured(judged: Sequence[Judged]) -> bool:
    """Whether labels said how right the answers are."""
    return any(item.finding.key in MEASURES and item.p_holm is not None for item in judged)


def _todo(action: Action, judged: list[Judged]) -> list[str]:
    if action == "none":
        return ["Nothing. Label a few images now and then: only labels measure accuracy."]
    refused = [
        item.finding.note
        for item in judged
        if item.finding.key == "performance.estimated_accuracy"
        and item.finding.level == "insufficient"
    ]
    if action == "label":
        return [
            "Label the images of label-these.csv, write the labels to the log, monitor again.",
            *refused,
        ]
    return [
        _MEND,
        "Otherwise label images, those of label-these.csv and some at random, and run "
        "`hf-vft retrain RUN LOG`.",
    ]


def _nothing(policy: Policy) -> Decision:
    few = f"The newest window has fewer than {policy.windows.least} comparable images."
    return Decision(
        action="wait",
        headline=_HEADLINES["wait"],
        reasons=[few],
        todo=["Wait for more images, or lower windows.least in the policy."],
        windows=0,
        rows=0,
        judged=[],
    )
