"""When images are read as good parts only, and when it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hf_vft.data.load import ImageData, load_data, load_labelled
from hf_vft.data.sources.good_parts import is_good
from hf_vft.errors import AmbiguousSourceError, DataError
from hf_vft.recipe.schema import DataConfig
from tests.good_parts import write_parts


def folders(root: Path, **counts: int) -> Path:
    """``a__b=3``: three images in ``a/b``; every image another one."""
    shade = 0
    for name, count in counts.items():
        place = root / name.replace("__", "/")
        place.mkdir(parents=True)
        for number in range(count):
            shade += 1
            Image.new("RGB", (12, 12), (shade % 256, shade // 256, 40)).save(
                place / f"{number}.png"
            )
    return root


def load(root: Path, kind: str | None = None, **config: object) -> ImageData:
    return load_data(root, DataConfig(**config), seed=0, kind=kind)  # type: ignore[arg-type]


def counts(data: ImageData, split: str) -> list[int]:
    return data.members(split).sum(axis=0).tolist()


def test_the_layout_of_mvtec_with_its_masks(tmp_path: Path):
    data = load(write_parts(tmp_path / "parts", good=20, held=5, bad=4))

    assert data.kind.name == "anomaly"
    assert data.labels == ["good", "anomaly"]
    assert counts(data, "train") == [16, 0]
    assert counts(data, "validation") == [4, 0]
    assert counts(data, "test") == [5, 4]
    assert sum(mask is not None for mask in data.splits["test"]["mask"]) == 4
    assert set(data.splits["test"]["defect"]) == {"good", "spot"}
    assert data.reading is not None
    assert data.reading.statement.startswith(
        "Read as good parts only: 'good' is learned, 'spot' are anomalies (class folders)"
    )
    assert "4 masks" in data.reading.statement
    assert not any("ground_truth" in note for note in data.notes)


def test_a_folder_of_good_parts_alone_is_divided(tmp_path: Path):
    data = load(folders(tmp_path, OK=15))
    assert data.labels == ["OK", "anomaly"]
    assert [counts(data, split)[0] for split in data.splits] == [9, 3, 3]
    assert "mask" not in data.splits["test"].column_names


def test_one_class_of_another_name_is_asked_about(tmp_path: Path):
    root = folders(tmp_path, cat=12)
    with pytest.raises(AmbiguousSourceError, match=r"Only one class, 'cat'.*task=anomaly-det"):
        load(root)
    assert load(root, "anomaly").labels == ["cat", "anomaly"]
    with pytest.raises(DataError, match=r"Only one class, 'cat'.*--set task=anomaly-detection"):
        load(root, "class")


def test_several_classes_are_good_and_anomalies_where_that_is_asked(tmp_path: Path):
    root = folders(tmp_path, ok=15, dent=4, hole=3)
    assert load(root).labels == ["dent", "hole", "ok"]

    data = load(root, "anomaly")

    assert data.labels == ["ok", "anomaly"]
    assert counts(data, "train")[1] == counts(data, "validation")[1] == 0
    assert counts(data, "test") == [3, 7]


def test_which_class_is_good_is_asked(tmp_path: Path):
    root = folders(tmp_path, blue=12, red=4)
    with pytest.raises(AmbiguousSourceError, match=r"data\.good_class=blue"):
        load(root, "anomaly")
    assert load(root, "anomaly", good_class="blue").labels == ["blue", "anomaly"]


def test_anomalies_in_train_are_held_out_and_told(tmp_path: Path):
    root = folders(tmp_path, train__ok=12, train__bad=3, test__ok=4, test__bad=2)
    data = load(root, "anomaly")
    assert counts(data, "train")[1] == 0
    assert counts(data, "test") == [4, 5]
    assert any("3 images of anomalies in train" in note for note in data.notes)


def test_too_few_good_images_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="give 10 or more"):
        load(folders(tmp_path, good=6))


def test_other_images_are_read_by_the_class_that_was_learned(tmp_path: Path):
    root = folders(tmp_path, fine=3, hole=2)
    config = DataConfig(good_class="good")
    found = load_labelled(root, config, labels=["good", "anomaly"], kind="anomaly")
    # What is called like good parts is not taken for an anomaly, though it has another name.
    assert sorted(found.images["label"]) == [0, 0, 0, 1, 1]
    only_bad = load_labelled(
        folders(tmp_path / "bad", hole=2), config, labels=["good", "anomaly"], kind="anomaly"
    )
    assert only_bad.images["label"] == [1, 1]


@pytest.mark.parametrize("name", ["good", "OK", "defect_free", "non-defective", "Normal", "正常"])
def test_usual_names_of_good_parts(name: str):
    assert is_good(name)
    assert not is_good(f"{name} scratch")
