"""The model card: what a reviewer asks, answered from what the run recorded.

Nothing here is typed in: every line comes from a file of the run folder, and what was not
measured says so. The wording is in ``card_template.md`` beside this file.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from hf_vft._version import __version__
from hf_vft.evaluation.results import EvalReport
from hf_vft.hub import card_sentences as words
from hf_vft.hub import card_tables as tables
from hf_vft.hub.card_merge import merge, sealed
from hf_vft.hub.markdown import code, plain
from hf_vft.reporting import verdict
from hf_vft.reporting.report_facts import ReportFacts
from hf_vft.reporting.run_files import read_audit, read_summary
from hf_vft.run import RunDirectory, write_text

_HUB_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
_METRICS = {
    "accuracy": ("accuracy", None),
    "f1_macro": ("f1", {"average": "macro"}),
    "precision_macro": ("precision", {"average": "macro"}),
    "recall_macro": ("recall", {"average": "macro"}),
    "auroc_macro": ("roc_auc", {"average": "macro"}),
}
"""What the Hub calls our metrics; others keep their name."""


def write_card(run: RunDirectory, *, title: str | None = None, license: str | None = None) -> Path:
    """Write ``model/README.md``; what a person wrote there is kept.

    Raises:
        RunError: If the run is not finished.
    """
    path = run.card_file
    old = path.read_text(encoding="utf-8") if path.is_file() else None
    write_text(path, merge(old, render_card(run, title=title, license=license)).text)
    return path


def render_card(
    run: RunDirectory,
    *,
    title: str | None = None,
    repo_id: str | None = None,
    license: str | None = None,  # the Hub's word
) -> str:
    """The whole card of a finished run, front matter included.

    Args:
        run: Finished.
        title: Heading; the repository's or the folder's name by default.
        repo_id: Where it is pushed to, for the examples.
        license: As the Hub abbreviates it; nothing is said where nobody chose one.

    Raises:
        RunError: If a file of the run is missing or broken.
    """
    report = run.read_as(EvalReport, run.metrics_file)
    summary = read_summary(run)
    facts = ReportFacts.from_summary(summary)
    result = report.splits[verdict.judged_split(report)]
    name = title or (repo_id or run.path.resolve().name).split("/")[-1]
    template = _environment().get_template("card_template.md")
    body = template.render(
        title=plain(name),
        version=__version__,
        headline=plain(verdict.headline(report)),
        details=plain(" ".join(verdict.details(report))),
        purpose=words.purpose(report),
        usage=words.usage(report, repo_id or "RUN/model"),
        groups=run.recipe().data.group_column,
        scores=tables.scores_table(report),
        classes=tables.classes_table(result),
        slices=tables.slices_tables(result),
        calibration=words.calibration(report),
        robustness=words.robustness(run),
        speed=words.speed(run),
        data=tables.data_table(run, report, summary),
        findings=_findings(run),
        training=tables.training_table(run, summary),
        limits=words.limits(report, facts),
        has_reference=run.profile_file.is_file(),
        has_logs=run.logs.is_dir(),
    )
    return sealed(card_metadata(run, report, name, license), body)


def card_metadata(
    run: RunDirectory,
    report: EvalReport,
    name: str,
    license: str | None = None,
) -> dict[str, Any]:
    """The front matter that the Hub reads: filters, the widget, the table of results."""
    summary = read_summary(run)
    checkpoint = str(summary.get("checkpoint") or "")
    source = str(run.recipe().data.path or "")
    dataset = source if _is_hub_id(source) else None
    data = ModelCardData(
        license=license,
        base_model=checkpoint if _is_hub_id(checkpoint) else None,
        datasets=[dataset] if dataset else None,
        pipeline_tag=report.task,
        library_name="transformers",
        tags=["hf-vft", "vision", *_tags(run)],
        metrics=sorted({_METRICS.get(report.primary, (report.primary, None))[0]}),
        model_name=name,
        eval_results=_eval_results(report, dataset, source),
    )
    return dict(data.to_dict())  # type: ignore[no-untyped-call]


def _eval_results(report: EvalReport, dataset: str | None, source: str) -> list[EvalResult]:
    """One result a metric, on the split that the verdict is about."""
    split = verdict.judged_split(report)
    folder = Path(source).name or "images"
    results = []
    for metric, estimate in report.splits[split].metrics.items():
        if estimate.value is None:
            continue
        kind, arguments = _METRICS.get(metric, (metric, None))
        results.append(
            EvalResult(
                task_type=report.task,
                dataset_type=dataset or "imagefolder",
                dataset_name=dataset or folder,
                dataset_split=split,
                metric_type=kind,
                metric_name=verdict.metric_name(metric),
                metric_value=round(estimate.value, 4),
                metric_args=arguments,
            )
        )
    return results


def _tags(run: RunDirectory) -> list[str]:
    return ["peft", "lora"] if run.adapter.is_dir() else []


def _findings(run: RunDirectory) -> list[str]:
    audit = read_audit(run) or {"findings": []}
    return [finding["sentence"] for finding in audit["findings"]][:12]


def _is_hub_id(name: str) -> bool:
    """Whether this names something on the Hub rather than a folder here."""
    return bool(_HUB_ID.fullmatch(name)) and not Path(name).exists()


@cache
def _environment() -> Environment:
    environment = Environment(  # noqa: S701  # Markdown; `plain` escapes what comes from outside
        loader=PackageLoader("hf_vft.hub", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"plain": plain, "code": code}
    return environment
