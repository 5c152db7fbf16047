"""What a model is worth: scores with intervals on held-out splits, beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from accelerate import PartialState

from hf_vft.data.load import ImageData
from hf_vft.evaluation.calibration import fit_temperature
from hf_vft.evaluation.classification import majority_class_logits
from hf_vft.evaluation.results import EvalReport, SplitResult
from hf_vft.recipe import Recipe
from hf_vft.tasks import Task
from hf_vft.training.finetune import FineTuned, FineTuning
from hf_vft.training.predict import predict_logits
from hf_vft.training.stages import per_process

HELD_OUT = ("validation", "test")
Logits = Mapping[str, np.ndarray]


def held_out_logits(tuning: FineTuning, tuned: FineTuned) -> dict[str, np.ndarray]:
    """What the model answers on every held-out split, ``[N, C]``; all processes work on it."""
    recipe = tuning.recipe
    batch_size = per_process(
        recipe.training.eval_batch_size, PartialState().num_processes, "training.eval_batch_size"
    )
    return {
        split: predict_logits(
            tuned.model,
            tuning.dataset(split),
            tuning.context.task,
            batch_size=batch_size,
            num_workers=int(recipe.training.num_workers),
        )[0]
        for split in HELD_OUT
    }


def prove(
    logits: Logits, probe_logits: Logits, data: ImageData, recipe: Recipe, task: Task
) -> EvalReport:
    """Scores with intervals on the held-out splits, beside the baselines.

    The temperature is fitted on validation and only applied to test.
    """
    validation = np.asarray(data.splits["validation"]["label"])
    temperature = fit_temperature(logits["validation"], validation)

    def measure(scores: Logits, temperature: float) -> dict[str, SplitResult]:
        return {
            split: task.evaluate(
                scores[split],
                np.asarray(data.splits[split]["label"]),
                data.labels,
                temperature=temperature,
                n_bootstrap=recipe.evaluation.bootstrap,
                seed=recipe.seed,
                clusters=_clusters(data, split),
                slices={name: data.splits[split][name] for name in recipe.data.slice_columns},
            )
            for split in scores
        }

    train = data.splits["train"]["label"]
    majority = {
        split: majority_class_logits(train, len(data.splits[split]), len(data.labels))
        for split in HELD_OUT
    }
    return EvalReport(
        task=task.name,
        labels=data.labels,
        primary=recipe.training.metric if recipe.training.metric != "loss" else task.primary_metric,
        temperature=temperature,
        splits=measure(logits, temperature),
        baselines={
            name: {split: result.metrics for split, result in measure(scores, 1.0).items()}
            for name, scores in (("majority_class", majority), ("linear_probe", probe_logits))
            if scores
        },
    )


def _clusters(data: ImageData, split: str) -> Sequence[Any] | None:
    table = data.splits[split]
    groups: Sequence[Any] | None = table["group"] if "group" in table.column_names else None
    return groups
