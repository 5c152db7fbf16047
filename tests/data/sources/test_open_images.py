"""Tables of Open Images: identifiers become names, and what is said not to be there is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_vft.data.sources.read_source import read_source
from hf_vft.recipe.schema import DataConfig
from tests.data.sources.test_tools import TRUTH, boxes_of, image, save
from tests.data.sources.tool_writers import corners

IDS = {"cat": "/m/01yrx", "dog": "/m/0bt9lr"}
DESCRIPTIONS = "/m/0bt9lr,Dog\n/m/01yrx,Cat\n/m/0zzz,Zebra\n"
NAMED = {"cat": "Cat", "dog": "Dog"}


def box_table(root: Path, *more: str) -> Path:
    rows = ["ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf"]
    for name, boxes in TRUTH.items():
        image(root / "train" / name)
        for box, label in boxes:
            x1, y1, x2, y2 = corners(box)
            place = f"{x1 / 40},{x2 / 40},{y1 / 30},{y2 / 30}"
            rows.append(f"{name[0]},xclick,{IDS[label]},1,{place},0,0")
    return _saved(root / "train-annotations-bbox.csv", [*rows, *more])


def label_table(root: Path, rows: list[str]) -> Path:
    for row in rows:
        image(root / "train" / f"{row[0]}.jpg")
    header = "ImageID,Source,LabelName,Confidence"
    return _saved(root / "train-annotations-human-imagelabels.csv", [header, *rows])


def _saved(file: Path, rows: list[str]) -> Path:
    save(file, "\n".join(rows) + "\n")
    return file


@pytest.mark.parametrize("header", ["", "LabelName,DisplayName\n"])
def test_identifiers_of_boxes_become_names(header: str, tmp_path: Path) -> None:
    file = box_table(
        tmp_path,
        f"zzz,xclick,{IDS['cat']},1,0,1,0,1,0,0",
        f"b,xclick,{IDS['cat']},1,0.1,0.9,0.1,0.9,0,1",
    )
    save(tmp_path / "class-descriptions-boxable.csv", header + DESCRIPTIONS)
    wanted = {
        name: sorted((box, NAMED[label]) for box, label in boxes)
        for name, boxes in TRUTH.items()
        if boxes
    }
    for source in (tmp_path, file):
        table = read_source(source, DataConfig(), None)
        assert boxes_of(table) == wanted
        assert table.reading.classes == ("Cat", "Dog")
        assert any("1 row of images that are not there" in note for note in table.notes)
        assert any("1 row around a group of objects" in note for note in table.notes)


def test_without_descriptions_identifiers_stay_and_it_is_said(tmp_path: Path) -> None:
    box_table(tmp_path)
    table = read_source(tmp_path, DataConfig(), None)
    assert table.reading.classes == ("/m/0bt9lr", "/m/01yrx")
    assert any("class-descriptions-boxable.csv" in note for note in table.notes)


def test_an_identifier_that_no_description_names_stays(tmp_path: Path) -> None:
    box_table(tmp_path)
    save(tmp_path / "class-descriptions-boxable.csv", "/m/0bt9lr,Dog\n")
    table = read_source(tmp_path, DataConfig(), None)
    assert table.reading.classes == ("/m/01yrx", "Dog")
    assert any("No description names 1 class" in note for note in table.notes)


def test_labels_that_are_verified_not_to_be_there_are_none(tmp_path: Path) -> None:
    names = "abcdef"
    label_table(
        tmp_path,
        [f"{n},verification,{IDS['cat' if n in 'abc' else 'dog']},1" for n in names]
        + [f"{n},verification,{IDS['dog' if n in 'abc' else 'cat']},0" for n in names],
    )
    save(tmp_path / "oidv7-class-descriptions.csv", "LabelName,DisplayName\n" + DESCRIPTIONS)
    table = read_source(tmp_path, DataConfig(), None)
    labels = dict(zip((file[-5] for file in table.files), table.labels, strict=True))
    assert labels == {n: "Cat" if n in "abc" else "Dog" for n in names}
    assert any("6 rows whose class is not" in note for note in table.notes)


def test_several_labels_of_an_image_stay_together(tmp_path: Path) -> None:
    pairs = [(n, label) for n in "abcd" for label in IDS if n in "ab" or label == "dog"]
    label_table(tmp_path, [f"{n},verification,{IDS[label]},1" for n, label in pairs])
    save(tmp_path / "class-descriptions.csv", DESCRIPTIONS)
    table = read_source(tmp_path, DataConfig(), None)
    assert table.kind.name == "classes"
    assert sorted(map(len, table.labels)) == [1, 1, 2, 2]


def test_names_that_two_identifiers_share_stay_apart(tmp_path: Path) -> None:
    box_table(tmp_path)
    save(tmp_path / "class-descriptions-boxable.csv", "/m/0bt9lr,Mouse\n/m/01yrx,Mouse\n")
    table = read_source(tmp_path, DataConfig(), None)
    assert table.reading.classes == ("Mouse (/m/0bt9lr)", "Mouse (/m/01yrx)")
