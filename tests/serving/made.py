"""Run folders of tiny untrained models, for what only serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import transformers

from hf_vft.evaluation.results import EvalReport
from hf_vft.recipe.schema import parse_recipe
from hf_vft.run import RunDirectory, write_json, write_text
from hf_vft.tasks import Calibration, get_task
from tests.models.tiny import SIZE, tiny_convnext
from tests.models.tiny_detectors import DETECTION_SIZE, tiny_detr

LABELS = ["pit", "scratch", "<b>stain</b>"]
COLUMN = "camera"
N = 12


def several(folder: Path) -> RunDirectory:
    """Several labels an image, at thresholds that some images reach."""
    rng = np.random.default_rng(0)
    values = (rng.random((N, 3)) < 0.5).astype(int)
    return _run(
        folder, tiny_convnext(), "multi-label-classification", SIZE,
        outputs=rng.normal(size=(N, 3)), values=list(values), threshold=0.5,
    )  # fmt: skip


def detector(folder: Path) -> RunDirectory:
    """Boxes, of which an untrained model finds a few."""
    rng = np.random.default_rng(0)
    values = [
        {"bbox": [[4.0, 6.0, 20.0, 16.0]], "category": [i % 3], "size": [64, 48]} for i in range(N)
    ]
    scores, boxes = rng.random((N, 5, 3)), rng.uniform(0.3, 0.6, (N, 5, 4))
    return _run(
        folder, tiny_detr(), "object-detection", DETECTION_SIZE,
        outputs=(scores, boxes), values=values, threshold=0.1,
    )  # fmt: skip


def _run(
    folder: Path, model: Any, task_name: str, size: int, *, outputs: Any, values: Any,
    threshold: float,
) -> RunDirectory:  # fmt: skip
    run, task = RunDirectory(folder), get_task(task_name)
    model.config.id2label = dict(enumerate(LABELS))
    model.config.label2id = {name: i for i, name in enumerate(LABELS)}
    model.save_pretrained(run.model)
    side = {"height": size, "width": size}
    kind = transformers.DetrImageProcessor if size == DETECTION_SIZE else None
    (kind or transformers.ViTImageProcessor)(size=side).save_pretrained(run.model)
    recipe = parse_recipe({"task": task_name, "data": {"path": "x", "slice_columns": [COLUMN]}})
    write_text(run.recipe_file, recipe.to_yaml())
    calibration = Calibration(1.0, (threshold,) * 3)
    measured = task.evaluate(
        outputs, values, LABELS, calibration=calibration, n_bootstrap=5, seed=0,
        slices={COLUMN: ["top", "side"] * (N // 2)},
    )  # fmt: skip
    report = EvalReport(
        task=task_name,
        labels=LABELS,
        primary=task.primary_metric,
        temperature=1.0,
        thresholds=dict.fromkeys(LABELS, threshold),
        splits={"validation": measured, "test": measured},
        baselines={},
    )
    write_json(run.metrics_file, report.model_dump(mode="json"))
    return run
