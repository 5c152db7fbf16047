"""The tables of the model card: scores, classes, slices, data, training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_vft.evaluation.results import EvalReport, SplitResult
from hf_vft.hub.files import public_name
from hf_vft.hub.markdown import code, plain, said, table
from hf_vft.reporting.notices import FEW_IMAGES
from hf_vft.reporting.numbers import duration, moment, shown
from hf_vft.reporting.verdict import judged_split, metric_name
from hf_vft.run import RunDirectory, image_counts

_CLASSES = 30
_COLUMNS = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "Average precision",
    "ap": "AP",
    "ap50": "AP at IoU 0.5",
}


def scores_table(report: EvalReport) -> str:
    """Every overall score of the judged split, beside the baselines."""
    split = judged_split(report)
    result = report.splits[split]
    baselines = {
        name: splits[split] for name, splits in report.baselines.items() if split in splits
    }
    names = [plain(name.replace("_", " ").capitalize()) for name in baselines]
    heads = [f"{split.capitalize()} split, {result.n:,} images", "This model", *names]
    return table(
        heads,
        (
            [
                f"**{metric_name(name)}**" if name == report.primary else metric_name(name),
                said(value),
                *(said(scores.get(name)) for scores in baselines.values()),
            ]
            for name, value in result.metrics.items()
        ),
    )


def classes_table(result: SplitResult) -> str:
    """One line a class, the weakest first."""
    names = [n for n in _COLUMNS if any(n in c.metrics for c in result.per_class.values())]
    if not names:
        return ""
    key = "f1" if "f1" in names else names[0]

    def value(name: str) -> float:
        estimate = result.per_class[name].metrics.get(key)
        return -1.0 if estimate is None or estimate.value is None else estimate.value

    order = sorted(result.per_class, key=value)
    rows = [
        [plain(name), f"{result.per_class[name].support:,}"]
        + [said(result.per_class[name].metrics.get(metric)) for metric in names]
        for name in order[:_CLASSES]
    ]
    heads = ["Class", "Images", *(_COLUMNS[name] for name in names)]
    left = len(order) - len(rows)
    more = f"\n\n{left:,} more classes are in `metrics.json`." if left else ""
    return table(heads, rows) + more


def slices_tables(result: SplitResult) -> str:
    """A table for each column that the scores were broken down by."""
    parts = []
    for column, values in result.slices.items():
        names = list(next(iter(values.values())).metrics) if values else []
        rows = [
            [plain(value), f"{part.n:,}{' (few)' if part.n < FEW_IMAGES else ''}"]
            + [said(part.metrics.get(name)) for name in names]
            for value, part in values.items()
        ]
        heads = [plain(column), "Images", *(metric_name(name) for name in names)]
        parts.append(f"{_gap(column, values, names)}\n\n{table(heads, rows)}")
    return "\n\n".join(parts)


def _gap(column: str, values: Mapping[str, Any], names: list[str]) -> str:
    """The largest difference in one sentence, and whether it is more than chance."""
    metric = next(iter(names), None)
    scored = {
        value: group.metrics[metric]
        for value, group in values.items()
        if metric and group.n >= FEW_IMAGES and group.metrics[metric].value is not None
    }
    if metric is None or len(scored) < 2:
        return f"By {code(column)}: too few images to compare."
    low = min(scored, key=lambda name: scored[name].value or 0.0)
    high = max(scored, key=lambda name: scored[name].value or 0.0)
    difference = (scored[high].value or 0.0) - (scored[low].value or 0.0)
    apart = (scored[low].high or 1.0) < (scored[high].low or 0.0)
    certain = "more than chance explains" if apart else "within what chance explains"
    return (
        f"By {code(column)}: the largest difference in {metric_name(metric).lower()} is "
        f"{difference:.2f}, between {plain(high)} and {plain(low)}; {certain}."
    )


def data_table(run: RunDirectory, report: EvalReport, summary: Mapping[str, Any]) -> str:
    """A table of the data that the model was trained and evaluated on."""
    config = run.recipe().data
    images = image_counts(summary)
    rejected = summary.get("rejected") or []
    rows = [
        ["Source", code(public_name(summary.get("source") or "unknown"))],
        ["Fingerprint", code(summary.get("fingerprint") or "unknown")],
        [
            "Images",
            " · ".join(f"{n:,} {plain(split)}" for split, n in images.items()) or "unknown",
        ],
        ["Classes", f"{len(report.labels):,}"],
        [
            "Kept together in splits",
            code(config.group_column) if config.group_column else "nothing",
        ],
    ]
    if rejected:
        rows.append(["Left out as unusable", f"{len(rejected):,}"])
    return table(["", ""], rows)


def training_table(run: RunDirectory, summary: Mapping[str, Any]) -> str:
    """A table of the training, and of its cost."""
    recipe = run.recipe()
    checkpoint = str(summary.get("checkpoint") or "unknown")
    kind = "pre-trained" if summary.get("pretrained") else "random weights"
    stages = "; ".join(
        f"{stage.name}: {stage.train}, up to {stage.epochs:g} epochs "
        f"at {float(stage.learning_rate):g}"
        for stage in recipe.stages
    )
    rows = [
        ["Backbone", f"{code(public_name(checkpoint))} ({kind})"],
        ["Parameters", f"{summary['parameters']:,}" if summary.get("parameters") else "unknown"],
        ["Stages", plain(stages)],
        ["Seed", str(recipe.seed)],
        ["Time spent", duration(summary["seconds"]) if summary.get("seconds") else "unknown"],
        [
            "On",
            plain(f"{summary.get('device', 'unknown')}, {summary.get('processes', 1)} process(es)"),
        ],
        ["Finished", plain(moment(str(summary.get("finished") or "unknown")))],
    ]
    if recipe.model.lora:
        settings = shown(recipe.model.lora.model_dump())
        rows.insert(2, ["Adapters", f"LoRA ({plain(settings)}); merged here, kept in `adapter/`"])
    return table(["", ""], rows)
