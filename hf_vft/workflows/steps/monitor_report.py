"""What a monitoring run found, and the files that tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hf_vft.monitoring.decision import Decision
from hf_vft.monitoring.explanation import Stretch
from hf_vft.monitoring.report import add_to_workspace, write_report
from hf_vft.monitoring.report_images import Row
from hf_vft.outputs import claim
from hf_vft.run import write_text
from hf_vft.utils.spreadsheets import as_cell

TO_LABEL = "label-these.csv"


@dataclass(frozen=True)
class MonitorResult:
    """The result of a monitoring run.

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
