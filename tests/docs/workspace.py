"""A folder in which the examples of the documentation run: everything that they name is there."""

from __future__ import annotations

import csv
import json
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from hf_vft.data.demo.production import Fault, write_production
from hf_vft.data.load import load_data
from hf_vft.recipe.schema import Recipe
from hf_vft.run import RunDirectory, write_champion
from hf_vft.workflows.score_images import observe
from tests.good_parts import write_parts
from tests.runs import IMAGE_SIZE


def make(folder: Path, images: Path, run: Path) -> Path:
    """Fill ``folder``.

    Args:
        folder: Empty.
        images: Of `hf_vft.data.demo.images.write_demo_images`.
        run: Fitted on them.
    """
    shutil.copytree(images, folder / "line")
    shutil.copytree(run, folder / "run")
    shutil.copytree(run, folder / "run2")
    write_champion(folder / "champion", folder / "run")
    rows = [json.loads(line) for line in (images / "metadata.jsonl").open()]
    _photos(folder / "photos", images, rows)
    shutil.copytree(folder / "photos", folder / "scans")
    shutil.copy(images / rows[0]["file_name"], folder / "photo.jpg")
    _table(folder / "photos.csv", rows, folder, defect=lambda row: row["label"])
    renamed = (folder / "photos.csv").read_text().replace("file_name", "path", 1)
    (folder / "parts.csv").write_text(renamed)
    _tagged(folder / "tagged", images, rows)
    _cells(folder / "cells")
    write_parts(folder / "parts", good=12, held=4, bad=4)
    write_production(
        folder / "stream", Fault("none", 0), days=10, per_day=12, size=IMAGE_SIZE, seed=0
    )
    log = observe(folder / "run", folder / "stream", folder / "production-log").log
    ids = islice(log.read(columns=["request_id"])["request_id"], 3)
    lines = ["request_id,label", *(f"{one},scratch" for one in ids)]
    (folder / "label-these.csv").write_text("\n".join(lines) + "\n")
    (folder / "export.json").write_text(json.dumps([_task_of_label_studio(lines[1])]))
    return folder


def _task_of_label_studio(line: str) -> dict[str, Any]:
    """A task as Label Studio exports it once somebody has answered it."""
    request_id, label = line.split(",")
    result = {
        "from_name": "label",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": [label]},
    }
    return {
        "data": {"image": "/data/local-files/?d=0.png", "request_id": request_id},
        "annotations": [{"result": [result], "was_cancelled": False}],
    }


def stand_in_for_training(run: Path) -> Any:
    """What takes the place of ``fit``: it reads the images as asked, and hands out ``run``."""

    def fit(recipe: Recipe | None, out: str | Path, **options: Any) -> RunDirectory:
        if recipe is not None:
            data = load_data(str(recipe.data.path), recipe.data, seed=0)
            assert len(data.splits["train"])
        if not Path(out).is_dir():
            shutil.copytree(run, out)
        return RunDirectory.open(run)

    return fit


def _photos(folder: Path, images: Path, rows: list[dict[str, Any]]) -> None:
    """The same images with the columns that the guides speak of."""
    folder.mkdir()
    with (folder / "metadata.jsonl").open("w") as file:
        for number, row in enumerate(rows):
            name = Path(row["file_name"]).name
            shutil.copy(images / row["file_name"], folder / name)
            extra = {"part": row["part_id"], "camera": "top" if number % 2 else "side"}
            file.write(json.dumps({"file_name": name, "label": row["label"], **extra}) + "\n")


def _table(file: Path, rows: list[dict[str, Any]], folder: Path, **columns: Any) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file_name", *columns])
        for row in rows:
            name = f"photos/{Path(row['file_name']).name}"
            writer.writerow([name, *(value(row) for value in columns.values())])


def _tagged(folder: Path, images: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir()
    tags = ("scratch|stain", "scratch", "stain", "pit|stain", "pit")
    with (folder / "labels.csv").open("w") as file:
        file.write("file_name,labels\n")
        for number, row in enumerate(rows):
            name = Path(row["file_name"]).name
            shutil.copy(images / row["file_name"], folder / name)
            file.write(f"{name},{tags[number % len(tags)]}\n")


def _cells(folder: Path) -> None:
    folder.mkdir()
    boxes = []
    names = [f"{number}.png" for number in range(12)]
    for number, name in enumerate(names):
        Image.new("RGB", (40, 40), (number * 20, 90, 120)).save(folder / name)
        boxes.append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [4, 4, 9, 9 + number]}
        )
    coco = {
        "images": [
            {"id": number, "file_name": name, "width": 40, "height": 40}
            for number, name in enumerate(names)
        ],
        "annotations": boxes,
        "categories": [{"id": 1, "name": "cell"}],
    }
    (folder / "annotations.json").write_text(json.dumps(coco))
