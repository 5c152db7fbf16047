"""Names for labels that are numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_vft.data.sources.read_source import read_source
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from tests.data.sources.shapes import IMAGE, numbered, write


def table(root: Path, label: str = "{}") -> Path:
    rows = numbered("image,label", 6, lambda n: f"{n}.png,{label.format(n % 2)}")
    return write(root, {"{0..5}.png": IMAGE, "labels.csv": rows}) / "labels.csv"


def test_numbers_of_classes_are_named(tmp_path: Path) -> None:
    found = read_source(table(tmp_path), DataConfig(classes=["well", "ill"]), None)
    assert found.labels == ["well", "ill"] * 3
    assert found.reading.classes == ("well", "ill")


def test_labels_that_are_these_names_stay(tmp_path: Path) -> None:
    found = read_source(table(tmp_path, "c{}"), DataConfig(classes=["c1", "c0"]), None)
    assert found.labels == ["c0", "c1"] * 3
    assert found.class_names == ["c1", "c0"]


@pytest.mark.parametrize(
    ("classes", "label", "says"),
    [
        (["one"], "{}", "labels hold '1'"),
        (["one", "two"], "c{}", "labels hold 'c0', 'c1'"),
        (["one", "one"], "{}", "a name is there twice"),
    ],
)
def test_other_labels_are_refused(
    classes: list[str], label: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=says):
        read_source(table(tmp_path, label), DataConfig(classes=classes), None)
