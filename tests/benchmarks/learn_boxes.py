"""Detectors from random weights on generated images: what they reach, and in how long.

    python -m tests.benchmarks.learn_boxes OUT [NAME EPOCHS]...

``resnet`` and ``convnextv2`` are RT-DETR v2 on these backbones; the others are families. Every run
is `hf-vft fit --recipe detection` with the changes below. ``OUT/scores.md`` is the table.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hf_vft.data.demo.images import write_demo_images
from hf_vft.recipe.schema import load_recipe
from hf_vft.workflows.fit import fit

SIDE, CONTRAST = 64, 4.0


@dataclass(frozen=True)
class Plan:
    """How a family is trained. DETR and YOLOS know nothing of places and scales to begin with,
    and find them out from many more images."""

    images: int = 800
    epochs: float = 12
    batch_size: int = 8
    strength: str = "auto"


PLANS = {
    "resnet": Plan(),
    "convnextv2": Plan(),
    "d-fine": Plan(),
    "detr": Plan(images=6000, epochs=40, batch_size=32, strength="light"),
    "yolos": Plan(images=6000, epochs=60, batch_size=32, strength="light"),
}

EVERYTHING = 1e-3
"""Rate of all weights: nothing is pre-trained, and nothing has to be kept."""


def changes(name: str, data: Path, plan: Plan) -> dict[str, Any]:
    """What differs from the recipe."""
    return {
        "data.path": str(data),
        "data.group_column": "part_id",
        "model.candidates": [f"scratch:{name}-mini"],
        "image.size": SIDE,
        "augment.strength": plan.strength,
        "stages.all.epochs": plan.epochs,
        "stages.all.patience": None,
        "stages.all.learning_rate": EVERYTHING,
        "stages.all.head_learning_rate": EVERYTHING,
        "training.batch_size": plan.batch_size,
    }


def row(name: str, run: Path, minutes: float, plan: Plan) -> str:
    """A line of the table."""
    report = json.loads((run / "metrics.json").read_text())
    test = report["splits"]["test"]["metrics"]
    nothing = report["baselines"]["typical_boxes"]["test"]["map50"]["value"]
    best, whole = test["map50"], test["map"]
    return (
        f"| {name} | {best['value']:.2f} ({best['low']:.2f}–{best['high']:.2f}) | "
        f"{whole['value']:.2f} | {nothing:.2f} | {plan.images} | {plan.epochs:g} | "
        f"{minutes:.0f} |"
    )


def images(out: Path, n: int) -> Path:
    """``n`` images of the line, made once."""
    folder = out / f"images-{n}"
    if not folder.is_dir():
        write_demo_images(folder, n=n, size=SIDE, contrast=CONTRAST)
    return folder


def main() -> None:
    out = Path(sys.argv[1])
    epochs = dict(zip(sys.argv[2::2], map(float, sys.argv[3::2]), strict=True))
    table = out / "scores.md"
    out.mkdir(parents=True, exist_ok=True)
    if not table.is_file():
        heads = ["", "test mAP50", "mAP", "the same boxes for all: mAP50"]
        heads += ["images", "epochs", "CPU minutes"]
        table.write_text("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|\n")
    for name in epochs or PLANS:
        plan = replace(PLANS[name], epochs=epochs.get(name, PLANS[name].epochs))
        began = time.process_time()
        recipe = load_recipe("detection").replaced(changes(name, images(out, plan.images), plan))
        run = fit(recipe, out / name).path
        minutes = (time.process_time() - began) / 60
        with table.open("a") as lines:
            lines.write(row(name, run, minutes, plan) + "\n")


if __name__ == "__main__":
    main()
