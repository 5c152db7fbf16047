"""A search against a plain Trainer, a plain Optuna search and a linear probe, in the same time.

    python -m tests.benchmarks.side_by_side run OUT [--seeds 0 1 2] [--cells tile-10 ...]
    python -m tests.benchmarks.side_by_side table OUT

All start from the same weights and see the same images: generated ones (``demo``: 1,500 at 96
pixels and contrast 2, at which the small embedded backbone can learn something in a minute or two)
and photographs of magnet surfaces (``tile``); 10 and 50 a class, and all; the validation split
shrinks alike, the test split stays. Test macro F1, mean ± standard deviation of the seeds, which
draw the images as well.

The clock of every arm is the CPU time of its one thread, which is that of the wall on a core of
its own, whatever else the machine does. It begins after the imports, which are the same for all.
Every arm is a row of OUT/rows.jsonl; what is there is not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
import transformers

from hf_vft.data.demo.images import write_demo_images
from hf_vft.models.backbones import embedded
from hf_vft.recipe.schema import load_recipe
from hf_vft.training.allocator import keep_freed_memory
from hf_vft.workflows.fit import fit
from tests.benchmarks.plain_trainer import Work, best_rate, fine_tuned
from tests.benchmarks.transfer_data import SHARED

BUDGETS = {"10": 120.0, "50": 150.0, "all": 180.0}
"""Seconds, by training images of a class."""

SIDES = {"demo": 96, "tile": 128}
"""Of the input: that of the embedded backbone; and what MobileNetV2 trains at in such a time."""

ROWS = "rows.jsonl"
GROUPS = {"demo": "part_id", "tile": "tile_group"}
PROBE = {"name": "head", "train": "head", "epochs": 1, "learning_rate": 1e-8}
"""A stage that changes nothing: what is left is the converged probe."""


@dataclass(frozen=True)
class Cell:
    """One set of images and so many of each class."""

    images: str
    size: str

    @property
    def name(self) -> str:
        return f"{self.images}-{self.size}"


CELLS = [Cell(images, size) for size in BUDGETS for images in GROUPS]


def searched(work: Work) -> tuple[float, dict[str, Any]]:
    """``hf-vft fit --time-budget``."""
    return _run(work, {"search.time_budget": work.budget})


def probed(work: Work) -> tuple[float, dict[str, Any]]:
    """The linear probe, fitted to convergence."""
    return _run(work, {"stages": [PROBE]})


ARMS: dict[str, Callable[[Work], tuple[float, dict[str, Any]]]] = {
    "hf-vft": searched,
    "Trainer": fine_tuned,
    "Optuna": best_rate,
    "probe": probed,
}


def _run(work: Work, changes: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    group = GROUPS[work.folder.parent.name.partition("-")[0]]
    os.environ["HF_VFT_CACHE"] = str(work.folder / "cache")
    recipe = load_recipe("staged", [f"data.group_column={group}"]).replaced(
        {
            "data.path": str(work.table),
            "model.candidates": [work.checkpoint],
            "image.size": work.side,
            "seed": work.seed,
            **changes,
        }
    )
    out = work.folder / "run"
    fit(recipe, out, started=0.0)
    metrics = json.loads((out / "metrics.json").read_text())["splits"]
    rows = json.loads((out / "leaderboard.json").read_text())["rows"]
    facts = {
        "validation": metrics["validation"]["metrics"]["f1_macro"]["value"],
        "trials": sum(row["kind"] == "trial" for row in rows),
    }
    return metrics["test"]["metrics"]["f1_macro"]["value"], facts


def _alone(arm: str, work: Work, answer: Any) -> None:
    """In a process of its own, whose clock is its CPU time from now on."""
    time.monotonic = time.perf_counter = time.process_time
    shutil.rmtree(work.folder, ignore_errors=True)
    work.folder.mkdir(parents=True)
    try:
        score, facts = ARMS[arm](work)
    except Exception:
        answer.send({"failed": traceback.format_exc()})
        raise
    answer.send({"f1_macro": score, "seconds": round(time.process_time(), 1), **facts})


def run(
    out: Path, cells: Sequence[Cell], seeds: Sequence[int], factor: float, shared: Path
) -> None:
    """Run what is not there yet; the first seed of all cells first."""
    be_quiet()
    file = out / ROWS
    checkpoints = {
        "demo": str(embedded()["convnextv2-formula"]),
        "tile": str(shared / "weights" / "mobilenet_v2_imagenet"),
    }
    done = {(row["cell"], row["seed"], row["arm"]) for row in read_rows(file)}
    forked = multiprocessing.get_context("fork")
    for seed in seeds:
        for cell in cells:
            table = write_table(out, cell, seed, shared)
            for arm in ARMS:
                if (cell.name, seed, arm) in done:
                    continue
                work = Work(
                    table,
                    checkpoints[cell.images],
                    out / cell.name / f"{arm}-{seed}",
                    seed,
                    factor * BUDGETS[cell.size],
                    SIDES[cell.images],
                )
                theirs, ours = forked.Pipe()
                began = time.monotonic()
                child = forked.Process(target=_alone, args=(arm, work, ours))
                child.start()
                ours.close()
                row = theirs.recv()
                child.join()
                row = {"cell": cell.name, "seed": seed, "arm": arm, "budget": work.budget, **row}
                row["wall"] = round(time.monotonic() - began, 1)
                with file.open("a") as rows:
                    rows.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


def be_quiet() -> None:
    """One thread, and no word from the libraries."""
    torch.set_num_threads(1)
    keep_freed_memory()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Of what has not failed."""
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
    return [row for row in rows if "failed" not in row]


def write_table(out: Path, cell: Cell, seed: int, shared: Path) -> Path:
    """The images of a cell, drawn by the seed."""
    rows = _demo(out / "images") if cell.images == "demo" else _tile(shared)
    rng = np.random.default_rng(seed)
    most = len(rows) if cell.size == "all" else int(cell.size)
    taken: Counter[tuple[str, str]] = Counter()
    chosen = []
    for index in rng.permutation(len(rows)).tolist():
        row = rows[index]
        key = (row["split"], row["label"])
        if row["split"] == "test" or taken[key] < most:
            taken[key] += 1
            chosen.append(row)
    file = out / "tables" / f"{cell.name}-{seed}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(chosen[0]))
        writer.writeheader()
        writer.writerows(chosen)
    return file


def _demo(folder: Path) -> list[dict[str, str]]:
    """Of five parts three train, one validates, one tests."""
    if not folder.is_dir():
        write_demo_images(folder, n=1500, size=96, contrast=2.0)
    splits = ("train", "train", "train", "validation", "test")
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    return [
        {
            "file_name": str(folder.absolute() / row["file_name"]),
            "label": row["label"],
            "split": splits[index // 2 % len(splits)],
            GROUPS["demo"]: row["part_id"],
        }
        for index, row in enumerate(rows)
    ]


def _tile(shared: Path) -> list[dict[str, str]]:
    folder = shared / "data" / "magnetic_tile"
    with (folder / "metadata.csv").open() as file:
        return [
            {
                "file_name": str(folder / row["file_name"]),
                "label": row["label"],
                "split": {"val": "validation"}.get(row["split"], row["split"]),
                GROUPS["tile"]: row["tile_group"],
            }
            for row in csv.DictReader(file)
        ]


def table(out: Path) -> None:
    """Print what was measured, as Markdown."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in read_rows(out / ROWS):
        found.setdefault((row["cell"], row["arm"]), []).append(row)
    print(f"| test macro F1 | seconds | {' | '.join(ARMS)} |")
    print("| --- " * (2 + len(ARMS)) + "|")
    for cell in CELLS:
        rows = {arm: found.get((cell.name, arm), []) for arm in ARMS}
        if not any(rows.values()):
            continue
        words = [_mean(of, "f1_macro", 3) for of in rows.values()]
        print(f"| {cell.name} | {BUDGETS[cell.size]:.0f} | {' | '.join(words)} |")
    print("\nseconds taken")
    for cell in CELLS:
        said = [f"{arm} {_mean(found.get((cell.name, arm), []), 'seconds', 0)}" for arm in ARMS]
        print(f"{cell.name}: {', '.join(said)}")


def _mean(rows: list[dict[str, Any]], name: str, digits: int) -> str:
    values = [row[name] for row in rows]
    if not values:
        return "–"
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread} ({len(values)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cells", nargs="+", default=[cell.name for cell in CELLS])
    parser.add_argument("--factor", type=float, default=1.0, help="On all budgets, to try it out.")
    parser.add_argument("--shared", type=Path, default=SHARED, help="With weights/ and data/.")
    options = parser.parse_args()
    out = options.out.absolute()
    if options.what == "run":
        out.mkdir(parents=True, exist_ok=True)
        cells = [cell for cell in CELLS if cell.name in options.cells]
        run(out, cells, options.seeds, options.factor, options.shared)
    table(out)


if __name__ == "__main__":
    main()
