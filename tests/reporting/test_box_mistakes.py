"""Images with boxes on the page: what was right, missed and falsely claimed, the worst first."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hf_vft.data.label_types import KINDS
from hf_vft.data.load import ImageData
from hf_vft.evaluation.pr_roc_curves import precision_recall
from hf_vft.evaluation.results import EvalReport, SplitResult
from hf_vft.reporting.box_mistakes import FALSE, MISSED, RIGHT, Seen, report_boxes
from hf_vft.reporting.pr_plots import pr_plot
from hf_vft.run import RunDirectory, write_json

LABELS, WHITE = ["a", "b"], (255, 255, 255)
SIZE = (300, 200)


def box(x: float, y: float, label: str = "a", score: float = 1.0) -> dict[str, Any]:
    corners = {"xmin": x, "ymin": y, "xmax": x + 40.0, "ymax": y + 30.0}
    return {"label": label, "score": score, "box": corners}


# Of each image: the true boxes, and the found ones.
IMAGES = {
    "good.png": ([box(10, 10)], [box(12, 11, score=0.9)]),
    "missed one.png": ([box(10, 10), box(100, 10)], [box(10, 10, score=0.8)]),
    "missed two.png": ([box(10, 10), box(100, 10)], [box(10, 10, score=0.2)]),
    "false, sure.png": ([], [box(200, 100, score=0.95)]),
    "false, less so.png": ([box(10, 10)], [box(10, 10, score=0.9), box(200, 100, "b", 0.6)]),
    "twice.png": ([box(10, 10)], [box(10, 10, score=0.7), box(11, 10, score=0.65)]),
}


@pytest.fixture
def seen(tmp_path: Path) -> dict[str, list[Seen]]:
    run = RunDirectory(tmp_path / "run")
    run.predictions_file.parent.mkdir(parents=True)
    rows = [
        {"file": name, "split": "test", "label": truths, "predicted": found, "confidence": 1.0}
        for name, (truths, found) in IMAGES.items()
    ]
    pd.DataFrame(rows).to_parquet(run.predictions_file)
    scores = EvalReport(
        task="object-detection",
        primary="map50",
        labels=LABELS,
        temperature=1.0,
        thresholds={"a": 0.5, "b": 0.5},
        splits={"test": SplitResult(n=len(rows), metrics={}, per_class={})},
        baselines={},
    )
    write_json(run.metrics_file, scores.model_dump())
    for name in IMAGES:
        Image.new("RGB", SIZE, WHITE).save(tmp_path / name)
    files = list(IMAGES)
    table = datasets.Dataset.from_dict(
        {"image": [{"bytes": None, "path": str(tmp_path / f)} for f in files], "file": files},
        features=datasets.Features(
            {"image": datasets.Image(decode=False), "file": datasets.Value("string")}
        ),
    )
    return report_boxes(run, ImageData({"test": table}, LABELS, kind=KINDS["boxes"]))


def test_the_worst_come_first_and_say_why(seen: dict[str, list[Seen]]) -> None:
    misses = [(one.file, one.words) for one in seen["Worst misses"]]
    assert misses == [
        ("missed two.png", "0 right, 2 missed (a)"),
        ("missed one.png", "1 right, 1 missed (a)"),
    ]
    alarms = [(one.file, one.words) for one in seen["Worst false alarms"]]
    assert alarms == [
        ("false, sure.png", "0 right, 1 false (a 95% sure)"),
        ("twice.png", "1 right, 1 false (a 65% sure)"),
        ("false, less so.png", "1 right, 1 false (b 60% sure)"),
    ]
    assert [one.file for one in seen["As they come"]] == list(IMAGES)


def test_boxes_lie_where_they_are_in_the_colour_of_what_they_are(
    seen: dict[str, list[Seen]],
) -> None:
    images = {one.file: pixels(one.uri) for one in seen["As they come"]}
    assert near(images["good.png"], (12, 20), RIGHT)
    assert near(images["missed one.png"], (10, 20), RIGHT)
    assert near(images["missed one.png"], (100, 20), MISSED)
    assert near(images["false, sure.png"], (200, 120), FALSE)
    assert not near(images["missed two.png"], (10, 20), RIGHT)


def pixels(uri: str) -> np.ndarray:
    data = base64.b64decode(uri.split(",", 1)[1])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def near(image: np.ndarray, at: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    """Whether a line of this colour runs through a place; what is inlined is compressed."""
    x, y = at
    around = image[y - 1 : y + 2, x - 2 : x + 4].reshape(-1, 3)
    return bool((np.abs(around - colour).sum(1) < 120).any())


def test_a_curve_has_a_dot_where_the_threshold_cuts_it() -> None:
    scores, right = np.array([0.9, 0.7, 0.4]), np.array([True, False, True])
    plot = pr_plot(precision_recall(scores, right, 2, 0.6), 0.6, label="Curve of <a>.")
    assert "at the threshold 0.60: recall 0.50, precision 0.50" in plot
    assert "&lt;a&gt;" in plot
    assert "at the threshold" not in pr_plot(
        precision_recall(scores, right, 2, 0.6), None, label="b"
    )
