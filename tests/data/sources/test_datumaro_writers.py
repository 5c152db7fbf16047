"""What Datumaro's own writers make of a data set comes back; Datumaro runs in its own Python.

Its releases from 1.10 on pin versions of ``pyyaml`` and ``pyarrow`` beside which ours cannot be
installed. ``DATUMARO_PYTHON`` names the interpreter of an environment that has it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hf_vft.data.annotated_boxes import clean_objects, fit_declared
from hf_vft.data.sources.read_source import read_source
from hf_vft.recipe.schema import DataConfig

PYTHON = os.environ.get("DATUMARO_PYTHON")
SIZE = (16, 12)
WRITER = """
import sys
import numpy as np
from datumaro.components.annotation import Bbox, Label
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.components.media import Image

def items(kind):
    for subset, numbers in (("train", range(4)), ("val", range(4, 6)), ("test", range(6, 8))):
        for n in numbers:
            box = [Bbox(2, 3, 8, 6, label=n % 2, id=1, group=1)]
            box += [Bbox(5, 4, 6, 5, label=1 - n % 2, id=2, group=2)] if n % 3 == 0 else []
            pixels = np.full((12, 16, 3), n * 20, np.uint8)
            image = Image.from_numpy(pixels, ext=".png")
            marks = box if kind == "boxes" else [Label(n % 2)]
            yield DatasetItem(id=f"im{n}", subset=subset, media=image, annotations=marks)

kind, name, folder = sys.argv[1:]
made = Dataset.from_iterable(list(items(kind)), categories=["ash", "birch"])
made.export(folder, name, save_media=True)
"""

pytestmark = pytest.mark.skipif(
    PYTHON is None, reason="DATUMARO_PYTHON names no Python that has datumaro"
)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("boxes", name) for name in (
            "coco_instances", "cvat", "datumaro", "kitti_detection", "open_images",
            "voc_detection", "yolo", "yolo_ultralytics",
        )),
        *(("labels", name) for name in (
            "coco_labels", "cvat", "datumaro", "imagenet_with_subset_dirs",
        )),
    ],
)  # fmt: skip
def test_what_datumaro_writes_comes_back(kind: str, name: str, tmp_path: Path) -> None:
    command = [str(PYTHON), "-c", WRITER, kind, name, str(tmp_path / "data")]
    subprocess.run(command, check=True, capture_output=True)
    table = read_source(tmp_path / "data", DataConfig(), tmp_path / "cache")
    assert table.reading is not None
    assert dict(table.reading.counts) == {"train": 4, "validation": 2, "test": 2}
    number = [int(Path(file).stem.removeprefix("im")) for file in table.files]
    first = ["ash" if n % 2 == 0 else "birch" for n in number]
    if kind == "labels":
        assert table.labels == first
        return
    labels, _ = clean_objects(fit_declared(table.labels, [SIZE] * 8)[0], [SIZE] * 8)
    for n, name_of_first, objects in zip(number, first, labels, strict=True):
        wanted = [((2.0, 3.0, 8.0, 6.0), name_of_first)]
        if n % 3 == 0:
            wanted.append(((5.0, 4.0, 6.0, 5.0), "birch" if name_of_first == "ash" else "ash"))
        boxes = [tuple(round(side, 1) for side in box) for box in objects.boxes]
        assert sorted(zip(boxes, objects.categories, strict=True)) == sorted(wanted)
