"""From a run and its production log to a decision and a report: what ``hf-vft monitor`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from hf_vft.monitoring.active_learning import COLUMNS, images_to_label
from hf_vft.monitoring.answer_checks import checks_of
from hf_vft.monitoring.decision import Decision, decide
from hf_vft.monitoring.delayed_labels import realised_over_time
from hf_vft.monitoring.drift import Window, find_drift, read_window
from hf_vft.monitoring.findings import Finding
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.profile import Reference
from hf_vft.monitoring.report_images import Row
from hf_vft.records import ProductionLog
from hf_vft.records.future import future_notes, latest_credible
from hf_vft.records.vocabulary import Vocabulary
from hf_vft.run import RunDirectory
from hf_vft.utils.progress import Display, Silent
from hf_vft.utils.text import counted
from hf_vft.workflows.steps.explain_decision import (
    crops_of,
    explain,
    rows_of_images,
)
from hf_vft.workflows.steps.log_window import newest_windows, of_the_vocabulary, with_labels
from hf_vft.workflows.steps.monitor_report import MonitorResult


def monitor_run(
    run_path: str | Path,
    log_path: str | Path,
    policy: Policy,
    *,
    scored: Path | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    with_images: bool = False,
    time_format: str | None = None,
    seed: int = 0,
    display: Display | None = None,
) -> MonitorResult:
    """Compare the newest windows of a production log with the reference of a run.

    Args:
        run_path: A finished run.
        log_path: A production log; or images, as for `hf_vft.workflows.score_images.observe`.
        policy: What counts.
        scored: Where the log of mere images is written; needed for these alone.
        since: The first moment that counts.
        until: The first moment that no longer counts; by default rows that are dated in the
            future are left out, and the decision says how many.
        with_images: Whether the report may show images, where log and data are at hand.
        time_format: How the times of mere images are written: ``day_first``, ``month_first``, or
            a pattern of ``strptime``.
        seed: Of everything random.
        display: Where progress is shown.

    Raises:
        VftError: If the run has no reference, or the log no comparable rows.
    """
    display = display or Silent()
    run = RunDirectory.open(run_path)
    reference = Reference.load(run)
    log = _log_of(run_path, log_path, scored, display, time_format)
    latest = latest_credible(until)
    whole = with_labels(read_window(log, reference, since, until or latest), log, latest)
    whole, vocabulary = of_the_vocabulary(whole, reference)
    seen = _looked_at(reference, whole, policy, seed, display)
    decision, to_label = _decided(reference, whole, seen, policy, vocabulary, seed)
    decision = decision.with_reasons([*_notes(whole, vocabulary), *future_notes(log, latest)])
    newest = seen.newest.frame if seen.newest is not None else whole.sample.frame.iloc[:0]
    images: Sequence[Row] = ()
    crops: list[tuple[str | None, str | None]] = []
    if with_images and seen.newest is not None:
        folder = None if ProductionLog.is_log(log_path) else Path(log_path)
        images = rows_of_images(run, reference, newest, seen.unlike, log, folder, seed)
        crops = [
            crops_of(cause, run, reference.sample.frame, newest, seen.unlike, log, folder)
            for cause in decision.causes
        ]
    checks, known = checks_of(reference), whole.sample.frame.dropna(subset=["label"])
    return MonitorResult(
        decision,
        to_label,
        realised_over_time(known, scores=checks.image_scores(known)),
        held_out=reference.sample.frame,
        newest=newest,
        slices=_columns(reference, policy),
        images=images,
        curve=checks.curve(decision, whole.sample.frame),
        crops=crops,
    )


@dataclass(frozen=True)
class _Seen:
    """What was seen in windows.

    Attributes:
        findings: Of each window, the newest last.
        newest: Rows of the newest window; None where there are too few rows for one.
        unlike: Its images that are least like the reference.
    """

    findings: list[list[Finding]]
    newest: Sample | None
    unlike: pd.DataFrame


def _looked_at(
    reference: Reference, whole: Window, policy: Policy, seed: int, display: Display
) -> _Seen:
    windows = list(newest_windows(whole, policy))
    display.start("looking at windows", len(windows) or 1)
    findings, unlike = [], pd.DataFrame()
    for number, window in enumerate(windows):
        seen, unlike = look(reference, window, policy, seed)
        findings.append(seen)
        display.advance(number + 1, total=len(windows))
    if findings:
        known = whole.sample.frame.dropna(subset=["label"])
        findings[-1] = checks_of(reference).with_change_points(findings[-1], known)
    return _Seen(findings, windows[-1].sample if windows else None, unlike)


def _decided(
    reference: Reference,
    whole: Window,
    seen: _Seen,
    policy: Policy,
    vocabulary: Vocabulary,
    seed: int,
) -> tuple[Decision, pd.DataFrame]:
    """The decision, explained, and the images to label."""
    decision, to_label = decide(seen.findings, policy), pd.DataFrame(columns=COLUMNS)
    if seen.newest is None:
        return decision, to_label
    newest = seen.newest.frame
    if decision.alert and policy.actions.ask_for:
        frame = checks_of(reference).with_margin(newest)
        wanted = policy.actions.ask_for
        to_label = images_to_label(frame, seen.newest.embeddings, seen.unlike, wanted)
    explained = explain(
        decision,
        reference,
        whole.sample.frame,
        newest,
        policy,
        slices=_columns(reference, policy),
        new_classes=vocabulary.new,
        to_label=len(to_label),
        seed=seed,
    )
    return explained, to_label


def _columns(reference: Reference, policy: Policy) -> Sequence[str]:
    """That groups are compared by."""
    return policy.groups.columns or reference.profile.slice_columns


def _notes(whole: Window, vocabulary: Vocabulary) -> list[str]:
    """What counts for nothing."""
    notes = [vocabulary.sentence()] if vocabulary.unknown else []
    if whole.repeated:
        notes.append(
            f"{counted(whole.repeated, 'row')} of requests that were logged more than once left "
            "out; each request counts once, as its last row."
        )
    return notes


def _log_of(
    run_path: str | Path,
    log_path: str | Path,
    scored: Path | None,
    display: Display,
    time_format: str | None,
) -> ProductionLog:
    """A log as it is; only images take a model, whose libraries take seconds to import."""
    if ProductionLog.is_log(log_path):
        return ProductionLog.open(log_path)
    from hf_vft.workflows.score_images import log_of

    return log_of(run_path, log_path, scored, display, time_format)


def look(
    reference: Reference, window: Window, policy: Policy, seed: int
) -> tuple[list[Finding], pd.DataFrame]:
    """All eight sections of one window."""
    drift = find_drift(reference, window, minimum_rows=policy.windows.least, seed=seed)
    scores = checks_of(reference).score_findings(
        window.sample, drift.findings, policy, _columns(reference, policy), seed
    )
    return [*drift.findings, *scores], drift.unlike
