"""Images of a production log in the import formats of labelling tools, and their exports back.

Label Studio keeps ``request_id`` among the data of a task. CVAT knows an image by its name alone,
so names have to be unique there; an image that the log keeps is called after its request.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from hf_vft.answers import answer_kind
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.tools.cvat import cvat_images
from hf_vft.data.sources.tools.drawn import Drawn
from hf_vft.data.sources.tools.label_studio import is_label_studio, label_studio_tasks
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.errors import LogError
from hf_vft.records import join_names

FORMATS = ("label-studio", "cvat")
LOCAL = "/data/local-files/?d="
"""Where Label Studio serves files of its own disk."""

_SIDES = ("x", "y", "width", "height")


def label_studio_json(rows: pd.DataFrame, *, prefix: str = LOCAL) -> str:
    """Tasks with the model's answers as predictions, for "Import" of Label Studio.

    Args:
        rows: Of the log: request_id, file, width, height, task, predicted, confidence, boxes.
        prefix: Before the name of each image.
    """
    tasks = [
        {
            "data": {"image": f"{prefix}{row['file']}", "request_id": row["request_id"]},
            "predictions": [
                {
                    "model_version": str(row["model_hash"]),
                    "score": float(row["confidence"]),
                    "result": _results(row),
                }
            ],
        }
        for row in _rows(rows)
    ]
    return json.dumps(tasks, indent=2, ensure_ascii=False) + "\n"


def label_studio_config(classes: Sequence[str], task: str) -> str:
    """The labelling interface that these tasks need, to paste into a project's settings."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name="image", value="$image")
    answers = answer_kind(task)
    kind, item = ("RectangleLabels", "Label") if answers.boxes else ("Choices", "Choice")
    more = {} if answers.exclusive or answers.boxes else {"choice": "multiple"}
    group = ElementTree.SubElement(view, kind, {"name": "label", "toName": "image", **more})
    for name in classes:
        ElementTree.SubElement(group, item, value=name)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def cvat_xml(rows: pd.DataFrame) -> str:
    """The model's answers as "CVAT for images 1.1", to upload as annotations of a task.

    Raises:
        LogError: If two rows have the same name of an image, or one has none.
    """
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    _unique(rows["file"])
    for number, row in enumerate(_rows(rows)):
        known = {"name": str(row["file"]), "width": str(row["width"]), "height": str(row["height"])}
        image = ElementTree.SubElement(root, "image", {"id": str(number), **known})
        for name in [] if answer_kind(row["task"]).boxes else _labels(row):
            ElementTree.SubElement(image, "tag", label=name, source="auto")
        for box in _boxes(row):
            left, top = float(box["x"]), float(box["y"])
            right, bottom = left + float(box["width"]), top + float(box["height"])
            corners = {"xtl": left, "ytl": top, "xbr": right, "ybr": bottom}
            drawn = {
                "label": str(box["label"]),
                "source": "auto",
                "occluded": "0",
                "z_order": "0",
                **{side: f"{value:.2f}" for side, value in corners.items()},
            }
            ElementTree.SubElement(image, "box", drawn)
    ElementTree.indent(root)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        + ElementTree.tostring(root, encoding="unicode")
        + "\n"
    )


def is_tool_export(path: Path) -> bool:
    """Whether a file is an export of Label Studio (JSON) or CVAT (XML)."""
    if path.suffix.lower() == ".xml":
        return True
    if path.suffix.lower() != ".json":
        return False
    try:
        return is_label_studio(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return False


def labels_of_export(path: Path, answers: pd.DataFrame) -> list[dict[str, Any]]:
    """Labels of an export as rows of the log; images without an annotation are left out.

    Args:
        path: An export of `is_tool_export`.
        answers: Of the log: request_id, file, width, height, task.

    Raises:
        LogError: If an image is none of the log's, or its name is that of several.
        DataError: If the export cannot be read.
    """
    boxes = any(answer_kind(task).boxes for task in answers["task"].unique())
    with TemporaryDirectory() as folder:
        copy = Path(shutil.copy(path, folder))
        listing, shapes = Listing.of(Path(folder)), Shapes()
        if path.suffix.lower() == ".xml":
            images = list(cvat_images(listing, copy.name, shapes))
            requests: list[str | None] = [None] * len(images)
        else:
            images = list(label_studio_tasks(listing, shapes))
            tasks = json.loads(path.read_text(encoding="utf-8"))
            requests = [(task.get("data") or {}).get("request_id") for task in tasks]
    sizes = {
        request_id: (float(wide), float(high))
        for request_id, wide, high in zip(
            answers["request_id"], answers["width"], answers["height"], strict=True
        )
    }
    by_name: dict[str, list[str]] = {}
    for name, request_id in zip(answers["file"], answers["request_id"], strict=True):
        by_name.setdefault(name, []).append(request_id)
    rows = []
    for image, request in zip(images, requests, strict=True):
        if not (image.objects if boxes else image.tags):
            continue
        request = request or _request_of(image, by_name, sizes, path)
        size = sizes.get(request, (1.0, 1.0))  # an unknown request is refused by the caller
        rows.append({"request_id": request, **_label(image, boxes=boxes, size=size)})
    return rows


def _request_of(
    image: Drawn, by_name: Mapping[str, list[str]], known: Collection[str], path: Path
) -> str:
    for name in (image.image, *image.others):
        kept = Path(name).stem
        requests = [kept] if kept in known else by_name.get(name, [])
        if len(requests) > 1:
            raise LogError(
                f"{path}: {name!r} is the name of {len(requests)} images of the log; label these "
                "in label-these.csv, or with Label Studio, which keeps request_id."
            )
        if requests:
            return requests[0]
    raise LogError(f"{path}: there is no image {image.image!r} in the log; nothing was written.")


def _label(image: Drawn, *, boxes: bool, size: tuple[float, float]) -> dict[str, Any]:
    if not boxes:
        names = image.tags
        return {"label": names[0] if len(names) == 1 else join_names(names)}
    wide, high = size if image.relative else (1.0, 1.0)
    scale = (wide, high, wide, high)
    drawn_boxes = [
        {side: float(v) * float(s) for side, v, s in zip(_SIDES, box, scale, strict=True)}
        | {"score": None, "label": name}
        for box, name in image.objects
    ]
    return {"label": join_names(name for _, name in image.objects), "boxes": drawn_boxes}


def _results(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the model says, as Label Studio has it: in per cent of the image's sides."""
    common = {"from_name": "label", "to_name": "image"}
    if not answer_kind(row["task"]).boxes:
        labels = _labels(row)
        return [{**common, "type": "choices", "value": {"choices": labels}}] if labels else []
    wide, high = float(row["width"]), float(row["height"])
    shares = {"x": wide, "y": high, "width": wide, "height": high}
    return [
        {
            **common,
            "type": "rectanglelabels",
            "original_width": int(wide),
            "original_height": int(high),
            "value": {
                **{
                    side: 100 * float(box[side]) / side_length
                    for side, side_length in shares.items()
                },
                "rotation": 0,
                "rectanglelabels": [str(box["label"])],
            },
        }
        for box in _boxes(row)
    ]


def _labels(row: Mapping[str, Any]) -> list[str]:
    return answer_kind(row["task"]).names(str(row["predicted"] or ""))


def _boxes(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    logged = row.get("boxes")
    return list(logged) if logged is not None and not isinstance(logged, float) else []


def _rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def _unique(names: Iterable[Any]) -> None:
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name or name in seen:
            raise LogError(
                f"CVAT knows images by their names alone, and {name!r} is not the name of one; "
                "use --format label-studio."
            )
        seen.add(name)
