"""One data set of known boxes, written as each annotation tool writes it, comes back equal."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hf_vft.data.load import load_data
from hf_vft.data.sources.read_source import read_source
from hf_vft.data.sources.table import Table
from hf_vft.errors import AmbiguousSourceError, DataError
from hf_vft.recipe.schema import DataConfig
from tests.data.sources.tool_writers import (
    SIZE,
    TRUTH,
    WRITERS,
    Boxes,
    cvat,
    image,
    label_studio,
    save,
    supervisely,
    via,
)


def boxes_of(table: Table) -> dict[str, Boxes]:
    found = {}
    for file, label in zip(table.files, table.labels, strict=True):
        scale = SIZE if label.relative else (1, 1)
        found[file.rpartition("/")[2]] = sorted(
            (
                tuple(round(side * scale[k % 2], 4) for k, side in enumerate(_positive(box))),
                name,
            )
            for box, name in zip(label.boxes, label.categories, strict=True)
        )
    return found


def _positive(box: Any) -> Any:
    x, y, w, h = box
    return (min(x, x + w), min(y, y + h), abs(w), abs(h))


@pytest.mark.parametrize("tool", WRITERS)
def test_what_was_drawn_comes_back(tool: str, tmp_path: Path) -> None:
    WRITERS[tool](tmp_path)
    for config in (DataConfig(), DataConfig(format=tool)):
        table = read_source(tmp_path, config, None)
        assert table.kind.name == "boxes"
        assert boxes_of(table) == {name: sorted(boxes) for name, boxes in TRUTH.items()}
        assert set(table.reading.classes) == {"cat", "dog"}


def test_first_versions_of_via_are_read(tmp_path: Path) -> None:
    via(tmp_path, version=1)
    assert boxes_of(read_source(tmp_path, DataConfig(), None))["b.jpg"] == TRUTH["b.jpg"]


def test_of_several_attributes_in_via_one_has_to_be_named(tmp_path: Path) -> None:
    via(tmp_path, key="species")
    file = tmp_path / "via.json"
    content = json.loads(file.read_text())
    for entry in content["_via_img_metadata"].values():
        for region in entry["regions"]:
            region["region_attributes"]["pose"] = "left"
    save(file, content)
    with pytest.raises(AmbiguousSourceError, match=r"'pose', 'species'.*data\.label_column"):
        read_source(tmp_path, DataConfig(), None)
    table = read_source(tmp_path, DataConfig(label_column="species"), None)
    assert set(table.reading.classes) == {"cat", "dog"}


def test_turned_boxes_of_cvat_become_the_box_around_them_and_are_counted(tmp_path: Path) -> None:
    cvat(
        tmp_path,
        inside=lambda name: (
            '<box label="cat" xtl="10" ytl="12" xbr="30" ybr="18" rotation="90.0"/>'
            '<polygon label="dog" points="1.0,2.0;5.0,2.0;3.0,9.0"/>'
            '<points label="x" points="1,1"/>'
        ),
    )
    table = read_source(tmp_path, DataConfig(), None)
    assert boxes_of(table)["a.jpg"] == [((1, 2, 4, 7), "dog"), ((17, 5, 6, 20), "cat")]
    assert "3 polygon, 3 turned box" in table.notes[0]
    assert "3 points" in table.notes[1]


def test_turned_boxes_of_label_studio_turn_about_their_corner(tmp_path: Path) -> None:
    label_studio(tmp_path)
    file = tmp_path / "project-1.json"
    tasks = json.loads(file.read_text())
    value = tasks[1]["annotations"][1]["result"][0]["value"]
    value |= {"x": 50, "y": 0, "width": 50, "height": 100 / 3, "rotation": 90}  # 20 x 10 pixels
    save(file, tasks)
    found = boxes_of(read_source(tmp_path, DataConfig(), None))["b.jpg"]
    assert found == [((10, 0, 10, 20), "dog")]


def test_tags_are_classes_where_nothing_is_drawn(tmp_path: Path) -> None:
    cvat(
        tmp_path / "cvat",
        inside=lambda name: f'<tag label="{"cat" if name == "a.jpg" else "dog"}"/>',
    )
    table = read_source(tmp_path / "cvat", DataConfig(), None)
    assert (table.kind.name, table.labels) == ("class", ["cat", "dog", "dog"])
    flags = {"a": {"cat": True, "dog": True}, "b": {"dog": True, "cat": False, "__ignore__": True}}
    for name, given in flags.items():
        image(tmp_path / "me" / f"{name}.jpg")
        about = {"shapes": [], "imagePath": f"{name}.jpg", "flags": given}
        save(tmp_path / "me" / f"{name}.json", about)
    table = read_source(tmp_path / "me", DataConfig(), None)
    assert (table.kind.name, table.labels) == ("classes", [("cat", "dog"), ("dog",)])


def test_masks_of_supervisely_are_boxed_by_their_packed_size(tmp_path: Path) -> None:
    supervisely(tmp_path)
    buffer = io.BytesIO()
    Image.new("1", (7, 5)).save(buffer, "PNG")
    data = base64.b64encode(zlib.compress(buffer.getvalue())).decode()
    mask = {"classTitle": "cat", "geometryType": "bitmap"}
    mask["bitmap"] = {"data": data, "origin": [3, 4]}
    file = tmp_path / "ds0" / "ann" / "c.jpg.json"
    save(file, json.loads(file.read_text()) | {"objects": [mask]})
    table = read_source(tmp_path, DataConfig(), None)
    assert boxes_of(table)["c.jpg"] == [((3, 4, 7, 5), "cat")]


@pytest.mark.parametrize(
    ("tool", "break_it"),
    [
        ("cvat", lambda text: text.replace('xtl="4.0"', 'xtl="four"')),
        ("labelme", lambda text: text.replace("[[24.0", '[["x"')),
        ("createml", lambda text: text.replace('"width": 20.0, ', "")),
        ("via", lambda text: text.replace('"width": 20.0, ', "")),
        ("supervisely", lambda text: text.replace('"exterior"', '"outer"')),
        ("label-studio", lambda text: text.replace('"width": 50.0, ', "")),
        ("datumaro", lambda text: text.replace('"label_id": 1', '"label_id": 7')),
        ("kitti", lambda text: text.replace(" 1 1 1 0 0 9 0", " 1 1")),
        ("dota", lambda text: text.replace("24.0 6.0", "24.0")),
    ],
)
def test_what_is_damaged_is_refused_in_a_line(
    tool: str, break_it: Callable[[str], str], tmp_path: Path
) -> None:
    WRITERS[tool](tmp_path)
    for file in [*tmp_path.rglob("*.json"), *tmp_path.rglob("*.xml"), *tmp_path.rglob("*.txt")]:
        save(file, break_it(file.read_text()))
    with pytest.raises(DataError) as caught:
        read_source(tmp_path, DataConfig(format=tool), None)
    assert "\n" not in str(caught.value)


def test_a_video_of_cvat_is_refused_with_the_way_on(tmp_path: Path) -> None:
    save(tmp_path / "annotations.xml", "<annotations><track id='0' label='cat'/></annotations>")
    image(tmp_path / "frame.jpg")
    with pytest.raises(DataError, match="export it as CVAT for images"):
        read_source(tmp_path, DataConfig(format="cvat"), None)


def test_boxes_of_labelme_are_those_of_the_upright_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(6):
        folder = tmp_path / f"{number}.jpg"
        image(folder, exif=exif)  # stored as 40 x 30, shown as 30 x 40
        points = [[5, 20], [15, 38]]
        shape = {"label": "ab"[number % 2], "points": points, "shape_type": "rectangle"}
        about = {"imagePath": folder.name, "imageWidth": 30, "imageHeight": 40}
        save(tmp_path / f"{number}.json", {"shapes": [shape], "flags": {}, **about})
    data = load_data(tmp_path, DataConfig(), seed=0)
    boxes = [one["bbox"] for split in data.splits.values() for one in split["label"]]
    assert boxes == [[[5.0, 20.0, 10.0, 18.0]]] * 6


def test_faces_come_back_and_an_image_without_one_is_kept(tmp_path: Path) -> None:
    wider_face(tmp_path)
    for config in (DataConfig(), DataConfig(format="wider-face")):
        table = read_source(tmp_path, config, None)
        assert boxes_of(table) == {
            name: sorted((box, "face") for box, _ in boxes) for name, boxes in TRUTH.items()
        }
        assert table.splits == ["train"] * len(TRUTH)


@pytest.mark.parametrize("cut", ["4.0 6.0 20.0 10.0 0 0 0 0 0 0 \n", "2\n"])
def test_a_broken_list_of_faces_is_refused_in_a_line(cut: str, tmp_path: Path) -> None:
    wider_face(tmp_path)
    file = tmp_path / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    file.write_text(file.read_text().replace(cut, "", 1))
    with pytest.raises(DataError, match=r"wider_face_train_bbx_gt\.txt, line \d+"):
        read_source(tmp_path, DataConfig(format="wider-face"), None)


def wider_face(root: Path) -> None:
    lines = []
    for name, boxes in reversed(TRUTH.items()):
        faces = [" ".join(map(str, box)) + " 0 0 0 0 0 0 " for box, _ in boxes]
        lines += [f"9--Press/{name}", str(len(faces)), *(faces or ["0 0 0 0 0 0 0 0 0 0 "])]
        image(root / "WIDER_train" / "images" / "9--Press" / name)
    text = "\n".join(lines) + "\n"
    save(root / "wider_face_split" / "wider_face_train_bbx_gt.txt", text)
