"""Whatever a data set is written as, the same data set is read."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hf_vft.data.annotated_boxes import Objects, clean_objects
from hf_vft.data.sources.read_source import read_source
from hf_vft.data.sources.table import Table
from hf_vft.recipe.schema import DataConfig
from tests.data.sources.tf_records import as_records, encoded
from tests.data.sources.tool_writers import WRITERS

SIZE = (40, 30)
SPLITS = ("train", "val", "test")
CANONICAL = {"train": "train", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class Item:
    """One image: its name, split, classes and boxes (x, y, width, height in pixels)."""

    name: str
    split: str
    classes: tuple[str, ...]
    boxes: tuple[tuple[tuple[int, int, int, int], str], ...]


Data = list[Item]
NAMES = ("ash", "Birch 2", "no", "Ölbaum", "07")


def images(root: Path, data: Data, folder: Callable[[Item], str]) -> None:
    for item in data:
        target = root / folder(item) / item.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE).save(target)


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def as_class_folders(root: Path, data: Data) -> Path:
    images(root, data, lambda item: f"{item.split}/{item.classes[0]}")
    return root


def as_folders_of_splits_inside(root: Path, data: Data) -> Path:
    images(root, data, lambda item: f"{item.classes[0]}/{item.split}")
    return root


def as_split_names(root: Path, data: Data) -> Path:
    images(root, data, lambda item: f"{item.split}_images/{item.classes[0]}")
    return root


def as_csv(root: Path, data: Data) -> Path:
    images(root, data, lambda item: "images")
    rows = [f'{item.name},"{item.classes[0]}",{item.split}' for item in data]
    write(root / "labels.csv", "\n".join(["file_name,label,split", *rows]))
    return root


def as_csv_of_stems(root: Path, data: Data) -> Path:
    images(root, data, lambda item: f"{item.split}/x")
    rows = [f'{Path(item.name).stem};"{item.classes[0]}"' for item in data]
    write(root / "labels.csv", "\n".join(["image_id;label", *rows]))
    return root


def as_metadata(root: Path, data: Data) -> Path:
    images(root, data, lambda item: item.split)
    for split in SPLITS:
        rows = [
            json.dumps({"file_name": item.name, "label": item.classes[0]})
            for item in data
            if item.split == split
        ]
        write(root / split / "metadata.jsonl", "\n".join(rows))
    return root


def as_parquet(root: Path, data: Data) -> Path:
    images(root, data, lambda item: item.split)
    rows = [
        {"image": f"{item.split}/{item.name}", "label": item.classes[0], "split": item.split}
        for item in data
    ]
    datasets.Dataset.from_list(rows).to_parquet(root / "all.parquet")
    return root / "all.parquet"


def as_flags(root: Path, data: Data) -> Path:
    images(root, data, lambda item: item.split)
    names = sorted({name for item in data for name in item.classes})
    for split in SPLITS:
        rows = [
            ", ".join([item.name, *(str(int(name in item.classes)) for name in names)])
            for item in data
            if item.split == split
        ]
        write(root / split / "_classes.csv", "\n".join([", ".join(["filename", *names]), *rows]))
    return root


def as_lists(root: Path, data: Data) -> Path:
    images(root, data, lambda item: "img")
    rows = [
        json.dumps({"image": item.name, "labels": list(item.classes), "split": item.split})
        for item in data
    ]
    write(root / "labels.jsonl", "\n".join(rows))
    return root


def as_row_for_each_label(root: Path, data: Data) -> Path:
    images(root, data, lambda item: item.split)
    rows = [f"{item.split}/{item.name};{name}" for item in data for name in item.classes]
    write(root / "labels.csv", "\n".join(["path;label", *rows]))
    return root


def as_coco(root: Path, data: Data) -> Path:
    images(root, data, lambda item: f"{item.split}2017")
    names = sorted({name for item in data for _, name in item.boxes})
    for split in SPLITS:
        mine = [item for item in data if item.split == split]
        annotations = [
            {"image_id": n, "category_id": names.index(name), "bbox": list(box)}
            for n, item in enumerate(mine)
            for box, name in item.boxes
        ]
        content = {
            "images": [
                {"id": n, "file_name": item.name, "width": SIZE[0], "height": SIZE[1]}
                for n, item in enumerate(mine)
            ],
            "annotations": [{"id": n, **one} for n, one in enumerate(annotations)],
            "categories": [{"id": n, "name": name} for n, name in enumerate(names)],
        }
        write(root / "annotations" / f"instances_{split}2017.json", json.dumps(content))
    return root


def as_voc(root: Path, data: Data) -> Path:
    images(root, data, lambda item: "JPEGImages")
    for item in data:
        objects = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
            f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
            for (x, y, w, h), name in item.boxes
        )
        text = f"<annotation><filename>{item.name}</filename>{objects}</annotation>"
        write(root / "Annotations" / f"{Path(item.name).stem}.xml", text)
    for split in SPLITS:
        stems = [Path(item.name).stem for item in data if item.split == split]
        write(root / "ImageSets" / "Main" / f"{split}.txt", "\n".join(stems))
    return root


def as_yolo(root: Path, data: Data) -> Path:
    images(root, data, lambda item: f"images/{item.split}")
    names = sorted({name for item in data for _, name in item.boxes})
    for item in data:
        rows = [
            f"{names.index(name)} {(x + w / 2) / SIZE[0]} {(y + h / 2) / SIZE[1]} "
            f"{w / SIZE[0]} {h / SIZE[1]}"
            for (x, y, w, h), name in item.boxes
        ]
        write(root / "labels" / item.split / f"{Path(item.name).stem}.txt", "\n".join(rows))
    listed = "".join(f"  {n}: {name}\n" for n, name in enumerate(names))
    folders = "".join(f"{split}: images/{split}\n" for split in SPLITS)
    write(root / "data.yaml", f"{folders}names:\n{listed}")
    return root


def as_box_table(root: Path, data: Data) -> Path:
    images(root, data, lambda item: item.split)
    for split in SPLITS:
        rows = [
            f"{item.name},{SIZE[0]},{SIZE[1]},{name},{x},{y},{x + w},{y + h}"
            for item in data
            if item.split == split
            for (x, y, w, h), name in item.boxes
        ]
        header = "filename,width,height,class,xmin,ymin,xmax,ymax"
        write(root / split / "_annotations.csv", "\n".join([header, *rows]))
    return root


def as_open_images(root: Path, data: Data) -> Path:
    images(root, data, lambda item: f"{item.split}/data")
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf"
    for split in SPLITS:
        rows = [
            f"{Path(item.name).stem},x,{name},1,{x / SIZE[0]},{(x + w) / SIZE[0]},"
            f"{y / SIZE[1]},{(y + h) / SIZE[1]},0"
            for item in data
            if item.split == split
            for (x, y, w, h), name in item.boxes
        ]
        write(root / split / "labels" / "detections.csv", "\n".join([header, *rows]))
    return root


def as_tfrecord(root: Path, data: Data) -> Path:
    for split in SPLITS:
        records = [
            {
                "image/encoded": [encoded(n, SIZE)],
                "image/filename": [item.name.encode()],
                "image/object/class/text": [name.encode() for _, name in item.boxes],
                "image/object/bbox/xmin": [box[0] / SIZE[0] for box, _ in item.boxes],
                "image/object/bbox/ymin": [box[1] / SIZE[1] for box, _ in item.boxes],
                "image/object/bbox/xmax": [(box[0] + box[2]) / SIZE[0] for box, _ in item.boxes],
                "image/object/bbox/ymax": [(box[1] + box[3]) / SIZE[1] for box, _ in item.boxes],
            }
            for n, item in enumerate(data)
            if item.split == split
        ]
        (root / f"{split}.tfrecord").write_bytes(as_records(records))
    return root


def by_tool(tool: str) -> Callable[[Path, Data], Path]:
    """Writes an export of a tool for each split."""

    def layout(root: Path, data: Data) -> Path:
        for split in SPLITS:
            mine = [item for item in data if item.split == split]
            boxes = {i.name: [(tuple(map(float, b)), n) for b, n in i.boxes] for i in mine}
            WRITERS[tool](root / split, boxes)
        return root

    layout.__name__ = f"as_{tool}"
    return layout


ONE = [
    as_class_folders, as_folders_of_splits_inside, as_split_names, as_csv, as_csv_of_stems,
    as_metadata, as_parquet,
]  # fmt: skip
SEVERAL = [as_flags, as_lists, as_row_for_each_label]
BOXES = [as_coco, as_voc, as_yolo, as_box_table, as_open_images, as_tfrecord]
TOOLS = {tool: by_tool(tool) for tool in WRITERS}
IN_WORDS = (TOOLS["kitti"], TOOLS["dota"])
"""Tools whose texts have a blank behind the name of a class, so that none may be in it."""


@st.composite
def data_sets(draw: st.DrawFn) -> Data:
    """Three or four classes in each of three splits, some of the images with two of them."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(3, 4))]
    corner = st.tuples(
        st.integers(0, 20), st.integers(0, 15), st.integers(2, 19), st.integers(2, 14)
    )
    data = []
    for split in SPLITS:
        for n in range(len(names) * 2):
            first, second = names[n % len(names)], names[(n + 1) % len(names)]
            classes = (first, second) if n % 2 else (first,)
            boxes = tuple((draw(corner), name) for name in classes)
            data.append(Item(f"im_{split}{n}.png", split, classes, boxes))
    return data


def read(written: Path, root: Path, *, zipped: bool) -> Table:
    source = written
    if zipped and written.is_dir():
        source = Path(shutil.make_archive(str(root / "a"), "zip", written))
    return read_source(source, DataConfig(), root / "cache")


def found(table: Table) -> dict[str, tuple[str | None, Any]]:
    """Of each image its split and what it is."""
    labels = table.labels
    if table.kind.name == "boxes":
        labels, _ = clean_objects(labels, [SIZE] * len(labels))
    splits = table.splits or [None] * len(labels)
    return {
        Path(file).name: (split, _plain(label))
        for file, split, label in zip(table.files, splits, labels, strict=True)
    }


def _plain(label: Any) -> Any:
    if isinstance(label, Objects):
        boxes = (tuple(round(side, 3) for side in box) for box in label.boxes)
        return sorted(zip(boxes, label.categories, strict=True))
    return sorted(label) if isinstance(label, tuple) else label


def in_words(data: Data) -> Data:
    """With no blank in the names of classes, and none that is a number."""

    def word(name: str) -> str:
        return f"c_{name.replace(' ', '_')}"

    return [
        replace(
            item,
            classes=tuple(map(word, item.classes)),
            boxes=tuple((box, word(name)) for box, name in item.boxes),
        )
        for item in data
    ]


def expected(data: Data, kind: str) -> dict[str, tuple[str | None, Any]]:
    what: dict[str, Callable[[Item], Any]] = {
        "class": lambda item: item.classes[0],
        "classes": lambda item: sorted(set(item.classes)),
        "boxes": lambda item: sorted({(tuple(map(float, box)), name) for box, name in item.boxes}),
    }
    return {item.name: (CANONICAL[item.split], what[kind](item)) for item in data}


@pytest.mark.parametrize(
    ("kind", "layout"),
    [
        *(("class", layout) for layout in ONE),
        *(("classes", layout) for layout in SEVERAL),
        *(("boxes", layout) for layout in (*BOXES, *TOOLS.values())),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
@settings(max_examples=3, deadline=None)
@given(data=data_sets(), zipped=st.booleans())
def test_what_was_written_comes_back(
    kind: str, layout: Callable[[Path, Data], Path], zipped: bool, data: Data
) -> None:
    data = in_words(data) if layout in IN_WORDS else data
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data").mkdir()
        table = read(layout(root / "data", data), root, zipped=zipped)
        assert table.kind.name == kind
        assert found(table) == expected(data, kind)
        assert table.reading is not None
        assert dict(table.reading.counts) == {
            name: sum(CANONICAL[item.split] == name for item in data) for name in CANONICAL.values()
        }
