"""What annotation tools write of images with boxes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

Boxes = list[tuple[tuple[float, float, float, float], str]]
Truth = Mapping[str, Boxes]
SIZE = (40, 30)
TRUTH: dict[str, Boxes] = {
    "a.jpg": [((4.0, 6.0, 20.0, 10.0), "cat"), ((30.0, 2.0, 8.0, 8.0), "dog")],
    "b.jpg": [((0.0, 0.0, 40.0, 30.0), "dog")],
    "c.jpg": [],
}


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


def cvat(root: Path, truth: Truth = TRUTH, inside: Callable[[str], str] | None = None) -> None:
    def boxes(name: str) -> str:
        return "".join(
            '<box label="{}" xtl="{}" ytl="{}" xbr="{}" ybr="{}"/>'.format(label, *corners(box))
            for box, label in truth[name]
        )

    made = "".join(
        f'<image id="{n}" name="{name}" width="40" height="30">{(inside or boxes)(name)}</image>'
        for n, name in enumerate(truth)
    )
    save(root / "annotations.xml", f"<annotations><version>1.1</version>{made}</annotations>")
    for name in truth:
        image(root / "images" / name)


def labelme(root: Path, truth: Truth = TRUTH) -> None:
    for name, boxes in truth.items():
        shapes = []
        for box, label in boxes:
            x1, y1, x2, y2 = corners(box)
            shape = {"label": label, "points": [[x2, y1], [x1, y2]], "shape_type": "rectangle"}
            shapes.append(shape | {"flags": {}, "group_id": None})
        about = {"imagePath": f"..\\images\\{name}", "imageWidth": 40, "imageHeight": 30}
        save(root / "json" / f"{Path(name).stem}.json", {"shapes": shapes, "flags": {}, **about})
        image(root / "images" / name)


def createml(root: Path, truth: Truth = TRUTH) -> None:
    content = []
    for name, boxes in truth.items():
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


def via(root: Path, truth: Truth = TRUTH, *, version: int = 2, key: str = "kind") -> None:
    content = {}
    for name, boxes in truth.items():
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


def supervisely(root: Path, truth: Truth = TRUTH) -> None:
    for name, boxes in truth.items():
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
    save(root / "meta.json", {"classes": [], "tags": []})


def label_studio(root: Path, truth: Truth = TRUTH) -> None:
    tasks = []
    for number, (name, boxes) in enumerate(truth.items()):
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


def datumaro(root: Path, truth: Truth = TRUTH) -> None:
    names = sorted({label for boxes in truth.values() for _, label in boxes}, reverse=True)
    items = [
        {
            "id": Path(name).stem,
            "image": {"path": name, "size": [30, 40]},
            "annotations": [
                {"type": "bbox", "label_id": names.index(label), "bbox": list(box)}
                for box, label in boxes
            ],
        }
        for name, boxes in truth.items()
    ]
    labels = {"label": {"labels": [{"name": name} for name in names]}}
    save(root / "annotations" / "default.json", {"categories": labels, "items": items})
    for name in truth:
        image(root / "images" / "default" / name)


def kitti(root: Path, truth: Truth = TRUTH) -> None:
    for name, boxes in truth.items():
        lines = [
            f"{label} 0.00 0 0.0 {' '.join(map(str, corners(box)))} 1 1 1 0 0 9 0"
            for box, label in boxes
        ]
        if name == "b.jpg":
            lines.append("DontCare -1 -1 -10 1 1 9 9 -1 -1 -1 -1000 -1000 -1000 -10")
        save(root / "label_2" / f"{Path(name).stem}.txt", "\n".join(lines) + "\n" * bool(lines))
        image(root / "image_2" / name)


def dota(root: Path, truth: Truth = TRUTH) -> None:
    for name, boxes in truth.items():
        lines = ["imagesource:GoogleEarth", "gsd:null"]
        for box, label in boxes:
            x1, y1, x2, y2 = corners(box)
            lines.append(f"{x1} {y1} {x2} {y1} {x2} {y2} {x1} {y2} {label} 0")
        save(root / "labelTxt" / f"{Path(name).stem}.txt", "\n".join(lines) + "\n")
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
