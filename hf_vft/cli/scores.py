"""The end of a run, on the terminal."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from hf_vft.evaluation.results import Estimate, EvalReport
from hf_vft.run import RunDirectory

SHOWN = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "f1_macro": "macro F1"}


def print_scores(run: RunDirectory, *, as_json: bool = False) -> None:
    """The test scores beside the baselines, and where the report is."""
    report = EvalReport.model_validate(run.read_json(run.metrics_file))
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
        return
    table = Table(title=f"Test split, {report.splits['test'].n} pictures (95 % interval)")
    table.add_column("")
    for name in SHOWN.values():
        table.add_column(name)
    rows = {"fine-tuned": report.splits["test"].metrics}
    rows |= {name.replace("_", " "): splits["test"] for name, splits in report.baselines.items()}
    for name, metrics in rows.items():
        table.add_row(name, *(_shown(metrics[key]) for key in SHOWN))
    console = Console()
    console.print(table)
    summary = run.read_json(run.summary_file)
    if not summary["pretrained"]:
        console.print(
            "The backbone was trained from scratch, for want of a pre-trained one: expect far "
            "better scores from one."
        )
    console.print(f"Report: {run.report_file}", soft_wrap=True)
    console.print(f"Model:  {run.model}", soft_wrap=True)


def _shown(estimate: Estimate) -> str:
    return str(estimate)
