"""What a model is worth: scores with intervals on held-out splits, beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_vft.data.load import ImageData
from hf_vft.evaluation.results import EvalReport, SplitResult
from hf_vft.recipe.schema import Recipe
from hf_vft.tasks import Calibration, Task
from hf_vft.training.finetune import FineTuned, FineTuning
from hf_vft.training.predict import predict_split, score_split

HELD_OUT = ("validation", "test")
Logits = Mapping[str, Any]
"""By split, what a model says of its images: for most tasks logits ``[N, C]``."""


def held_out_logits(tuning: FineTuning, tuned: FineTuned) -> dict[str, Any]:
    """The model's logits on every held-out split; all processes work on it."""
    task, recipe = tuning.context.task, tuning.recipe
    return {
        split: predict_split(tuned.model, tuning.dataset(split), task, recipe) for split in HELD_OUT
    }


def prove(
    logits: Logits, probe_logits: Logits, data: ImageData, recipe: Recipe, task: Task
) -> EvalReport:
    """Scores with intervals on the held-out splits, beside the baselines.

    Temperature and thresholds are fitted on validation and only applied to test.
    """

    def calibrated(scores: Logits) -> Calibration:
        values = data.splits["validation"]["label"]
        return task.calibrate(scores["validation"], values, recipe.evaluation)

    def measure(scores: Logits, calibration: Calibration) -> dict[str, SplitResult]:
        return {
            split: score_split(
                scores[split],
                data.splits[split],
                data.labels,
                task,
                recipe,
                calibration=calibration,
                slices=recipe.data.slice_columns,
            )
            for split in scores
        }

    calibration = calibrated(logits)
    baselines = _without_looking(data, task)
    if probe_logits:
        baselines["linear_probe"] = dict(probe_logits)
    return EvalReport(
        task=task.name,
        labels=data.labels,
        primary=recipe.training.metric if recipe.training.metric != "loss" else task.primary_metric,
        temperature=calibration.temperature,
        thresholds=dict(zip(data.labels, calibration.thresholds, strict=False)),
        splits=measure(logits, calibration),
        baselines={
            name: {
                split: result.metrics
                for split, result in measure(scores, calibrated(scores)).items()
            }
            for name, scores in baselines.items()
        },
    )


def _without_looking(data: ImageData, task: Task) -> dict[str, dict[str, Any]]:
    """By baseline and split, what answers without looking at the images."""
    train, classes = data.splits["train"]["label"], len(data.labels)
    outputs_by_name: dict[str, dict[str, Any]] = {}
    for split in HELD_OUT:
        for name, outputs in task.baselines(train, len(data.splits[split]), classes).items():
            outputs_by_name.setdefault(name, {})[split] = outputs
    return outputs_by_name
