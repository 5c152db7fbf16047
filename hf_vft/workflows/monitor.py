"""From a run and its production log to a decision and a report: what ``hf-vft monitor`` does."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from hf_vft.errors import HubError
from hf_vft.monitoring.active_learning import COLUMNS, images_to_label
from hf_vft.monitoring.answer_checks import checks_of
from hf_vft.monitoring.decision import Decision, decide
from hf_vft.monitoring.delayed_labels import (
    realised_over_time,
)
from hf_vft.monitoring.drift import Window, find_drift, read_window
from hf_vft.monitoring.explanation import Stretch
from hf_vft.monitoring.findings import Finding
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.profile import Reference
from hf_vft.monitoring.report import add_to_workspace, write_report
from hf_vft.monitoring.report_images import Row
from hf_vft.outputs import claim
from hf_vft.records import ProductionLog
from hf_vft.records.future import future_notes, latest_credible
from hf_vft.run import RunDirectory, write_text
from hf_vft.utils.progress import Display, Silent
from hf_vft.utils.spreadsheets import as_cell
from hf_vft.utils.text import counted
from hf_vft.workflows.steps.explain_decision import (
    crops_of,
    explain,
    rows_of_images,
)
from hf_vft.workflows.steps.log_window import of_the_vocabulary, with_labels

TO_LABEL = "label-these.csv"
_TIMEOUT = 10


@dataclass(frozen=True)
class MonitorResult:
    """What a monitoring run found.

    Attributes:
        decision: The verdict.
        to_label: Images that would tell most, if labelled; empty if there is no need.
        over_time: `hf_vft.monitoring.delayed_labels.realised_over_time` of all labels of the log.
        held_out: Rows of the reference.
        newest: Rows of the newest window.
        slices: Columns that groups are compared by.
        images: Rows of images to be shown; none unless asked for.
        curve: Accuracy over data time, measured and estimated; empty for several labels.
        crops: Of each cause an image at training and one of now, where they are at hand.
    """

    decision: Decision
    to_label: pd.DataFrame
    over_time: pd.DataFrame
    held_out: pd.DataFrame
    newest: pd.DataFrame
    slices: Sequence[str]
    images: Sequence[Row] = ()
    curve: Sequence[Stretch] = ()
    crops: Sequence[tuple[str | None, str | None]] = ()


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
    windows = list(newest_windows(whole, policy))
    display.start("looking at windows", len(windows) or 1)
    found, unlike = [], pd.DataFrame()
    for number, window in enumerate(windows):
        findings, unlike = look(reference, window, policy, seed)
        found.append(findings)
        display.advance(number + 1, total=len(windows))
    columns = policy.groups.columns or reference.profile.slice_columns
    known = whole.sample.frame.dropna(subset=["label"])
    checks = checks_of(reference)
    if found:
        found[-1] = checks.with_change_points(found[-1], known)
    decision = decide(found, policy)
    to_label = pd.DataFrame(columns=COLUMNS)
    if decision.alert and policy.actions.ask_for:
        frame, embeddings = windows[-1].sample.frame, windows[-1].sample.embeddings
        frame = checks.with_margin(frame)
        to_label = images_to_label(frame, embeddings, unlike, policy.actions.ask_for)
    if windows:
        decision = explain(
            decision,
            reference,
            whole.sample.frame,
            windows[-1].sample.frame,
            policy,
            slices=columns,
            new_classes=vocabulary.new,
            to_label=len(to_label),
            seed=seed,
        )
    told = [vocabulary.sentence()] if vocabulary.unknown else []
    if whole.repeated:
        told.append(
            f"{counted(whole.repeated, 'row')} of requests that were logged more than once left "
            "out; each request counts once, as its last row."
        )
    decision = decision.with_reasons([*told, *future_notes(log, latest)])
    newest = windows[-1].sample.frame if windows else whole.sample.frame.iloc[:0]
    shown: Sequence[Row] = ()
    pairs: list[tuple[str | None, str | None]] = []
    if with_images and windows:
        folder = None if ProductionLog.is_log(log_path) else Path(log_path)
        shown = rows_of_images(run, reference, newest, unlike, log, folder, seed)
        pairs = [
            crops_of(cause, run, reference.sample.frame, newest, unlike, log, folder)
            for cause in decision.causes
        ]
    return MonitorResult(
        decision,
        to_label,
        realised_over_time(known, scores=checks.image_scores(known)),
        held_out=reference.sample.frame,
        newest=newest,
        slices=columns,
        images=shown,
        curve=checks.curve(decision, whole.sample.frame),
        crops=pairs,
    )


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


def newest_windows(whole: Window, policy: Policy) -> Iterator[Window]:
    """The newest rows in windows of equal size, the oldest window first.

    Fewer windows where the log has too few rows for all; none where it has too few for one.
    """
    rows = len(whole.sample)
    count = min(policy.windows.count, rows // policy.windows.least)
    if not count:
        return
    size = min(policy.windows.rows, rows // count)
    for number in range(count):
        start = rows - size * (count - number)
        yield Window(whole.sample.take(np.arange(start, start + size)), whole.excluded)


def claim_report(out: Path) -> None:
    """Make sure, before the work begins, that the report replaces nothing but an older one.

    Raises:
        OutputError: If a file of one of its names is there that hf-vft did not write.
    """
    names = ("monitor.html", "verdict.json", "snapshot.json", TO_LABEL, "evidently.html")
    claim(out, names, command="monitor")


def report(watched: MonitorResult, out: Path, *, name: str, workspace: Path | None = None) -> None:
    """Write the report, the verdict and the images to label into ``out``.

    Raises:
        OutputError: As for `claim_report`.
    """
    claim_report(out)
    at = watched.newest["ts_utc"].max().to_pydatetime() if len(watched.newest) else None
    snapshot = write_report(
        watched.decision,
        out,
        name=name,
        at=at,
        over_time=watched.over_time,
        images=watched.images,
        curve=watched.curve,
        crops=watched.crops,
        held_out=watched.held_out,
    )
    write_text(out / TO_LABEL, watched.to_label.map(as_cell).to_csv(index=False))
    if workspace is not None:
        add_to_workspace(snapshot, workspace)


def act(decision: Decision, policy: Policy, *, name: str) -> None:
    """Tell the webhook and the Hub, where the policy names them and there is an alert.

    Raises:
        HubError: If one cannot be reached; the report is written by then.
    """
    if not decision.alert:
        return
    text = "\n".join([decision.headline, *(f"- {why}" for why in decision.reasons)])
    if policy.actions.webhook:
        _post(policy.actions.webhook, {"run": name, "text": text, "action": decision.action})
    if policy.actions.hub:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        try:
            HfApi().create_discussion(
                policy.actions.hub, title=f"Monitor: {decision.headline}", description=text
            )
        except (HfHubHTTPError, OSError) as error:
            raise HubError(
                f"{policy.actions.hub}: no message left ({type(error).__name__})."
            ) from None


def look(
    reference: Reference, window: Window, policy: Policy, seed: int
) -> tuple[list[Finding], pd.DataFrame]:
    """All eight sections of one window."""
    drift = find_drift(reference, window, minimum_rows=policy.windows.least, seed=seed)
    columns = policy.groups.columns or reference.profile.slice_columns
    checks = checks_of(reference)
    scores = checks.score_findings(window.sample, drift.findings, policy, columns, seed)
    return [*drift.findings, *scores], drift.unlike


def _post(address: str, payload: dict[str, str]) -> None:
    if not address.startswith(("http://", "https://")):
        raise HubError(f"{address}: a webhook begins with https://.")
    request = urllib.request.Request(  # noqa: S310 – the scheme was checked
        address, json.dumps(payload).encode(), {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=_TIMEOUT).close()  # noqa: S310
    except OSError as error:
        # The address may hold a secret, so only its host is named.
        host = address.split("/")[2]
        raise HubError(f"webhook at {host}: not reached ({type(error).__name__}).") from None
