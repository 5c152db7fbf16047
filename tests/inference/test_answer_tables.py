"""Rows of answers of each task, in each format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from hf_vft.inference.answer_tables import Columns, printable, write_table
from hf_vft.inference.predictor import FileAnswer
from hf_vft.tasks import DetectedObject, Prediction

SEVERAL = Columns(("=a", "b|c"), exclusive=False, boxes=False)
BOXES = Columns(("crack", "pit"), exclusive=False, boxes=True)
BOX = DetectedObject("crack", 0.9, (1.0, 2.0, 3.0, 4.0), True)
HIDDEN = DetectedObject("pit", 0.1, (0.0, 0.0, 1.0, 1.0), False)


def written(tmp_path: Path, suffix: str, columns: Columns, *answers: FileAnswer) -> Path:
    file = tmp_path / f"t{suffix}"
    write_table(file, file, [columns.row(answer) for answer in answers], columns)
    return file


def test_several_labels_are_a_list_or_joined(tmp_path: Path) -> None:
    both = FileAnswer("1.png", Prediction(("=a", "b|c"), np.array([0.9, 0.8])))
    none = FileAnswer("2.png", Prediction((), np.array([0.1, 0.2])))
    table = pd.read_parquet(written(tmp_path, ".parquet", SEVERAL, both, none))
    assert [list(cell) for cell in table["labels"]] == [["=a", "b|c"], []]
    assert "sure" not in table
    sheet = pd.read_csv(written(tmp_path, ".csv", SEVERAL, both, none), keep_default_na=False)
    assert list(sheet["labels"]) == [r"'=a|b\|c", ""]  # no spreadsheet runs it
    assert list(sheet["score_b|c"]) == [0.8, 0.2]


def test_boxes_that_are_answered_are_kept(tmp_path: Path) -> None:
    found = FileAnswer("1.png", Prediction(("crack",), np.array([0.9, 0.1]), (BOX, HIDDEN)))
    broken = FileAnswer("2.png", error="not an image")
    line, error = (
        json.loads(text)
        for text in written(tmp_path, ".jsonl", BOXES, found, broken).read_text().splitlines()
    )
    assert line["boxes"] == [BOX.as_dict()]
    assert error == dict.fromkeys(line) | {"file": "2.png", "error": "not an image"}
    table = pd.read_parquet(written(tmp_path, ".parquet", BOXES, found, broken))
    assert table["boxes"][0][0]["box"] == BOX.as_dict()["box"]
    sheet = pd.read_csv(written(tmp_path, ".csv", BOXES, found, broken))
    assert json.loads(sheet["boxes"][0]) == [BOX.as_dict()]


def test_a_name_that_is_no_text_is_told_apart() -> None:
    assert printable("caf\udce9.png") == r"caf\xe9.png"
