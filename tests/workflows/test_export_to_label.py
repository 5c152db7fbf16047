"""There and back: images to label in Label Studio and CVAT, and what these tools export."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hf_vft.errors import LogError, OutputError
from hf_vft.records import ProductionLog
from hf_vft.workflows.add_labels import add_labels
from hf_vft.workflows.export_to_label import export_to_label
from tests.records.rows import row

BOX = {"x": 4.0, "y": 3.0, "width": 20.0, "height": 15.0, "score": 0.9, "label": "a"}


def made(tmp_path: Path, n: int = 3, **changes: object) -> tuple[ProductionLog, Path]:
    log = ProductionLog(tmp_path / "log")
    with log.writer() as writer:
        writer.append(
            [row(i, **{"file": f"p/{i}.png", "predicted": "abc"[i], **changes}) for i in range(n)]
        )
    these = tmp_path / "label-these.csv"
    these.write_text("request_id,label\n" + "".join(f"r{i},\n" for i in range(n)))
    return log, these


def labels(log: ProductionLog) -> dict[str, str]:
    frame = log.read_labels()
    return dict(zip(frame["request_id"], frame["label"], strict=True))


def test_label_studio_there_and_back(tmp_path: Path) -> None:
    log, these = made(tmp_path)
    tasks, config = export_to_label(log.folder, these, tmp_path / "tasks.json", kind="label-studio")
    found = json.loads(tasks.read_text())
    assert found[0]["data"] == {"image": "/data/local-files/?d=p/0.png", "request_id": "r0"}
    said = found[0]["predictions"][0]["result"][0]
    assert said["value"]["choices"] == [log.read()["predicted"][0]]
    control = ElementTree.fromstring(config.read_text()).find("Choices")
    assert control is not None
    assert (control.get("name"), control.get("toName")) == (said["from_name"], said["to_name"])
    for task, name in zip(found, ("a", "b", None), strict=True):  # the third is not annotated
        result = [{**said, "value": {"choices": [name]}}] if name else []
        task["annotations"] = [{"result": result, "was_cancelled": False}]
    (tmp_path / "export.json").write_text(json.dumps(found))
    assert add_labels(log.folder, tmp_path / "export.json", source="ls").written == 2
    assert labels(log) == {"r0": "a", "r1": "b"}


def test_cvat_there_and_back(tmp_path: Path) -> None:
    log, these = made(tmp_path)
    (file,) = export_to_label(log.folder, these, tmp_path / "cvat.xml", kind="cvat")
    root = ElementTree.parse(file).getroot()
    assert [image.get("name") for image in root.iter("image")] == [f"p/{i}.png" for i in range(3)]
    for tag in root.iter("tag"):
        tag.set("label", "c")
    (tmp_path / "export.xml").write_text(ElementTree.tostring(root, encoding="unicode"))
    assert add_labels(log.folder, tmp_path / "export.xml", source="cvat").written == 3
    assert set(labels(log).values()) == {"c"}


@pytest.mark.parametrize("kind", ["label-studio", "cvat"])
def test_boxes_come_back_in_pixels(kind: str, tmp_path: Path) -> None:
    log, these = made(tmp_path, 1, task="object-detection", predicted="a", boxes=[BOX])
    out = tmp_path / ("tasks.json" if kind == "label-studio" else "cvat.xml")
    export_to_label(log.folder, these, out, kind=kind)
    if kind == "label-studio":
        tasks = json.loads(out.read_text())
        tasks[0]["annotations"] = tasks[0].pop("predictions")
        out.write_text(json.dumps(tasks))
    assert add_labels(log.folder, out, source="tool").written == 1
    box = log.read_labels()["boxes"][0][0]
    assert {side: box[side] for side in ("x", "y", "width", "height")} == pytest.approx(
        {side: BOX[side] for side in ("x", "y", "width", "height")}
    )


def test_names_that_are_not_unique_are_for_label_studio(tmp_path: Path) -> None:
    log, these = made(tmp_path, file="photo.png")
    with pytest.raises(LogError, match="use --format label-studio"):
        export_to_label(log.folder, these, tmp_path / "cvat.xml", kind="cvat")
    (tmp_path / "x.xml").write_text(
        '<annotations><image name="photo.png"><tag label="a"/></image></annotations>'
    )
    with pytest.raises(LogError, match="the name of 3 images"):
        add_labels(log.folder, tmp_path / "x.xml", source="cvat")
    (tmp_path / "tasks.json").write_text("[]")
    with pytest.raises(OutputError, match="already exists"):
        export_to_label(log.folder, these, tmp_path / "tasks.json", kind="label-studio")


@pytest.mark.parametrize("kind", ["label-studio", "cvat"])
def test_an_image_that_the_log_keeps_is_found_where_it_lies(kind: str, tmp_path: Path) -> None:
    log, these = made(tmp_path, 2, file="photo.png")  # two uploads of one name
    with log.writer() as writer:
        kept = [writer.keep_image(f"r{i}", b"image", "png") for i in range(2)]
    out = tmp_path / ("tasks.json" if kind == "label-studio" else "cvat.xml")
    export_to_label(log.folder, these, out, kind=kind)
    if kind == "label-studio":
        tasks = json.loads(out.read_text())
        names = [task["data"]["image"].removeprefix("/data/local-files/?d=") for task in tasks]
        assert [log.folder / name for name in names] == kept
        return
    root = ElementTree.parse(out).getroot()
    assert [image.get("name") for image in root.iter("image")] == [path.name for path in kept]
    assert add_labels(log.folder, out, source="cvat").written == 2
    assert labels(log) == {"r0": "a", "r1": "b"}
