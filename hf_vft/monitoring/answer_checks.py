"""What the monitor asks of answers, by their kind: drift, class mix, and how right they are.

One strategy for answers of exactly one label, one for all others, which rest on what their
`hf_vft.answers.AnswerKind` says. `checks_of` chooses between them, and nothing else does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pandas as pd

from hf_vft.answers import AnswerKind, answer_kind
from hf_vft.evaluation.intervals import Floats
from hf_vft.evaluation.multiplicity import holm
from hf_vft.monitoring.anomalies import SCORE, anomaly_findings
from hf_vft.monitoring.bias import bias_findings
from hf_vft.monitoring.class_mix import class_mix_findings, estimate_class_mix
from hf_vft.monitoring.decision import Decision
from hf_vft.monitoring.delayed_labels import MIN_ROWS, change_points, label_findings
from hf_vft.monitoring.embeddings import LEAST_ROWS, content_shift
from hf_vft.monitoring.estimate_error import Trust
from hf_vft.monitoring.estimated_accuracy import Known, performance_findings
from hf_vft.monitoring.explanation import Affected, Stretch
from hf_vft.monitoring.findings import Finding
from hf_vft.monitoring.incident import find_affected, over_time
from hf_vft.monitoring.log_sample import Sample, independent, unit_numbers
from hf_vft.monitoring.multilabel_drift import (
    doubt,
    left_out,
    presence_findings,
    several_prediction_findings,
)
from hf_vft.monitoring.multilabel_performance import (
    image_scores,
    several_bias_findings,
    several_label_findings,
)
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.prediction_drift import prediction_findings, probabilities
from hf_vft.monitoring.profile import Reference

UNSAFE_SHIFT = 0.1
"""From which shift of the content on confidence is not asked, if no stress test says how far it
can be trusted."""


class AnswerChecks(ABC):
    """The checks of a run's answers.

    Args:
        reference: What production is compared with.
        kind: Of the answers.
    """

    estimates: ClassVar[bool]
    """Whether accuracy can be estimated without labels."""

    def __init__(self, reference: Reference, kind: AnswerKind) -> None:
        self.reference = reference
        self.profile = reference.profile
        self.kind = kind

    @abstractmethod
    def numbered(self) -> Sample:
        """The reference, with ``_label``, the class id of each row, where each has one."""

    @abstractmethod
    def class_mix(self, current: Sample, seed: int) -> Floats | None:
        """Shares of the classes now ``[C]``; None where they do not add up to one."""

    @abstractmethod
    def shift(self, current: Sample, seed: int) -> float | None:
        """Shift of the content beyond the class mix; None if it cannot be estimated."""

    @abstractmethod
    def prediction_findings(
        self, ours: Sample, theirs: Sample, *, resamples: int, seed: int
    ) -> list[Finding]:
        """Test whether independent rows are answered as they were."""

    @abstractmethod
    def mix_findings(self, current: Sample, seed: int) -> list[Finding]:
        """Current frequency of each class, estimated without labels."""

    @abstractmethod
    def score_findings(
        self,
        current: Sample,
        drift: Sequence[Finding],
        policy: Policy,
        columns: Sequence[str],
        seed: int,
    ) -> list[Finding]:
        """Quality of the answers: without labels, with the labels that have arrived, and by group.

        Args:
            current: Rows of a window.
            drift: What was found of them so far.
            policy: What counts.
            columns: That groups are compared by.
            seed: Of the resamples.
        """

    def with_change_points(self, findings: list[Finding], known: pd.DataFrame) -> list[Finding]:
        """The findings of the newest window, with what all labels say of when errors began."""
        return findings

    def with_margin(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with ``margin``: those with the lowest tell most, if they are labelled."""
        return frame

    def image_scores(self, known: pd.DataFrame) -> Floats | None:
        """The score of each labelled image ``[N]``; None where it is right or wrong."""
        return None

    def affected(self, newest: pd.DataFrame, columns: Sequence[str]) -> list[Affected]:
        """Groups that are served worse than at training, where that can be told."""
        return []

    def curve(self, decision: Decision, frame: pd.DataFrame) -> list[Stretch]:
        """Accuracy over data time, where that can be told."""
        return []


def checks_of(reference: Reference) -> AnswerChecks:
    """The checks for the answers of a run.

    Raises:
        RunError: If this hf-vft does not know such answers.
    """
    kind = answer_kind(reference.profile.task)
    if kind.scored:
        return AnomalyChecks(reference, kind)
    return (OneLabelChecks if kind.exclusive else JoinedLabelChecks)(reference, kind)


class OneLabelChecks(AnswerChecks):
    """Checks of answers with one label per image."""

    estimates: ClassVar[bool] = True

    def numbered(self) -> Sample:
        """Every row has a class."""
        sample = self.reference.sample
        return Sample(sample.frame.assign(_label=self.reference.label_ids), sample.embeddings)

    def class_mix(self, current: Sample, seed: int) -> Floats:
        """The estimated class shares; those of the reference if they cannot be estimated."""
        before, now = self._probabilities(current.frame)
        labels = self.reference.label_ids
        if before is None or now is None:
            return np.bincount(labels, minlength=len(self.profile.labels)) / len(labels)
        return estimate_class_mix(before, labels, now, resamples=1, seed=seed).em

    def shift(self, current: Sample, seed: int) -> float | None:
        """`content_shift` of independent rows; None with too few embeddings."""
        group, rng = self.profile.group_column, np.random.default_rng(seed)
        ours = independent(self.numbered(), group, rng).embedded()
        theirs = independent(current, group, rng).embedded()
        if min(len(ours), len(theirs)) < LEAST_ROWS:
            return None
        labels = ours.frame["_label"].to_numpy()
        return content_shift(ours, labels, theirs, self.class_mix(current, seed), seed=seed)

    def prediction_findings(
        self, ours: Sample, theirs: Sample, *, resamples: int, seed: int
    ) -> list[Finding]:
        """Labels, how sure they are, and all outputs together."""
        return prediction_findings(
            ours, theirs, self.profile.labels, self.kind.tracked, resamples=resamples, seed=seed
        )

    def mix_findings(self, current: Sample, seed: int) -> list[Finding]:
        """Findings under label shift."""
        before, now = self._probabilities(current.frame)
        if before is None or now is None:
            return []
        units = unit_numbers(current.frame, self.profile.group_column)
        return class_mix_findings(
            before, self.reference.label_ids, self.profile.labels, now, units=units, seed=seed
        )

    def score_findings(
        self,
        current: Sample,
        drift: Sequence[Finding],
        policy: Policy,
        columns: Sequence[str],
        seed: int,
    ) -> list[Finding]:
        """Estimated and realised accuracy, and the rates of groups."""
        before, now = self.reference.sample.frame, current.frame
        group, groups = self.profile.group_column, policy.groups
        known = self.content_known(current, drift, policy.alpha, seed)
        findings = performance_findings(before, now, group=group, seed=seed, **known)
        findings += label_findings(before, now, group=group, seed=seed)[0]
        findings += bias_findings(
            before,
            now,
            columns,
            min_rows=groups.min_rows,
            min_events=groups.min_events,
            intersections=groups.intersections,
            group=group,
        )[0]
        return findings

    def with_change_points(self, findings: list[Finding], known: pd.DataFrame) -> list[Finding]:
        """Add the time at which errors began to change, over all labels of the log."""
        if len(known) < MIN_ROWS:
            return findings
        wrong = (known["predicted"] != known["label"]).to_numpy().astype(np.float64)
        changes = {change.key: change for change in change_points(known, wrong)}
        return [
            changes[finding.key].model_copy(update={"rows": finding.rows})
            if finding.key in changes
            else finding
            for finding in findings
        ]

    def affected(self, newest: pd.DataFrame, columns: Sequence[str]) -> list[Affected]:
        """The groups whose errors have grown."""
        return find_affected(self.reference.sample.frame, newest, columns)

    def curve(self, decision: Decision, frame: pd.DataFrame) -> list[Stretch]:
        """Measured and estimated; where the estimate was refused it ends."""
        refused = any(
            judged.finding.key == "performance.estimated_accuracy"
            and judged.finding.level == "insufficient"
            for judged in decision.judged
        )
        begun = decision.since.at if decision.since is not None else None
        if refused and begun is None and len(frame):
            begun = frame["ts_utc"].iloc[0].to_pydatetime()
        before = self.reference.sample.frame
        return over_time(before, frame, refused_from=begun if refused else None)

    def content_known(
        self, current: Sample, drift: Sequence[Finding], alpha: float, seed: int
    ) -> Known:
        """The novelty and the shift of the content that an estimate has to know.

        A shift that may be chance corrects nothing.
        """
        if not _is_new(drift, alpha):
            return {}
        shift = self.shift(current, seed) or 0.0
        trust = Trust.learned(self.profile.stress)
        if trust is None:
            reason = "the images show something new" if shift > UNSAFE_SHIFT else None
        else:
            reason = trust.refusal(shift)
        if reason:
            moved = f"(MMD {shift:.2f} beyond the class mix)"
            return {"unsafe": f"{reason} {moved}; only labels can say."}
        if trust is None:
            return {}
        return {"correction": trust.slope * shift, "doubt": trust.uncertainty(shift)}

    def _probabilities(self, current: pd.DataFrame) -> tuple[Floats | None, Floats | None]:
        classes = len(self.profile.labels)
        return probabilities(self.reference.sample.frame, classes), probabilities(current, classes)


class AnomalyChecks(OneLabelChecks):
    """Of answers of good or anomaly, by a score; the reference holds good images alone.

    How sure an answer is, is not known, so that nothing is estimated without labels.
    """

    estimates: ClassVar[bool] = False

    def numbered(self) -> Sample:
        """As it is: all rows are good ones."""
        return self.reference.sample

    def class_mix(self, current: Sample, seed: int) -> None:  # type: ignore[override]
        """Not defined: no anomalies were there to learn their share from."""

    def shift(self, current: Sample, seed: int) -> None:
        """Not defined without a class mix."""

    def prediction_findings(
        self, ours: Sample, theirs: Sample, *, resamples: int, seed: int
    ) -> list[Finding]:
        """The score, and the share that is over the threshold."""
        return anomaly_findings(ours, theirs)

    def mix_findings(self, current: Sample, seed: int) -> list[Finding]:
        """None: the share of anomalies is among the answers."""
        return []

    def score_findings(
        self,
        current: Sample,
        drift: Sequence[Finding],
        policy: Policy,
        columns: Sequence[str],
        seed: int,
    ) -> list[Finding]:
        """Realised accuracy, as far as labels have arrived; no estimate without them."""
        before, now = self.reference.sample.frame, current.frame
        findings = label_findings(before, now, group=self.profile.group_column, seed=seed)[0]
        return [finding for finding in findings if finding.name in ("accuracy", "f1_macro")]

    def with_margin(self, frame: pd.DataFrame) -> pd.DataFrame:
        """How near the score is to the threshold."""
        return frame.assign(margin=np.abs(np.log(frame[SCORE].clip(lower=1e-12))))

    def affected(self, newest: pd.DataFrame, columns: Sequence[str]) -> list[Affected]:
        """Not told: errors are not known without labels."""
        return []

    def curve(self, decision: Decision, frame: pd.DataFrame) -> list[Stretch]:
        """Not told: nothing is estimated."""
        return []


class JoinedLabelChecks(AnswerChecks):
    """Checks of answers with any number of names, boxes included.

    What rests on one label an image is not looked at, and the report says so.
    """

    estimates: ClassVar[bool] = False

    def numbered(self) -> Sample:
        """The frame unchanged: a row has no single class."""
        return self.reference.sample

    def class_mix(self, current: Sample, seed: int) -> None:
        """None: the shares of several labels do not add up to one."""

    def shift(self, current: Sample, seed: int) -> None:
        """None: it is not defined without a class mix."""

    def prediction_findings(
        self, ours: Sample, theirs: Sample, *, resamples: int, seed: int
    ) -> list[Finding]:
        """Findings on each label's frequency, the tracked numbers, and all scores together."""
        labels = self.profile.labels
        return several_prediction_findings(
            ours, theirs, labels, self.kind, resamples=resamples, seed=seed
        )

    def mix_findings(self, current: Sample, seed: int) -> list[Finding]:
        """Each label by itself."""
        units = unit_numbers(current.frame, self.profile.group_column)
        before, labels = self.reference.sample.frame, self.profile.labels
        return presence_findings(before, current.frame, labels, self.kind, units=units, seed=seed)

    def score_findings(
        self,
        current: Sample,
        drift: Sequence[Finding],
        policy: Policy,
        columns: Sequence[str],
        seed: int,
    ) -> list[Finding]:
        """F1 by image, of all and of groups; no estimate without labels."""
        before, now, labels = self.reference.sample.frame, current.frame, self.profile.labels
        findings = left_out(len(now))
        findings += several_label_findings(before, now, labels, self.kind, seed=seed)
        findings += several_bias_findings(
            before, now, columns, labels, self.kind, min_rows=policy.groups.min_rows
        )
        return findings

    def with_margin(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Add the distance of the nearest score to its threshold."""
        return frame.assign(margin=doubt(frame, self.profile.thresholds, self.profile.labels))

    def image_scores(self, known: pd.DataFrame) -> Floats:
        """F1."""
        return image_scores(known, self.profile.labels, self.kind)


def _is_new(findings: Sequence[Finding], alpha: float) -> bool:
    embedding = [finding for finding in findings if finding.section == "embedding"]
    corrected = holm(finding.p_value for finding in embedding)
    return any(
        finding.name == "new_content" and p <= alpha
        for finding, p in zip(embedding, corrected, strict=True)
    )
