"""``report.html``: what came of a run, on one page that a person reads in two minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hf_vft._version import __version__
from hf_vft.evaluation.leaderboard import Leaderboard
from hf_vft.evaluation.results import ClassResult, Estimate, EvalReport, Point, SplitResult
from hf_vft.evaluation.robustness import Robustness
from hf_vft.reporting import score_tiles
from hf_vft.reporting import verdict as words
from hf_vft.reporting.box_mistakes import Seen
from hf_vft.reporting.leaderboards import leaderboard_parts
from hf_vft.reporting.mistakes import Mistake
from hf_vft.reporting.notices import FEW_IMAGES, leaks, notices
from hf_vft.reporting.pages import image_uri, render_page, with_contents
from hf_vft.reporting.plots import bar, heat_map, interval_plot, reliability_plot
from hf_vft.reporting.pr_plots import pr_plot, roc_plot
from hf_vft.reporting.report_facts import ReportFacts
from hf_vft.reporting.run_files import read_audit, read_choices, read_history, read_summary
from hf_vft.reporting.training_curves import loss_curve, score_curve, stage_bands
from hf_vft.run import RunDirectory, write_text

# Above this a confusion matrix with numbers no longer fits a page.
_TABLE_CLASSES = 15
# Above this not even as an image: the pairs alone say it.
_MAP_CLASSES = 100
_SHOWN_CLASSES = 20
_SHOWN_PAIRS = 6
_MANY_PAIRS = 30


@dataclass(frozen=True)
class Pair:
    """Images of one class predicted as another."""

    true: str
    predicted: str
    n: int
    of: int


def confused_pairs(result: SplitResult, labels: Sequence[str]) -> list[Pair]:
    """Pairs of classes that are confused, the most frequent first."""
    pairs = [
        Pair(labels[row], labels[column], count, sum(counts))
        for row, counts in enumerate(result.confusion)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    return sorted(pairs, key=lambda pair: (-pair.n, pair.of))


def grouped_choices(choices: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One entry for neighbours of one section that were chosen for the same reason.

    Args:
        choices: As in ``choices.json``: name, value and reason.

    Returns:
        The same keys; of several choices the name is the section, the value a mapping.
    """

    def kind(choice: Mapping[str, Any]) -> tuple[str, str]:
        return choice["name"].rpartition(".")[0], choice["reason"]

    grouped: list[Mapping[str, Any]] = []
    for (section, reason), group in groupby(choices, key=kind):
        members = list(group)
        if len(members) == 1:
            grouped += members
        else:
            values = {item["name"].rpartition(".")[2]: item["value"] for item in members}
            grouped.append({"name": section, "value": values, "reason": reason})
    return grouped


def render_report(
    run_path: Path,
    *,
    mistakes: Sequence[Mistake],
    boxes: Mapping[str, Sequence[Seen]] | None = None,
    facts: ReportFacts | None = None,
) -> Path:
    """Write ``report.html`` from the files of a run folder.

    Args:
        run_path: Has ``metrics.json``, and may have ``history.json``, ``choices.json``,
            ``audit.json`` and ``run.json``; a part whose file is missing says so.
        mistakes: Shown as images, in this order.
        boxes: Images with boxes by heading, in place of the mistakes.
        facts: Where the result comes from; default: what ``run.json`` says.

    Returns:
        The page: one file that fetches nothing.

    Raises:
        RunError: If ``metrics.json`` is missing, or a file is broken.
    """
    run = RunDirectory(run_path)
    report = run.read_as(EvalReport, run.metrics_file)
    summary = read_summary(run) if run.summary_file.is_file() else {}
    facts, history = facts or ReportFacts.from_summary(summary), read_history(run)
    audit = read_audit(run)
    findings = audit["findings"] if audit else []
    write_text(
        run.report_file,
        with_contents(
            render_page(
                "report.html",
                name=run_path.resolve().name,
                version=facts.version or __version__,
                facts=facts,
                choices=grouped_choices(read_choices(run)),
                audit=audit,
                notices=leaks(findings) + notices(report, facts),
                boxes=boxes or {},
                mistakes=[(image_uri(mistake.image), mistake) for mistake in mistakes],
                robustness=_robustness(run),
                **leaderboard_parts(_leaderboard(run)),
                **_verdict_parts(report),
                **_class_parts(report),
                **_score_parts(report),
                **_curve_parts(history, report.primary),
            )
        ),
    )
    return run.report_file


def _leaderboard(run: RunDirectory) -> Leaderboard | None:
    if not run.leaderboard_file.is_file():
        return None
    return run.read_as(Leaderboard, run.leaderboard_file)


def _robustness(run: RunDirectory) -> dict[str, Any] | None:
    if not run.robustness_file.is_file():
        return None
    measured = run.read_as(Robustness, run.robustness_file)
    sentence = words.describe_robustness(measured)
    return {"found": measured, "sentence": sentence, "name": words.metric_name(measured.metric)}


def _verdict_parts(report: EvalReport) -> dict[str, Any]:
    return {
        "headline": words.headline(report),
        "details": " ".join(words.details(report)),
        "tone": words.tone(report),
    }


def _class_parts(report: EvalReport) -> dict[str, Any]:
    """What happens to each class: the confusion matrix, the pairs, the bars."""
    result = report.splits[words.judged_split(report)]
    columns = score_tiles.class_columns(
        [result_of_class.metrics for result_of_class in result.per_class.values()]
    )
    first = next(iter(columns))

    def by_score(item: tuple[str, ClassResult]) -> tuple[bool, float]:
        value = item[1].metrics[first].value
        return value is None, value or 0.0

    rows = [
        (
            name,
            result_of_class,
            bar(result_of_class.metrics[first], label=f"{columns[first]} of {name}"),
        )
        for name, result_of_class in sorted(result.per_class.items(), key=by_score)
    ]
    pairs = confused_pairs(result, report.labels)
    n = len(report.labels)
    return {
        "labels": report.labels,
        "class_columns": columns,
        "counted": "Boxes" if "map50" in result.metrics else "Images",
        "classes": rows[:_SHOWN_CLASSES],
        "more_classes": rows[_SHOWN_CLASSES:],
        "few_images": FEW_IMAGES,
        "has_confusion": bool(result.confusion),
        "curves": [
            (name, *_plots(name, points, report.thresholds.get(name), result_of_class.metrics))
            for name, points, result_of_class in _with_curves(result)
        ],
        "confusion": result.confusion if n <= _TABLE_CLASSES else None,
        "confusion_map": heat_map(
            result.confusion,
            report.labels,
            label=f"Heat map of the confusion matrix of {n} classes.",
        )
        if _TABLE_CLASSES < n <= _MAP_CLASSES and result.confusion
        else None,
        "pairs": pairs[: _SHOWN_PAIRS if n <= _MAP_CLASSES else _MANY_PAIRS],
        "n_mistakes": sum(pair.n for pair in pairs),
    }


def _with_curves(result: SplitResult) -> list[tuple[str, list[Point], ClassResult]]:
    curves = list(result.curves.items())[:_SHOWN_CLASSES]
    return [(name, points, result.per_class[name]) for name, points in curves]


def _plots(
    name: str, points: Sequence[Point], threshold: float | None, metrics: Mapping[str, Estimate]
) -> tuple[Markup, Markup | None, Estimate | None, Estimate | None]:
    """Both curves, and the areas below them."""
    area, precision = metrics.get("auroc"), metrics.get("average_precision", metrics.get("ap50"))
    return (
        pr_plot(points, threshold, label=f"Precision over recall of {name}: {precision}."),
        roc_plot(points, threshold, label=f"ROC curve of {name}: {area}."),
        precision,
        area,
    )


def _score_parts(report: EvalReport) -> dict[str, Any]:
    """The scores beside the baselines, by slice, and the reliability of the confidence."""
    split = words.judged_split(report)
    result = report.splits[split]
    return {
        "report": report,
        "split": split,
        "result": result,
        "primary_name": words.metric_name(report.primary),
        "tiles": score_tiles.tiles(report, result),
        "terms": score_tiles.terms(report, result),
        "slice_columns": score_tiles.slice_columns(result),
        "scores": [
            (
                words.metric_name(name),
                name == report.primary,
                [split_result.metrics.get(name) for split_result in report.splits.values()],
                [baseline.get(split, {}).get(name) for baseline in report.baselines.values()],
            )
            for name in score_tiles.SCORES
            if name in result.metrics
        ],
        "baselines": [name.replace("_", " ").capitalize() for name in report.baselines],
        "comparison": _comparison(report, split),
        "reliability": [
            (title, bins, reliability_plot(bins, label=f"Reliability diagram, {title}."))
            for title, bins in (
                ("before temperature scaling", result.reliability),
                ("after temperature scaling", result.reliability_calibrated),
            )
            if bins
        ],
    }


def _comparison(report: EvalReport, split: str) -> Markup:
    baselines = [
        (name.replace("_", " ").capitalize(), splits[split][report.primary], "c")
        for name, splits in sorted(report.baselines.items())
        if report.primary in splits.get(split, {})
    ]
    rows = [("Delivered model", report.splits[split].metrics[report.primary], "a"), *baselines]
    text = "; ".join(f"{name} {estimate}" for name, estimate, _ in rows)
    label = f"{words.metric_name(report.primary)} with 95 % intervals: {text}."
    return interval_plot(rows, label=label)


def _curve_parts(history: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    return {
        "history": history,
        "history_score": f"eval_{metric}",
        "score_curve": score_curve(history, metric),
        "loss_curve": loss_curve(history),
        "stages": stage_bands(history),
    }
