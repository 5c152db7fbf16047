"""Staged fine-tuning against a linear probe and against one rate from the start.

    python -m tests.benchmarks.staged_against_one_rate DATA CHECKPOINT OUT --group-column part

Every arm runs with several seeds on the same splits; the table has the mean and the range of the
test scores. ``one rate, bare`` is what a script from a tutorial does: a new head, random crops,
2e-5 for everything, six epochs, and the checkpoint's own regularisation. ``one rate, tuned`` has
all that the default recipe has but its stages: the rate and epochs of its last stage, its
augmentation, BatchNorm statistics kept.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from hf_vft.recipe.schema import Recipe, load_recipe
from hf_vft.workflows.fit import fit

SEEDS = (42, 1, 2)
METRICS = ("accuracy", "f1_macro")


def one_stage(**fields: Any) -> dict[str, Any]:
    stage = {"name": "all", "train": "all", "keep_if_better": False, **fields}
    return {"probe.enabled": False, "stages": [stage]}


def arms(default: Recipe, bare: dict[str, Any]) -> dict[str, dict[str, Any]]:
    last = default.stages[-1].model_dump(exclude={"name", "train", "keep_if_better"})
    tuned = last | {"head_learning_rate": None, "layer_decay": 1.0}
    return {
        "staged": {},
        "one rate, tuned": one_stage(**tuned),
        "one rate, bare": one_stage(epochs=6, learning_rate=2e-5)
        | {"augment.crop_scale": 0.35, "loss.label_smoothing": 0.0}
        | bare,
    }


def scores(run: Path) -> dict[str, dict[str, float]]:
    """By arm: the run's own, and the probe's where there is one."""
    report = json.loads((run / "metrics.json").read_text())
    found = {"": report["splits"]["test"]["metrics"]}
    if "linear_probe" in report["baselines"]:
        found["linear probe"] = report["baselines"]["linear_probe"]["test"]
    return {name: {key: m[key]["value"] for key in METRICS} for name, m in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("checkpoint")
    parser.add_argument("out", type=Path)
    parser.add_argument("--group-column")
    parser.add_argument("--bare", nargs="*", default=[], metavar="A.B=C", help="of the bare arm")
    options = parser.parse_args()
    default = load_recipe("staged").replaced(
        {
            "data.path": options.data,
            "data.group_column": options.group_column,
            "model.candidates": [options.checkpoint],
        }
    )
    bare = {key: json.loads(value) for key, value in (word.split("=") for word in options.bare)}
    results: dict[str, list[dict[str, float]]] = {}
    for name, changes in arms(default, bare).items():
        for seed in SEEDS:
            out = options.out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
            if not (out / "report.html").is_file():
                fit(default.replaced(changes | {"seed": seed}), out, resume=out.exists())
            for part, found in scores(out).items():
                results.setdefault(part or name, []).append(found)
    print_table(results)


def print_table(results: dict[str, list[dict[str, float]]]) -> None:
    table = Table("", *METRICS, title=f"Test split, mean (lowest–highest) of {len(SEEDS)} seeds")
    for name, runs in results.items():
        columns = [np.array([run[key] for run in runs]) for key in METRICS]
        table.add_row(name, *(f"{c.mean():.3f} ({c.min():.3f}–{c.max():.3f})" for c in columns))
    Console().print(table)


if __name__ == "__main__":
    main()
