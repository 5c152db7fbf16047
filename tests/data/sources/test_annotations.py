"""Folders as annotation tools write them: recognised, read alike, and bad boxes told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image

from hf_vft.data.load import ImageData, load_data
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from tests.data.zoo_sources import image, table

SIZE = (48, 40)
# Of each image: x, y, width, height and class. The sixth shows nothing.
OBJECTS = [
    [((4, 6, 20, 10), "cat"), ((30, 20, 12, 16), "dog")],
    [((0, 0, 48, 40), "dog")],
    [((8, 8, 8, 8), "cat"), ((24, 8, 8, 8), "cat")],
    [((12, 4, 16, 32), "cat")],
    [((2, 2, 10, 6), "dog")],
    [],
] * 3


def write_images(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        image(seed).resize(SIZE).save(folder / name)


def names() -> list[str]:
    return [f"{i:03d}.png" for i in range(len(OBJECTS))]


def as_coco(root: Path, *, at: str = "annotations/instances.json", images: str = "images") -> Path:
    write_images(root / images, names())
    write_json(root / at, coco(range(len(OBJECTS))))
    return root


def coco(rows: Any, **changes: Any) -> dict[str, Any]:
    ids = {"dog": 3, "cat": 7}
    annotations = [
        {"id": 100 * i + k, "image_id": i, "category_id": ids[name], "bbox": list(box)}
        for i in rows
        for k, (box, name) in enumerate(OBJECTS[i])
    ]
    return {
        "images": [{"id": i, "file_name": names()[i]} for i in rows],
        "categories": [{"id": ids[name], "name": name} for name in ids] + [{"id": 1, "name": "x"}],
        "annotations": annotations,
    } | changes


def write_json(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def as_coco_splits(root: Path) -> Path:
    """As Roboflow exports it: a file among the images of each split."""
    for split, rows in (("train", range(12)), ("valid", range(12, 15)), ("test", range(15, 18))):
        write_images(root / split, [names()[i] for i in rows])
        write_json(root / split / "_annotations.coco.json", coco(rows))
    return root


def as_voc(root: Path) -> Path:
    write_images(root / "JPEGImages", names())
    (root / "Annotations").mkdir()
    for name, objects in zip(names(), OBJECTS, strict=True):
        parts = [
            f"<object><name>{kind}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
            f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
            for (x, y, w, h), kind in objects
        ]
        text = f"<annotation><filename>{name}</filename>{''.join(parts)}</annotation>"
        (root / "Annotations" / name).with_suffix(".xml").write_text(text)
    return root


def as_yolo(root: Path) -> Path:
    write_images(root / "images", names())
    (root / "labels").mkdir()
    (root / "data.yaml").write_text("names: [dog, cat]\n")
    for name, objects in zip(names(), OBJECTS, strict=True):
        if objects:
            lines = [
                f"{['dog', 'cat'].index(kind)} {(x + w / 2) / 48} {(y + h / 2) / 40} "
                f"{w / 48} {h / 40}"
                for (x, y, w, h), kind in objects
            ]
            (root / "labels" / name).with_suffix(".txt").write_text("\n".join(lines))
    return root


def as_metadata(root: Path) -> Path:
    write_images(root, names())
    rows = [
        {
            "file_name": name,
            "objects": {"bbox": [list(b) for b, _ in o], "category": [c for _, c in o]},
        }
        for name, o in zip(names(), OBJECTS, strict=True)
    ]
    return table(root, rows, "metadata.jsonl").parent


def as_dataset(root: Path) -> datasets.Dataset:
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "objects": {
                "bbox": datasets.List(datasets.List(datasets.Value("float32"))),
                "category": datasets.List(datasets.ClassLabel(names=["dog", "cat"])),
            },
        }
    )
    objects = [
        {"bbox": [list(b) for b, _ in o], "category": [["dog", "cat"].index(c) for _, c in o]}
        for o in OBJECTS
    ]
    images = [image(seed).resize(SIZE) for seed in range(len(OBJECTS))]
    return datasets.Dataset.from_dict({"image": images, "objects": objects}, features=features)


WAYS: dict[str, Callable[[Path], Any]] = {
    "COCO": as_coco,
    "COCO, one file": lambda root: as_coco(root) / "annotations" / "instances.json",
    "COCO by splits": as_coco_splits,
    "Pascal VOC": as_voc,
    "YOLO": as_yolo,
    "metadata.jsonl": as_metadata,
    "datasets": as_dataset,
}


def found(data: ImageData) -> list[list[tuple[tuple[float, ...], str]]]:
    """Boxes and classes of each image, in the order in which they were made."""
    rows = [row for split in data.splits.values() for row in split]
    objects = []
    for row in sorted(rows, key=lambda row: Path(row["file"]).name):
        label = row["label"]
        assert tuple(label["size"]) == SIZE
        pairs = zip(label["bbox"], label["category"], strict=True)
        objects.append(
            [(tuple(round(v, 3) for v in box), data.labels[category]) for box, category in pairs]
        )
    return objects


@pytest.mark.parametrize("way", WAYS)
def test_every_format_is_recognised_and_read_alike(way: str, tmp_path: Path) -> None:
    data = load_data(WAYS[way](tmp_path), DataConfig(), seed=0, cache_dir=tmp_path / ".cache")
    assert data.kind.name == "boxes"
    assert set(data.labels) == {"dog", "cat"}
    expected = [[(tuple(map(float, box)), name) for box, name in o] for o in OBJECTS]
    assert found(data) == expected
    assert any("Without objects, and used as such: 3 images" in note for note in data.notes)


def test_classes_keep_the_order_of_their_ids(tmp_path: Path) -> None:
    assert load_data(as_coco(tmp_path), DataConfig(), seed=0).labels == ["dog", "cat"]


def test_splits_of_the_source_are_respected(tmp_path: Path) -> None:
    data = load_data(as_coco_splits(tmp_path), DataConfig(), seed=0)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 12, "validation": 3, "test": 3,
    }  # fmt: skip


def test_sets_of_voc_are_splits(tmp_path: Path) -> None:
    root = as_voc(tmp_path)
    sets = root / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    for split, rows in (("train", range(10)), ("val", range(10, 14)), ("test", range(14, 18))):
        (sets / f"{split}.txt").write_text("\n".join(Path(names()[i]).stem for i in rows))
    data = load_data(root, DataConfig(), seed=0)
    assert [len(split) for split in data.splits.values()] == [10, 4, 4]


def test_boxes_are_only_taken_where_no_class_is_named_or_where_they_are_asked_for(
    tmp_path: Path,
) -> None:
    root = as_metadata(tmp_path)
    rows = [json.loads(line) for line in (root / "metadata.jsonl").read_text().splitlines()]
    labelled = [{**row, "label": "ab"[i % 2]} for i, row in enumerate(rows)]
    table(root, labelled, "metadata.jsonl")
    classes = load_data(root, DataConfig(), seed=0)
    assert classes.kind.name == "class"
    boxes_too = "Column 'label' holds labels and column 'objects' boxes: the labels are learned"
    assert any(boxes_too in note for note in classes.notes)
    assert not any("Not used" in note for note in classes.notes)
    boxes = load_data(root, DataConfig(), seed=0, kind="boxes")
    assert boxes.kind.name == "boxes"
    assert not any(boxes_too in note for note in boxes.notes)
    assert load_data(root, DataConfig(label_column="objects"), seed=0).kind.name == "boxes"


BAD: dict[str, tuple[list[float], str]] = {
    "over the edge": ([40, 30, 20, 20], "reach over the edge of their image"),
    "outside": ([60, 60, 5, 5], "lie outside of their image"),
    "of no area": ([5, 5, 0, 4], "have no area"),
    "in the wrong order": ([20, 20, -10, -5], "had their corners in the wrong order"),
    "not a number": ([5, 5, float("nan"), 4], "hold values that are not numbers"),
    "twice": ([4, 6, 20, 10], "name a box once more"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_boxes_are_mended_or_left_out_and_counted(kind: str, tmp_path: Path) -> None:
    box, words = BAD[kind]
    root = as_coco(tmp_path)
    content = coco(range(len(OBJECTS)))
    content["annotations"].append({"id": 9999, "image_id": 0, "category_id": 7, "bbox": box})
    write_json(root / "annotations" / "instances.json", content)
    data = load_data(root, DataConfig(), seed=0)
    assert any(words in note and "1 " in note for note in data.notes)
    boxes = dict(found(data)[0])
    expected = {
        "over the edge": (40.0, 30.0, 8.0, 10.0),
        "in the wrong order": (10.0, 15.0, 10.0, 5.0),
    }
    assert len(boxes) == 2 + (kind in expected)
    if kind in expected:
        assert boxes[expected[kind]] == "cat"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown category": (
        {"annotations": [{"id": 1, "image_id": 0, "category_id": 99, "bbox": [1, 1, 2, 2]}]},
        "annotation 1 has category 99, which is not one of its categories",
    ),
    "no box": (
        {"annotations": [{"id": 1, "image_id": 0, "category_id": 3}]},
        "annotation 1 has no bbox of four numbers",
    ),
    "a box of words": (
        {"annotations": [{"id": 1, "image_id": 0, "category_id": 3, "bbox": ["x", 1, 2, 2]}]},
        "annotation 1 has no bbox of four numbers",
    ),
    "no image": ({"images": [{"id": 0, "file_name": "gone.png"}]}, "no image 'gone.png'"),
    "a path outside": (
        {"images": [{"id": 0, "file_name": "../../etc/passwd"}]},
        r"no image '\.\./\.\./etc/passwd'",
    ),
    "named twice": (
        {"images": [{"id": i, "file_name": "000.png"} for i in range(2)]},
        "000.png is annotated twice",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_makes_no_sense_is_refused_in_a_line(kind: str, tmp_path: Path) -> None:
    changes, words = REFUSED[kind]
    root = as_coco(tmp_path)
    write_json(root / "annotations" / "instances.json", coco(range(18), **changes))
    with pytest.raises(DataError, match=words) as caught:
        load_data(root, DataConfig(), seed=0)
    assert "\n" not in str(caught.value)


def test_a_class_without_a_name_is_refused(tmp_path: Path) -> None:
    root = as_yolo(tmp_path)
    (root / "labels" / "001.txt").write_text("7 0.5 0.5 0.1 0.1")
    with pytest.raises(DataError, match=r"001\.txt, line 1: class 7 has no name; there are 2"):
        load_data(root, DataConfig(), seed=0)


def test_outlines_of_segmentation_become_boxes(tmp_path: Path) -> None:
    root = as_yolo(tmp_path)
    (root / "labels" / "000.txt").write_text("0 0.25 0.1 0.75 0.1 0.5 0.6")
    assert found(load_data(root, DataConfig(), seed=0))[0] == [((12.0, 4.0, 24.0, 20.0), "dog")]


def test_corners_taken_for_sizes_are_found_out(tmp_path: Path) -> None:
    root = as_metadata(tmp_path)
    rows = [json.loads(line) for line in (root / "metadata.jsonl").read_text().splitlines()]
    for row in rows:
        row["objects"]["bbox"] = [[x, y, x + w, y + h] for x, y, w, h in row["objects"]["bbox"]]
        row["objects"]["bbox"] = [[20, 20, 44, 36]] * len(row["objects"]["bbox"])
    table(root, rows, "metadata.jsonl")
    with pytest.raises(DataError, match=r"data\.box_format to xyxy"):
        load_data(root, DataConfig(), seed=0)
    data = load_data(root, DataConfig(box_format="xyxy"), seed=0)
    assert found(data)[1] == [((20.0, 20.0, 24.0, 16.0), "dog")]


def test_crowds_are_left_out_and_counted(tmp_path: Path) -> None:
    root = as_coco(tmp_path)
    content = coco(range(18))
    content["annotations"][0]["iscrowd"] = 1
    write_json(root / "annotations" / "instances.json", content)
    data = load_data(root, DataConfig(), seed=0)
    assert "Not used: 1 crowd region." in data.notes
    assert len(found(data)[0]) == 1


def test_boxes_belong_to_the_image_as_it_is_seen(tmp_path: Path) -> None:
    """EXIF says that the image lies on its side: it is turned, and so is its size."""
    root = as_coco(tmp_path)
    image = Image.open(root / "images" / "001.png").convert("RGB").resize((40, 48))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(root / "images" / "001.png", exif=exif)
    data = load_data(root, DataConfig(), seed=0)
    assert found(data)[1] == [((0.0, 0.0, 48.0, 40.0), "dog")]
