"""Scores on the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

import typer
from rich.console import Console
from rich.table import Table

from hf_vft.evaluation.fairness import JOIN, MIN_ROWS
from hf_vft.evaluation.group_disparities import describe_gap, error_gaps
from hf_vft.evaluation.leaderboard import Leaderboard
from hf_vft.evaluation.results import BiasResult, EvalReport, SplitResult
from hf_vft.evaluation.robustness import Robustness
from hf_vft.reporting.run_files import FINE_TUNED, read_summary
from hf_vft.reporting.search_insights import told
from hf_vft.reporting.verdict import describe_robustness, headline, metric_name, tone
from hf_vft.run import RunDirectory

SHOWN = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "map50": "mAP50",
    "map": "mAP",
    "f1": "F1",
    "f1_micro": "micro F1",
    "f1_macro": "macro F1",
    "f1_samples": "F1 by image",
}
DELIVERED = "delivered model"
BY_CLASS = {"ap50": "AP50", "ap": "AP", "precision": "precision", "recall": "recall", "f1": "F1"}


def print_scores(run: RunDirectory, *, as_json: bool = False) -> None:
    """The test scores beside the baselines, and where the report is."""
    report = run.read_as(EvalReport, run.metrics_file)
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
        return
    rows = {DELIVERED: report.splits["test"].metrics}
    rows |= {name.replace("_", " "): splits["test"] for name, splits in report.baselines.items()}
    test = report.splits["test"]
    shown = _there(SHOWN, test.metrics)
    table = _table(f"Test split, {test.n} images (95 % interval)", "", shown)
    for name, metrics in rows.items():
        table.add_row(name, *(str(metrics[key]) for key in shown))
    console = Console()
    console.print(table)
    summary = read_summary(run)
    weights = summary.get("delivered") or FINE_TUNED
    if weights != FINE_TUNED:
        console.print(f"The {DELIVERED} is {weights}.", markup=False, soft_wrap=True)
    if summary.get("pretrained") is False:
        probe = "Its linear probe saw random features, so it is no yardstick here."
        console.print(
            "The backbone was trained from scratch, not pre-trained: expect far better scores from "
            f"one that is. {probe if 'linear_probe' in report.baselines else ''}"
        )
    for sentence in _lessons(run):
        console.print(sentence)
    console.print(headline(report), markup=False, highlight=False, soft_wrap=True)
    console.print(f"Report: {run.report_file}", soft_wrap=True)
    console.print(f"Model:  {run.model}", soft_wrap=True)
    typer.echo(f"Next:   {next_command(run, report)}")


def next_command(run: RunDirectory, report: EvalReport) -> str:
    """The command to run after a fit: an audit if the model is not worth much, else serving.

    Args:
        run: Finished.
        report: Its scores.
    """
    source = str(run.recipe().data.path)
    if tone(report) == "bad":
        return f"hf-vft audit {shlex.quote(source)}   (finds wrong labels and duplicates)"
    folder = shlex.quote(str(run.path))
    table = f"hf-vft predict {folder} IMAGES --out answers.csv"
    return f"hf-vft serve {folder} --log production-log   (or: {table})"


def _lessons(run: RunDirectory) -> list[str]:
    if not run.leaderboard_file.is_file():
        return []
    lessons = run.read_as(Leaderboard, run.leaderboard_file).lessons
    return told(lessons) if lessons is not None else []


def print_split(result: SplitResult) -> None:
    """Scores of one set of images, by class and by slice."""
    console = Console()
    columns = _there(SHOWN, result.metrics)
    overall = _table(f"{result.n} images (95 % interval)", "", columns)
    overall.add_row("all", *(str(result.metrics[key]) for key in columns))
    for column, values in result.slices.items():
        for value, part in values.items():
            shown = (str(part.metrics[key]) if key in part.metrics else "" for key in columns)
            overall.add_row(f"{column} = {value} ({part.n})", *shown)
    console.print(overall)
    names = _there(BY_CLASS, next(iter(result.per_class.values())).metrics)
    classes = _table("By class", "support", names)
    for name, scores in result.per_class.items():
        estimates = (str(scores.metrics[key]) for key in names)
        classes.add_row(f"{name} ({scores.support})", *estimates)
    console.print(classes)
    if result.bias:
        for line in _bias_lines(result.bias):
            console.print(line, markup=False, soft_wrap=True)


def print_robustness(robustness: Robustness) -> None:
    """A row a disturbance, a column a severity."""
    title = f"{metric_name(robustness.metric)} of {robustness.n} disturbed images (95 % interval)"
    table = _table(title, "", {name: name for name in robustness.severities})
    for name, scores in robustness.disturbed.items():
        table.add_row(name, *map(str, scores))
    console = Console()
    console.print(table)
    console.print(describe_robustness(robustness), soft_wrap=True)


def _bias_lines(bias: BiasResult) -> list[str]:
    """Gaps that hold after correction, and what could not be looked at."""
    gaps = [describe_gap(gap) for gap in error_gaps(bias.gaps)]
    small = [
        f"{column} = {value} ({group.n})"
        for column, values in bias.groups.items()
        for value, group in values.items()
        if not group.sufficient and JOIN not in column
    ]
    lines = gaps or ["No slice differs from the others by more than chance allows."]
    if small:
        lines.append(f"Too few rows to compare, {MIN_ROWS} are needed: {', '.join(small)}.")
    return lines


def _there(columns: dict[str, str], metrics: Iterable[str]) -> dict[str, str]:
    """The columns that the task has scores for."""
    present = set(metrics)
    return {key: name for key, name in columns.items() if key in present}


def _table(title: str, first: str, columns: dict[str, str]) -> Table:
    table = Table(title=title)
    table.add_column(first)
    for name in columns.values():
        table.add_column(name)
    return table
