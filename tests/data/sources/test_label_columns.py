"""Labels of a table, whichever way they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from hf_vft.data.load import ImageData, load_data, load_labelled
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from tests.data.zoo_sources import image, in_memory

TAGS = [["a"], ["a", "b"], [], ["b"], ["c", "a"], ["c"]] * 4
MARKS = [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0], [1, 0, 1], [0, 0, 1]] * 4


def marks(data: ImageData) -> dict[str, list[int]]:
    return {row["file"]: row["label"] for split in data.splits.values() for row in split}


def loaded(config: dict[str, Any] | None = None, **columns: Any) -> ImageData:
    source = in_memory(**columns)
    return load_data(source, DataConfig(**(config or {})), seed=0)


def in_order(data: ImageData) -> list[list[int]]:
    found = marks(data)
    return [found[file] for file in sorted(found)]


@pytest.mark.parametrize(
    ("columns", "config"),
    [
        ({"tags": TAGS}, {}),
        ({"label": ["|".join(t) or "|" for t in TAGS]}, {}),
        ({"label": [" ; ".join(t) or ";" for t in TAGS]}, {}),
        ({"label": [",".join(t) or "," for t in TAGS]}, {"label_separator": ","}),
        ({n: [int(n in t) for t in TAGS] for n in "abc"}, {}),
        ({n: [n in t for t in TAGS] for n in "abc"}, {"label_columns": ["a", "b", "c"]}),
        ({n: ["yes" if n in t else "no" for t in TAGS] for n in "abc"}, {}),
    ],
    ids=["list", "bars", "semicolons", "commas", "0 and 1", "named", "yes and no"],
)
def test_every_way_means_the_same(columns: dict[str, Any], config: dict[str, Any]) -> None:
    data = loaded(config, **columns)
    assert data.kind.name == "classes"
    assert data.labels == ["a", "b", "c"]
    assert in_order(data) == MARKS


def test_a_list_of_class_labels_keeps_their_order() -> None:
    names = datasets.List(datasets.ClassLabel(names=["z", "c", "b", "a"]))
    ids = [[{"z": 0, "c": 1, "b": 2, "a": 3}[t] for t in tags] for tags in TAGS]
    source = in_memory(labels=ids).cast_column("labels", names)
    data = load_data(source, DataConfig(), seed=0)
    assert data.labels == ["c", "b", "a"]
    assert any("without images" in note for note in data.notes)


def test_splits_keep_the_share_of_every_label_and_combination() -> None:
    data = loaded(tags=TAGS * 10)
    whole = np.mean(MARKS, axis=0)
    for split in data.splits:
        shares = (data.members(split) > 0).mean(axis=0)
        assert abs(shares - whole).max() < 0.08


def test_one_label_with_a_bar_in_it_can_be_kept() -> None:
    data = loaded({"label_separator": "none"}, label=["a|x", "b"] * 12)
    assert data.kind.name == "class"
    assert data.labels == ["a|x", "b"]


def test_two_separators_are_refused() -> None:
    with pytest.raises(DataError, match=r"data\.label_separator"):
        loaded(label=["a|b", "b;c"] * 12)


def test_a_column_that_is_no_flag_is_refused() -> None:
    with pytest.raises(DataError, match="'b' holds more than 0 and 1"):
        loaded({"label_columns": ["a", "b"]}, a=[0, 1] * 12, b=[0, 2] * 12)


def test_a_missing_list_is_no_label_but_an_empty_one_is() -> None:
    data = loaded(tags=[*TAGS[:-1], None])
    assert [item.reason for item in data.rejected] == ["no label"]


def test_labels_that_the_model_does_not_know_are_named() -> None:
    source = in_memory(tags=TAGS)
    data = load_labelled(source, DataConfig(), labels=["a", "b"], kind="classes")
    assert any("'c'" in note for note in data.notes)


def test_one_label_does_not_fit_a_task_of_several(tmp_path: Path) -> None:
    source = in_memory(label=["a", "b"] * 12)
    data = load_data(source, DataConfig(), seed=0, kind="classes")
    assert in_order(data) == [[1, 0], [0, 1]] * 12
    for name in ("a", "b"):
        for i in range(6):
            file = tmp_path / name / f"{i}.png"
            file.parent.mkdir(exist_ok=True)
            image(10 * i + ord(name)).save(file)
    with pytest.raises(DataError, match="every image has one label, which does not fit"):
        load_data(tmp_path, DataConfig(), seed=0, kind="boxes")
