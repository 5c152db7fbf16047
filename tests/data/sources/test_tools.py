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
from hf_vft.data.sources.read import read_source
from hf_vft.data.sources.table import Table
from hf_vft.errors import AmbiguousSourceError, DataError
from hf_vft.recipe.schema import DataConfig

SIZE = (40, 30)
TRUTH = {
    "a.jpg": [((4.0, 6.0, 20.0, 10.0), "cat"), ((30.0, 2.0, 8.0, 8.0), "dog")],
    "b.jpg": [((0.0, 0.0, 40.0, 30.0), "dog")],
    "c.jpg": [],
}
Boxes = list[tuple[tuple[float, float, float, float], str]]


def corners(box: Any) -> tuple[float, float, float, float]:
    x, y, w, h = box
    return x, y, x + w, y + h


def save(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")


def image(path: Path, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = sum(path.name.encode()) * 37 % 255
    Image.new("RGB", SIZE, (colour, 255 - colour, 90)).save(path, **options)


def cvat(root: Path, inside: Callable[[str], str] | None = None) -> None:
    def boxes(name: str) -> str:
        return "".join(
            '<box label="{}" xtl="{}" ytl="{}" xbr="{}" ybr="{}"/>'.format(label, *corners(box))
            for box, label in TRUTH[name]
        )

    made = "".join(
        f'<image id="{n}" name="{name}" width="40" height="30">{(inside or boxes)(name)}</image>'
        for n, name in enumerate(TRUTH)
    )
    save(root / "annotations.xml", f"<annotations><version>1.1</version>{made}</annotations>")
    for name in TRUTH:
        image(root / "images" / name)


def labelme(root: Path) -> None:
    for name, boxes in TRUTH.items():
        shapes = []
        for box, label in boxes:
            x1, y1, x2, y2 = corners(box)
            shape = {"label": label, "points": [[x2, y1], [x1, y2]], "shape_type": "rectangle"}
            shapes.append(shape | {"flags": {}, "group_id": None})
        about = {"imagePath": f"..\\images\\{name}", "imageWidth": 40, "imageHeight": 30}
        save(root / "json" / f"{name[0]}.json", {"shapes": shapes, "flags": {}, **about})
        image(root / "images" / name)


def createml(root: Path) -> None:
    content = []
    for name, boxes in TRUTH.items():
        marks = [
            {
                "label": label,
                "coordinates": {"x": x + w / 2, "y": y + h / 2, "width": w, "height": h},
            }
            for (x, y, w, h), label in boxes
        ]
        content.append({"image": name, "annotations": marks})
        image(root / name)
    save(root / "_annotations.createml.json", content)


def via(root: Path, *, version: int = 2, key: str = "kind") -> None:
    content = {}
    for name, boxes in TRUTH.items():
        regions = [
            {
                "shape_attributes": {"name": "rect", "x": x, "y": y, "width": w, "height": h},
                "region_attributes": {key: label},
            }
            for (x, y, w, h), label in boxes
        ]
        listed = regions if version == 2 else {str(n): one for n, one in enumerate(regions)}
        content[f"{name}123"] = {"filename": name, "size": 123, "regions": listed}
        content[f"{name}123"]["file_attributes"] = {}
        image(root / name)
    save(root / "via.json", {"_via_img_metadata": content} if version == 2 else content)


def supervisely(root: Path) -> None:
    for name, boxes in TRUTH.items():
        objects = [
            {
                "classTitle": label,
                "geometryType": "rectangle",
                "points": {"exterior": [[x, y], [x + w, y + h]], "interior": []},
            }
            for (x, y, w, h), label in boxes
        ]
        size = {"width": 40, "height": 30}
        save(root / "ds0" / "ann" / f"{name}.json", {"size": size, "objects": objects, "tags": []})
        image(root / "ds0" / "img" / name)
    save(root / "meta.json", {"classes": [{"title": "cat"}, {"title": "dog"}], "tags": []})


def label_studio(root: Path) -> None:
    tasks = []
    for number, (name, boxes) in enumerate(TRUTH.items()):
        results = [
            {
                "type": "rectanglelabels",
                "original_width": 40,
                "original_height": 30,
                "value": {
                    "x": 100 * x / 40,
                    "y": 100 * y / 30,
                    "width": 100 * w / 40,
                    "height": 100 * h / 30,
                    "rotation": 0,
                    "rectanglelabels": [label],
                },
            }
            for (x, y, w, h), label in boxes
        ]
        data = {"image": f"/data/upload/1/1a2b3c4d-{name}"}
        done = [{"result": [], "was_cancelled": True}, {"result": results}]
        tasks.append({"id": number, "data": data, "annotations": done})
        image(root / name)
    save(root / "project-1.json", tasks)


def datumaro(root: Path) -> None:
    names = ["dog", "cat"]
    items = [
        {
            "id": name[0],
            "image": {"path": name, "size": [30, 40]},
            "annotations": [
                {"type": "bbox", "label_id": names.index(label), "bbox": list(box)}
                for box, label in boxes
            ],
        }
        for name, boxes in TRUTH.items()
    ]
    labels = {"label": {"labels": [{"name": name} for name in names]}}
    save(root / "annotations" / "default.json", {"categories": labels, "items": items})
    for name in TRUTH:
        image(root / "images" / "default" / name)


def kitti(root: Path) -> None:
    for name, boxes in TRUTH.items():
        lines = [
            f"{label} 0.00 0 0.0 {' '.join(map(str, corners(box)))} 1 1 1 0 0 9 0"
            for box, label in boxes
        ]
        if name == "b.jpg":
            lines.append("DontCare -1 -1 -10 1 1 9 9 -1 -1 -1 -1000 -1000 -1000 -10")
        save(root / "label_2" / f"{name[0]}.txt", "\n".join(lines) + "\n" * bool(lines))
        image(root / "image_2" / name)


def dota(root: Path) -> None:
    for name, boxes in TRUTH.items():
        lines = ["imagesource:GoogleEarth", "gsd:null"]
        for box, label in boxes:
            x1, y1, x2, y2 = corners(box)
            lines.append(f"{x1} {y1} {x2} {y1} {x2} {y2} {x1} {y2} {label} 0")
        save(root / "labelTxt" / f"{name[0]}.txt", "\n".join(lines) + "\n")
        image(root / "images" / name)


WRITERS = {
    "cvat": cvat,
    "labelme": labelme,
    "createml": createml,
    "via": via,
    "supervisely": supervisely,
    "label-studio": label_studio,
    "datumaro": datumaro,
    "kitti": kitti,
    "dota": dota,
}


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
        lambda name: (
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
    cvat(tmp_path / "cvat", lambda name: f'<tag label="{"cat" if name == "a.jpg" else "dog"}"/>')
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
