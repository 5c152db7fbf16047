"""What a run delivers, beside its probe, its fine-tuned weights and a plain Trainer.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.delivered ROWS.jsonl [--arms plain hf-vft] \
        [--models mobilenet efficientnet-lite0] [--sets magnetic_tile bccd_cells] [--shots 25] \
        [--seeds 0 1 2] [--size 128] [--epochs 12]

Each seed draws ``--shots`` training images and ten validation images a class; the test images are
always the same. A line a run goes to ``ROWS.jsonl``, and what is there already is not run again. At
the end a table of test macro F1: mean and deviation over the seeds.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.metrics import f1_score
from transformers import AutoImageProcessor, AutoModelForImageClassification

from hf_vft.models.load import choose_checkpoint
from hf_vft.recipe.schema import load_recipe
from hf_vft.workflows.fit import fit
from tests.benchmarks import plain_trainer
from tests.benchmarks.transfer_data import SHARED

MODELS = {"mobilenet": str(SHARED / "weights" / "mobilenet_v2_imagenet")}
"""Short names; others are names that hf-vft knows."""

VALIDATION = 10
"""Images a class."""

Row = dict[str, str]


def magnetic_tile(_: Path) -> list[Row]:
    """Photographs of magnet surfaces, divided by tile."""
    folder = SHARED / "data" / "magnetic_tile"
    names = {"val": "validation"}
    return [
        {
            "file_name": str(folder / row["file_name"]),
            "label": row["label"],
            "split": names.get(row["split"], row["split"]),
            "group": row["tile_group"],
        }
        for row in csv.DictReader((folder / "metadata.csv").open())
    ]


def bccd_cells(folder: Path) -> list[Row]:
    """Blood cells, cut out with a margin; at most 60 a class of the photographs for testing."""
    rows: list[Row] = []
    root, names = SHARED / "data" / "bccd", {"val": "validation"}
    for part in ("train", "val", "test"):
        annotations = json.loads(next((root / part).rglob("*.json")).read_text())
        files = {image["id"]: image["file_name"] for image in annotations["images"]}
        labels = {one["id"]: one["name"] for one in annotations["categories"]}
        paths = {path.name: path for path in (root / part).rglob("*.jp*g")}
        boxes = annotations["annotations"]
        taken: dict[str, int] = {}
        for index in np.random.default_rng(0).permutation(len(boxes)):
            box = boxes[index]
            label = labels[box["category_id"]]
            x, y, width, height = box["bbox"]
            if taken.get(label, 0) >= 60 or min(width, height) < 12:
                continue
            taken[label] = taken.get(label, 0) + 1
            file = folder / f"{part}-{box['id']}.png"
            name = Path(files[box["image_id"]]).name
            with Image.open(paths[name]) as image:
                corners = (x - width / 8, y - height / 8, x + 9 * width / 8, y + 9 * height / 8)
                image.convert("RGB").crop(tuple(map(round, corners))).save(file)
            rows.append(
                {
                    "file_name": str(file),
                    "label": label,
                    "split": names.get(part, part),
                    "group": name,
                }
            )
    return rows


SETS: dict[str, Callable[[Path], list[Row]]] = {
    "magnetic_tile": magnetic_tile,
    "bccd_cells": bccd_cells,
}


def drawn(rows: list[Row], shots: int, seed: int) -> list[Row]:
    """Some training and validation images a class, and all test images."""
    wanted = {"train": shots, "validation": VALIDATION}
    order = np.random.default_rng(seed).permutation(len(rows))
    taken: dict[tuple[str, str], int] = {}
    kept = []
    for row in (rows[index] for index in order):
        key = (row["split"], row["label"])
        if taken.get(key, 0) < wanted.get(row["split"], len(rows)):
            taken[key] = taken.get(key, 0) + 1
            kept.append(row)
    return kept


def write_table(rows: list[Row], file: Path) -> Path:
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, ["file_name", "label", "split", "group"])
        writer.writeheader()
        writer.writerows(rows)
    return file


class Work(plain_trainer.Work):
    """As in the comparison of searches, also for processors of timm."""

    def images(self, split: str, *, augmented: bool = False) -> plain_trainer.Images:
        processor: Any = AutoImageProcessor.from_pretrained(self.checkpoint)
        if hasattr(processor, "data_config"):
            processor.image_mean = list(processor.data_config["mean"])
            processor.image_std = list(processor.data_config["std"])
            original = AutoImageProcessor.from_pretrained
            AutoImageProcessor.from_pretrained = lambda *_: processor
            try:
                return super().images(split, augmented=augmented)
            finally:
                AutoImageProcessor.from_pretrained = original
        return super().images(split, augmented=augmented)


def plain(table: Path, model: str, folder: Path, options: Any, seed: int) -> dict[str, Any]:
    """The Trainer of transformers at 5e-5, as many epochs as the default recipe."""
    checkpoint = choose_checkpoint([MODELS.get(model, model)]).path
    work = Work(table, checkpoint, folder, seed, float("inf"), options.size)
    trainer = plain_trainer._trained(work, plain_trainer.DEFAULT_RATE, options.epochs, float("inf"))
    return {"plain": plain_trainer._tested(work, trainer)}


def hf_vft(table: Path, model: str, folder: Path, options: Any, seed: int) -> dict[str, Any]:
    """The default recipe: what is delivered, the probe, and the fine-tuned weights alone."""
    recipe = load_recipe("staged").replaced(
        {
            "data.path": str(table),
            "data.group_column": "group",
            "model.candidates": [MODELS.get(model, model)],
            "image.size": options.size,
            "stages.all.epochs": options.epochs,
            "evaluation.stress": False,
            "seed": seed,
        }
    )
    run = fit(recipe, folder / "run")
    metrics, choices = run.read_json(run.metrics_file), run.read_json(run.choices_file)
    said = {choice["name"]: choice for choice in choices}
    test = metrics["splits"]["test"]["metrics"]
    probe = metrics["baselines"]["linear_probe"]["test"]
    records = run.read_json(run.history_file)
    return {
        "delivered": test["f1_macro"]["value"],
        "probe": probe["f1_macro"]["value"],
        "fine-tuned": _of_the_stage(run, table),
        "validation": [record["eval_f1_macro"] for record in records],
        "start": json.loads((run.state / "stages" / "all" / "start.json").read_text()),
        "choices": {name: said[name] for name in said if name in NOTED},
    }


NOTED = ("image.fit", "training.deliver", "stages.all.learning_rate", "stages.all.warmup")


def _of_the_stage(run: Any, table: Path) -> float:
    """Test macro F1 of the weights that the last stage was left with."""
    model = AutoModelForImageClassification.from_pretrained(run.model)
    model.load_state_dict(load_file(run.state / "stages" / "all" / "best.safetensors"))
    processor: Any = AutoImageProcessor.from_pretrained(run.model)
    names = {name: number for number, name in model.config.id2label.items()}
    truth, answers = [], []
    with torch.inference_mode(), table.open() as file:
        for row in csv.DictReader(file):
            if row["split"] == "test":
                with Image.open(row["file_name"]) as image:
                    pixels = processor(image.convert("RGB"), return_tensors="pt")["pixel_values"]
                answers.append(int(model.eval()(pixels).logits.argmax()))
                truth.append(names[row["label"]])
    return float(f1_score(truth, answers, average="macro"))


ARMS = {"plain": plain, "hf-vft": hf_vft}


def known(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def measure(options: argparse.Namespace) -> None:
    """Every run that the file of rows lacks."""
    with TemporaryDirectory() as place:
        for name in options.sets:
            rows = SETS[name](Path(place))
            for seed, model, arm in (
                (s, m, a) for s in options.seeds for m in options.models for a in options.arms
            ):
                key = {"set": name, "shots": options.shots, "model": model, "seed": seed}
                key |= {"arm": arm, "size": options.size, "epochs": options.epochs}
                if any(key.items() <= row.items() for row in known(options.rows)):
                    continue
                began = time.monotonic()
                with TemporaryDirectory() as folder:
                    table = write_table(
                        drawn(rows, options.shots, seed), Path(folder) / "table.csv"
                    )
                    found = ARMS[arm](table, model, Path(folder) / "work", options, seed)
                line = {**key, **found, "seconds": time.monotonic() - began}
                with options.rows.open("a") as out:
                    out.write(json.dumps(line) + "\n")


COLUMNS = ("plain", "probe", "fine-tuned", "delivered")


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and deviation over the seeds, in Markdown."""
    lines = [f"| images | a class | weights | {' | '.join(COLUMNS)} |", "| --- " * 7 + "|"]
    for name, shots, model in sorted({(r["set"], r["shots"], r["model"]) for r in rows}):
        mine = [r for r in rows if (r["set"], r["shots"], r["model"]) == (name, shots, model)]
        cells = []
        for column in COLUMNS:
            values = [row[column] for row in mine if column in row]
            cells.append(f"{np.mean(values):.3f} ± {np.std(values):.3f}" if values else "")
        lines.append(f"| {name} | {shots} | {model} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path, metavar="ROWS.jsonl")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=[*ARMS])
    parser.add_argument("--models", nargs="+", default=["mobilenet", "efficientnet-lite0"])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--shots", type=int, default=25)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args()
    measure(options)
    print(table(known(options.rows)))


if __name__ == "__main__":
    main()
