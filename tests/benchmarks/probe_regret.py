"""What choosing a backbone by its probe costs: every candidate is fine-tuned, not the first alone.

    python -m tests.benchmarks.probe_regret OUT [--seeds 0] [--cells tile-10 ...] [--epochs 6]

The images are those of ``side_by_side``; every candidate gets the default recipe, its rates and
its probe's start included, at one input size. Regret is the test macro F1 of the candidate that is
best after fine-tuning minus that of the one a ranking puts first. Every candidate is a row of
OUT/regret.jsonl; what is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_vft.automl.environment import gather_facts
from hf_vft.automl.prepare import RunContext, prepare
from hf_vft.automl.ranking import rank
from hf_vft.automl.resolve import resolve
from hf_vft.data.load import load_data
from hf_vft.evaluation.classification import evaluate_logits
from hf_vft.models.backbones import SCRATCH_PREFIX, embedded
from hf_vft.recipe.schema import Recipe, load_recipe
from hf_vft.tasks import ImageClassification
from hf_vft.utils.progress import Silent
from hf_vft.workflows.steps.held_out_scores import held_out_logits
from tests.benchmarks.side_by_side import CELLS, GROUPS, Cell, be_quiet, read_rows, write_table
from tests.benchmarks.transfer_data import SHARED

SIDE = 96
SCRATCHES = [f"{SCRATCH_PREFIX}resnet-mini", f"{SCRATCH_PREFIX}convnextv2-mini"]
RANKINGS = ("probe", "knn", "log_me")


def fine_tuned(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """What rankings say of the one candidate of a recipe, and what it is worth once trained."""
    began = time.process_time()
    task = ImageClassification()
    usual = {"task": task.name, "training.metric": task.primary_metric, "loss.name": task.losses[0]}
    recipe = recipe.replaced(usual | {name: value for name, value, _ in task.defaults})
    data = load_data(
        str(recipe.data.path),
        recipe.data,
        seed=recipe.seed,
        kind=task.kind,
        cache_dir=folder / "data",
    )
    facts = gather_facts(data)
    recipe, _ = resolve(recipe, facts)
    place = RunContext(task, data, facts, folder / "state", folder / "logs", Silent())
    candidate = rank(recipe, place).candidates[0]
    prepared = prepare(candidate.recipe, place, candidate.checkpoint)
    logits = held_out_logits(prepared.tuning, prepared.tuning.run())["test"]
    found = evaluate_logits(logits, data.splits["test"]["label"], data.labels, n_bootstrap=0)
    score = candidate.row.score
    return {
        "probe": score.value if score is not None else None,
        **candidate.row.second_opinions,
        "f1_macro": found.metrics["f1_macro"].value,
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def run(
    out: Path, cells: Sequence[Cell], seeds: Sequence[int], models: Sequence[str], options: Any
) -> None:
    """Fine-tune every candidate on every set of images."""
    done = {(row["cell"], row["seed"], row["model"]) for row in read_rows(out / "regret.jsonl")}
    os.environ["HF_VFT_CACHE"] = str(out / "cache")
    for seed in seeds:
        for cell in cells:
            table = write_table(out, cell, seed, options.shared)
            for model in models:
                if (cell.name, seed, Path(model).name) in done:
                    continue
                folder = out / "work"
                shutil.rmtree(folder, ignore_errors=True)
                changes = [
                    f"data.group_column={GROUPS[cell.images]}",
                    f"stages.all.epochs={options.epochs}",
                ]
                recipe = load_recipe("staged", changes).replaced(
                    {
                        "data.path": str(table),
                        "model.candidates": [model],
                        "image.size": SIDE,
                        "seed": seed,
                    }
                )
                row = {"cell": cell.name, "seed": seed, "model": Path(model).name}
                row |= fine_tuned(recipe, folder)
                with (out / "regret.jsonl").open("a") as rows:
                    rows.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


def report(rows: Sequence[Mapping[str, Any]], models: Sequence[str]) -> None:
    """Print every problem of which all candidates are known, and the regret of each ranking."""
    problems: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        problems.setdefault((row["cell"], row["seed"]), []).append(row)
    whole = {key: found for key, found in problems.items() if len(found) == len(models)}
    regrets: dict[str, list[float]] = {name: [] for name in (*RANKINGS, "chance")}
    for (cell, seed), found in whole.items():
        scores = np.array([row["f1_macro"] for row in found])
        for name in RANKINGS:
            first = int(np.argmax([-np.inf if row[name] is None else row[name] for row in found]))
            regrets[name].append(float(scores.max() - scores[first]))
        regrets["chance"].append(float(scores.max() - scores.mean()))
        told = ", ".join(
            f"{row['model']} {row['f1_macro']:.3f} (probe {row['probe'] or 0:.3f})" for row in found
        )
        print(f"{cell}, seed {seed}: {told}")
    print("\n| ranking | first is best | mean regret | largest |\n| --- | --- | --- | --- |")
    for name, values in regrets.items():
        if values:
            best = f"{sum(v == 0 for v in values)} of {len(values)}" if name in RANKINGS else "–"
            print(f"| {name} | {best} | {np.mean(values):.3f} | {max(values):.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--cells", nargs="+", default=[cell.name for cell in CELLS])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--shared", type=Path, default=SHARED, help="With weights/ and data/.")
    options = parser.parse_args()
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    be_quiet()
    photographs = str(options.shared / "weights" / "mobilenet_v2_imagenet")
    models = [*embedded(), photographs, *SCRATCHES]
    cells = [cell for cell in CELLS if cell.name in options.cells]
    run(out, cells, options.seeds, models, options)
    report(read_rows(out / "regret.jsonl"), models)


if __name__ == "__main__":
    main()
