"""Detectors from random weights on generated pictures: what they reach, and in how long.

    python -m tests.benchmarks.learn_boxes OUT [NAME EPOCHS]...

``resnet`` and ``convnextv2`` are RT-DETR v2 on these backbones; the others are families. Every run
is `hf-vft fit --recipe detection` with the changes below. ``OUT/scores.md`` is the table.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from hf_vft.data.demo import write_demo_images
from hf_vft.pipeline import fit
from hf_vft.recipe import load_recipe

PICTURES, SIDE, CONTRAST = 800, 64, 2.0
EPOCHS = {"resnet": 12, "convnextv2": 12, "d-fine": 12, "detr": 40, "yolos": 40}

EVERYTHING = 1e-3
"""Rate of all weights: nothing is pre-trained, and nothing has to be kept."""


def changes(name: str, data: Path, epochs: float) -> dict[str, Any]:
    """What differs from the recipe."""
    return {
        "data.path": str(data),
        "data.group_column": "part_id",
        "model.candidates": [f"scratch:{name}-mini"],
        "image.size": SIDE,
        "stages.all.epochs": epochs,
        "stages.all.learning_rate": EVERYTHING,
        "stages.all.head_learning_rate": EVERYTHING,
        "training.batch_size": 16,
    }


def row(name: str, run: Path, minutes: float, epochs: float) -> str:
    """A line of the table."""
    report = json.loads((run / "metrics.json").read_text())
    test = report["splits"]["test"]["metrics"]
    nothing = report["baselines"]["typical_boxes"]["test"]["map50"]["value"]
    best, whole = test["map50"], test["map"]
    return (
        f"| {name} | {best['value']:.2f} ({best['low']:.2f}–{best['high']:.2f}) | "
        f"{whole['value']:.2f} | {nothing:.2f} | {epochs:g} | {minutes:.0f} |"
    )


def main() -> None:
    out = Path(sys.argv[1])
    named = dict(zip(sys.argv[2::2], map(float, sys.argv[3::2]), strict=True))
    data = out / "pictures"
    if not data.is_dir():
        write_demo_images(data, n=PICTURES, size=SIDE, contrast=CONTRAST)
    table = out / "scores.md"
    if not table.is_file():
        head = "| | test mAP50 | mAP | the same boxes for all: mAP50 | epochs | CPU minutes |\n"
        table.write_text(head + "| --- " * 6 + "|\n")
    for name, epochs in (named or EPOCHS).items():
        began = time.process_time()
        recipe = load_recipe("detection").replaced(changes(name, data, epochs))
        run = fit(recipe, out / name).path
        minutes = (time.process_time() - began) / 60
        with table.open("a") as lines:
            lines.write(row(name, run, minutes, epochs) + "\n")


if __name__ == "__main__":
    main()
