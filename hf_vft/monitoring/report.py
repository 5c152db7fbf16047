"""The Evidently report: one page, its JSON, a snapshot that loads again, a dashboard over time.

Nothing phones home: ``DO_NOT_TRACK`` is set before Evidently is imported. The report holds
figures, no rows, and no images unless they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from hf_vft.errors import RunError
from hf_vft.monitoring.decision import Action, Decision, Judged
from hf_vft.monitoring.explanation import Stretch
from hf_vft.monitoring.findings import LEVELS, Finding, Section, shown
from hf_vft.monitoring.page import Pair, render_monitor
from hf_vft.monitoring.report_images import Row
from hf_vft.monitoring.safe_markup import inert
from hf_vft.run import write_text
from hf_vft.utils.imports import require_package

EXTRA = "monitor"
PROJECT = "hf-vft"

TITLES: dict[Section, str] = {
    "sanity": "1. Sanity",
    "input": "2. Input",
    "prediction": "3. Prediction",
    "embedding": "4. Embedding",
    "class_mix": "5. Class mix",
    "performance": "6. How right is it still, without labels",
    "labels": "7. With delayed labels",
    "bias": "8. Is it right for all",
}
FIGURES = {
    "labels.accuracy": "Accuracy, measured on labels",
    "labels.f1_macro": "Macro F1, measured on labels",
    "labels.f1_image": "F1 by image, measured on labels",
    "performance.estimated_accuracy": "Accuracy, estimated without labels",
    "prediction.confidence": "Mean confidence",
    "embedding.mmd": "Embedding drift (MMD)",
    "embedding.classifier": "Old from new (2 AUC − 1)",
    "bias.new_gap": "Widest new gap between groups",
}
SHOWN = ("labels.accuracy", "labels.f1_image", "performance.estimated_accuracy", "bias.new_gap")
_STYLE = (
    # Evidently sets every column but the first to the right; only numbers belong there.
    "td.MuiTableCell-root, th.MuiTableCell-root { text-align: left; vertical-align: top; }"
    ".MuiTableRow-root > :is(:nth-child(3), :nth-child(4), :nth-child(6))"
    " { text-align: right; }"
)
_REALISED = {"labels.accuracy": "Accuracy", "labels.f1_image": "F1 by image"}


def make_snapshot(
    decision: Decision,
    *,
    name: str,
    at: datetime | None = None,
    over_time: pd.DataFrame | None = None,
    images: Sequence[Row] = (),
) -> Any:
    """An ``evidently`` snapshot of a decision.

    Args:
        decision: What was found.
        name: Of the run, shown in the workspace.
        at: The time that it stands for in the dashboard; now by default.
        over_time: Accuracy measured on labels, from
            `hf_vft.monitoring.delayed_labels.realised_over_time`.
        images: Rows of images to be shown beside each other.

    Raises:
        MissingDependencyError: If Evidently is not installed.
    """
    _import_evidently()
    from evidently import DataDefinition, Dataset, Report
    from evidently.tests import eq

    from hf_vft.monitoring.evidently_metrics import (
        Figure,
        OverTime,
        SectionAlerts,
        SideBySide,
        Verdict,
    )

    figures = _figures(decision)
    metrics: list[Any] = [
        Verdict(
            code=get_args(Action).index(decision.action),
            headline=decision.headline,
            reasons=decision.reasons,
            todo=decision.todo,
            tests=[],
        ),
        *_tiles(decision),
        *(Figure(key=key, tests=[]) for key in figures),
    ]
    for section, title in TITLES.items():
        judged = [item for item in decision.judged if item.finding.section == section]
        alerts = sum(item.finding.level == "alert" for item in judged)
        metrics.append(
            SectionAlerts(
                section=section,
                title=title,
                alerts=alerts,
                table=[_row(item) for item in sorted(judged, key=_gravity)],
                note=None if judged else "Nothing to look at: the log holds no data for this.",
                tests=[eq(0)],
            )
        )
        if section == "input" and any(shown for _, shown in images):
            metrics.append(SideBySide(rows=dict(images), tests=[]))
        if section == "labels" and over_time is not None and len(over_time):
            metrics.append(OverTime(**_curve(over_time), **_at_training(decision), tests=[]))
    # The main figures are the data set; the rows that were looked at stay out of the report.
    rows = Dataset.from_pandas(pd.DataFrame([figures]), DataDefinition())
    return Report(metrics, include_tests=True).run(rows, None, timestamp=at, name=name)


def write_report(
    decision: Decision,
    out: Path,
    *,
    name: str,
    at: datetime | None = None,
    over_time: pd.DataFrame | None = None,
    images: Sequence[Row] = (),
    curve: Sequence[Stretch] = (),
    crops: Sequence[Pair] = (),
    held_out: pd.DataFrame | None = None,
) -> Any:
    """Write ``monitor.html``, ``verdict.json`` and ``snapshot.json`` into ``out``.

    Args:
        decision: What was found.
        out: A folder.
        name: Of the run.
        at: As for `make_snapshot`: the newest moment of the data.
        over_time: As for `make_snapshot`.
        images: As for `make_snapshot`.
        curve: As for `render_monitor`.
        crops: As for `render_monitor`.
        held_out: As for `render_monitor`.

    Returns:
        The snapshot.
    """
    snapshot = make_snapshot(decision, name=name, at=at, over_time=over_time, images=images)
    page = inert(snapshot.get_html_str(as_iframe=False))
    page = page.replace("</head>", f"<style>{_STYLE}</style></head>", 1)
    head = render_monitor(decision, page, name=name, curve=curve, crops=crops, held_out=held_out)
    write_text(out / "monitor.html", head)
    write_text(out / "verdict.json", decision.model_dump_json(indent=2) + "\n")
    write_text(out / "snapshot.json", snapshot.dumps())
    return snapshot


def load_snapshot(path: Path) -> Any:
    """Load ``snapshot.json`` again.

    Raises:
        RunError: If it is missing or is no snapshot.
    """
    _import_evidently()
    from evidently.core.report import Snapshot

    import hf_vft.monitoring.evidently_metrics  # noqa: F401 – registers our metrics

    try:
        return Snapshot.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path}: no snapshot ({str(error).splitlines()[0]}).") from None


def add_to_workspace(snapshot: object, folder: Path, *, project: str = PROJECT) -> None:
    """Add a snapshot to a workspace, which is made with its dashboard where it is missing.

    ``DO_NOT_TRACK=1 evidently ui --workspace FOLDER`` shows it.
    """
    _import_evidently()
    from evidently.ui.workspace import Workspace

    workspace = Workspace.create(str(folder))
    projects = [known for known in workspace.list_projects() if known.name == project]
    home = projects[0] if projects else workspace.create_project(project)
    if not projects:
        _panels(home)
    workspace.add_run(home.id, snapshot, include_data=False)


def _import_evidently() -> None:
    os.environ["DO_NOT_TRACK"] = "1"
    require_package("evidently", EXTRA)


def _figures(decision: Decision) -> dict[str, float]:
    """The points that this report adds to the dashboard."""
    figures = {judged.finding.key: _value(judged.finding) for judged in decision.judged}
    code = float(get_args(Action).index(decision.action))
    known = {key: value for key in FIGURES if (value := figures.get(key)) is not None}
    return {"verdict": code, "rows": float(decision.rows), **known}


def _value(finding: Finding) -> float | None:
    return finding.current if isinstance(finding.current, float) else finding.effect


def _tiles(decision: Decision) -> list[Any]:
    from hf_vft.monitoring.evidently_metrics import Tile

    title = "Images in the newest window"
    rows = decision.rows
    tiles = [Tile(title=title, value=float(rows), shown=f"{rows:,}", tests=[])]
    by_key = {judged.finding.key: judged.finding for judged in decision.judged}
    for key in SHOWN:
        value = _value(by_key[key]) if key in by_key else None
        if value is None:
            continue
        shown, before = f"{value:.2f}", by_key[key].reference
        if isinstance(before, float) and key != "bias.new_gap":
            shown += f" ({before:.2f} at training)"
        tiles.append(Tile(title=FIGURES[key], value=value, shown=shown, tests=[]))
    return tiles


def _curve(over_time: pd.DataFrame) -> dict[str, Any]:
    middle = over_time["start"] + (over_time["end"] - over_time["start"]) / 2
    numbers = {name: over_time[name].tolist() for name in ("accuracy", "low", "high")}
    return {"times": [f"{time:%Y-%m-%d %H:%M}" for time in middle], **numbers}


def _at_training(decision: Decision) -> dict[str, Any]:
    """What the curve shows, and its level at training."""
    findings = [judged.finding for judged in decision.judged if judged.finding.key in _REALISED]
    title = _REALISED[findings[0].key] if findings else _REALISED["labels.accuracy"]
    values = [finding.reference for finding in findings if isinstance(finding.reference, float)]
    return {"title": title, **({"reference": values[0]} if values else {})}


def _gravity(judged: Judged) -> tuple[int, str]:
    return -LEVELS.index(judged.finding.level), judged.finding.name


def _row(judged: Judged) -> dict[str, str]:
    finding = judged.finding
    ends = finding.interval
    span = "" if ends is None else f", {ends[0]:.2g} to {ends[1]:.2g}"
    effect = "" if finding.effect is None else f"{finding.effect:.3g} {finding.effect_name}{span}"
    test = finding.method + ("" if judged.q_value is None else f", q = {judged.q_value:.2g}")
    return {
        "level": finding.level,
        "finding": finding.name.replace("_", " "),
        "training": _shown(finding.reference),
        "now": _shown(finding.current),
        "effect (95 % interval)": effect,
        "windows": str(judged.windows) if judged.p_holm is not None else "",
        "test": test,
        "what it means": finding.note,
    }


def _shown(value: float | str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return shown(value)


def _panels(project: Any) -> None:
    from evidently.sdk.models import PanelMetric
    from evidently.sdk.panels import line_plot_panel

    def line(title: str, *keys: str) -> Any:
        values = [
            PanelMetric(legend=FIGURES.get(key, key), metric="Figure", metric_labels={"key": key})
            for key in keys
        ]
        return line_plot_panel(title=title, values=values, size="half")

    board = project.dashboard
    board.add_panel(line("Verdict: 0 in order, 1 wait, 2 label, 3 retrain, 4 mend", "verdict"))
    board.add_panel(line("Accuracy", *_REALISED, "performance.estimated_accuracy"))
    board.add_panel(line("Drift", "embedding.mmd", "embedding.classifier"))
    board.add_panel(line("Images", "rows"))
    # Last, since it stays empty where no groups are compared.
    board.add_panel(line("Widest new gap between groups", "bias.new_gap"))
