from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from hf_vft.data.load import ImageData, load_data
from hf_vft.data.sources import read_source
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from tests.data.zoo_sources import folders, image, in_memory, named, split_folders, table

LABELS = ["a", "b"] * 6
REAL = Path(__file__).parents[3] / "shared" / "data" / "magnetic_tile"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders(tmp_path_factory.mktemp("data") / "photos", c2=20, c10=10)


def assigned(data: ImageData) -> dict[str, tuple[str, str]]:
    """File to split and label."""
    return {
        row["file"]: (name, data.labels[row["label"]])
        for name, split in data.splits.items()
        for row in split
    }


def columns_of(data: ImageData, name: str) -> set[Any]:
    return {value for split in data.splits.values() for value in split[name]}


def test_class_folders_become_three_stratified_splits(photos: Path) -> None:
    data = load_data(photos, DataConfig(), seed=0)
    assert data.labels == ["c2", "c10"]
    assert {name: Counter(split["label"]) for name, split in data.splits.items()} == {
        "train": {0: 12, 1: 6},
        "validation": {0: 4, 1: 2},
        "test": {0: 4, 1: 2},
    }
    assert list(data.splits) == ["train", "validation", "test"]
    assert data.source == str(photos)
    for split in data.splits.values():
        assert split.column_names == ["image", "label", "file"]
        assert split.features["image"] == datasets.Image(decode=False)
        assert split.features["label"].names == data.labels


def test_the_same_seed_divides_alike_wherever_the_folder_lies(photos: Path, tmp_path: Path) -> None:
    data = load_data(photos, DataConfig(), seed=0)
    copy = load_data(shutil.copytree(photos, tmp_path / "elsewhere"), DataConfig(), seed=0)
    other = load_data(photos, DataConfig(), seed=1)
    assert assigned(copy) == assigned(data)
    assert copy.fingerprint == data.fingerprint
    assert assigned(other) != assigned(data)
    assert other.fingerprint != data.fingerprint


def test_the_order_of_the_file_system_does_not_matter(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = assigned(load_data(photos, DataConfig(), seed=0))
    real_walk, real_iterdir = os.walk, Path.iterdir

    def walk(*args: Any, **kwargs: Any) -> Any:
        for here, inner, files in real_walk(*args, **kwargs):
            yield here, inner, files[::-1]

    monkeypatch.setattr(os, "walk", walk)
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(list(real_iterdir(self))[::-1]))
    assert assigned(load_data(photos, DataConfig(), seed=0)) == expected


def test_the_fingerprint_follows_the_content(tmp_path: Path) -> None:
    folders(tmp_path, a=5, b=5)
    before = load_data(tmp_path, DataConfig(), seed=0).fingerprint
    image(99).save(tmp_path / "a" / "000.png")
    assert load_data(tmp_path, DataConfig(), seed=0).fingerprint != before


def test_split_folders_are_kept(tmp_path: Path) -> None:
    counts = {"a": 12, "b": 12}
    split_folders(tmp_path, Training=counts, Val=counts, TESTING=counts)
    data = load_data(tmp_path, DataConfig(), seed=0)
    assert data.notes == []
    expected = {"train": "Training", "validation": "Val", "test": "TESTING"}
    for name, folder in expected.items():
        assert len(data.splits[name]) == 24
        assert all(file.startswith(f"{folder}/") for file in data.splits[name]["file"])


def test_classes_may_be_called_like_splits(tmp_path: Path) -> None:
    folders(tmp_path, train=9, bus=9, test=9)
    data = load_data(tmp_path, DataConfig(), seed=0)
    assert data.labels == ["bus", "test", "train"]
    assert sum(map(len, data.splits.values())) == 27


def test_the_existing_test_split_is_kept_when_validation_is_made(tmp_path: Path) -> None:
    split_folders(tmp_path, train={"a": 20, "b": 20}, test={"a": 3, "b": 3})
    data = load_data(tmp_path, DataConfig(validation_size=0.25), seed=0)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 30,
        "validation": 10,
        "test": 6,
    }
    assert all(file.startswith("test/") for file in data.splits["test"]["file"])


def test_existing_splits_can_be_set_aside(tmp_path: Path) -> None:
    split_folders(tmp_path, train={"a": 8, "b": 8}, test={"a": 2, "b": 2})
    data = load_data(tmp_path, DataConfig(split_column="none"), seed=0)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 12,
        "validation": 4,
        "test": 4,
    }


def test_no_group_is_on_two_sides(tmp_path: Path) -> None:
    rows = [{**row, "roll": f"r{n // 3}"} for n, row in enumerate(named(tmp_path, count=30))]
    table(tmp_path, rows)
    data = load_data(tmp_path, DataConfig(group_column="roll"), seed=0)
    sides = [set(split["group"]) for split in data.splits.values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 20
    assert columns_of(data, "roll") == columns_of(data, "group")
    assert "groups of 'roll' kept together" in data.notes[0]


def test_identical_files_are_on_one_side(tmp_path: Path) -> None:
    folders(tmp_path, a=10, b=10)
    for number in range(8):
        image(5).save(tmp_path / "a" / f"copy{number}.png")
    data = load_data(tmp_path, DataConfig(), seed=0)
    sides = {split for file, (split, _) in assigned(data).items() if "copy" in file}
    assert len(sides) == 1


def metadata_folder(root: Path) -> Any:
    rows = [{**row, "split": "train", "exposure": "e1"} for row in named(root)]
    return table(root, rows).parent


def metadata_jsonl(root: Path) -> Any:
    return table(root, named(root, exposure="e1"), "metadata.jsonl").parent


def csv_elsewhere(root: Path) -> Any:
    rows = named(root, exposure="e1")
    for row in rows:
        row["file_name"] = f"../{row['file_name']}"
    return table(root / "tables", rows, "list.csv")


def csv_of_absolute_names(root: Path) -> Any:
    rows = named(root / "images", exposure="e1")
    for row in rows:
        row["file_name"] = root / "images" / row["file_name"]
    return table(root, rows, "list.csv")


def csv_from_a_spreadsheet(root: Path) -> Any:
    """Semicolons, a byte order mark, Windows' line ends and slashes."""
    rows = named(root, exposure="e1")
    lines = ["file_name; label; exposure"]
    lines += [f"{row['file_name']};{row['label']};e1".replace("/", "\\") for row in rows]
    (root / "list.csv").write_bytes(("\ufeff" + "\r\n".join(lines)).encode())
    return root / "list.csv"


def metadata_in_split_folders(root: Path) -> Any:
    for split in ("train", "test"):
        rows = named(root / split, count=5, exposure="e1")
        table(root / split, rows)
    return root


def metadata_without_labels(root: Path) -> Any:
    folders(root, a=6, b=6)
    rows = [{"file_name": f"{c}/{n:03d}.png", "exposure": "e1"} for c in "ab" for n in range(6)]
    return table(root, rows).parent


def parquet_that_names_files(root: Path) -> Any:
    rows = named(root, exposure="e1")
    datasets.Dataset.from_list(rows).to_parquet(root / "list.parquet")
    return root / "list.parquet"


def held_parquet(root: Path) -> Any:
    in_memory(label=LABELS, exposure=["e1"] * 12).to_parquet(root / "a.parquet")
    return root / "a.parquet"


def hub_layout(root: Path) -> Any:
    whole = in_memory(label=LABELS, exposure=["e1"] * 12)
    for split in ("train", "test"):
        (root / "data").mkdir(exist_ok=True)
        part = whole.select(range(6) if split == "train" else range(6, 12))
        part.to_parquet(root / "data" / f"{split}-00000-of-00001.parquet")
    return root


def saved_to_disk(root: Path) -> Any:
    in_memory(label=LABELS, exposure=["e1"] * 12).save_to_disk(root / "saved")
    return root / "saved"


def dictionary_on_disk(root: Path) -> Any:
    whole = in_memory(label=LABELS, exposure=["e1"] * 12)
    parts = {"train": whole.select(range(6)), "test": whole.select(range(6, 12))}
    datasets.DatasetDict(parts).save_to_disk(root / "saved")
    return root / "saved"


def zip_of_class_folders(root: Path) -> Any:
    shutil.make_archive(str(root / "a"), "zip", folders(root / "x" / "photos", a=6, b=6).parent)
    return root / "a.zip"


def zip_of_metadata(root: Path) -> Any:
    metadata_jsonl(root / "x")
    shutil.make_archive(str(root / "a"), "zip", root / "x")
    return root / "a.zip"


SOURCES = [
    metadata_folder,
    metadata_jsonl,
    csv_elsewhere,
    csv_of_absolute_names,
    csv_from_a_spreadsheet,
    metadata_in_split_folders,
    metadata_without_labels,
    parquet_that_names_files,
    held_parquet,
    hub_layout,
    saved_to_disk,
    dictionary_on_disk,
    zip_of_class_folders,
    zip_of_metadata,
    lambda root: in_memory(label=LABELS, exposure=["e1"] * 12),
    lambda root: datasets.DatasetDict(train=in_memory(label=LABELS, exposure=["e1"] * 12)),
]


@pytest.mark.parametrize("make", SOURCES, ids=lambda make: make.__name__)
def test_every_kind_of_source_is_read(make: Callable[[Path], Any], tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    data = load_data(make(root), DataConfig(strict=True), seed=0, cache_dir=tmp_path / "cache")
    assert data.labels == ["a", "b"]
    assert data.rejected == []
    assert sum(map(len, data.splits.values())) in (12, 20)
    for split in data.splits.values():
        assert set(split["label"]) == {0, 1}
    if make is not zip_of_class_folders:
        assert columns_of(data, "exposure") == {"e1"}
    files = columns_of(data, "file")
    assert not any(file.startswith(("/", "..")) for file in files)
    decoded = data.splits["train"].cast_column("image", datasets.Image())[0]["image"]
    assert decoded.size == (12, 10)


def test_the_metadata_wins_over_the_folders(tmp_path: Path) -> None:
    split_folders(tmp_path, train={"wrong": 12}, val={"wrong": 6}, test={"wrong": 6})
    rows = [
        {"file_name": path.relative_to(tmp_path).as_posix(), "label": "ab"[n % 2], "split": split}
        for split, folder in (("test", "train"), ("val", "val"), ("train", "test"))
        for n, path in enumerate(sorted((tmp_path / folder).rglob("*.png")))
    ]
    table(tmp_path, rows)
    data = load_data(tmp_path, DataConfig(), seed=0)
    assert data.labels == ["a", "b"]
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 6,
        "validation": 6,
        "test": 12,
    }


def test_an_archive_is_unpacked_once(tmp_path: Path) -> None:
    source = zip_of_class_folders(tmp_path)
    first = load_data(source, DataConfig(), seed=0, cache_dir=tmp_path / "cache")
    [unpacked] = (tmp_path / "cache" / "archives").iterdir()
    before = unpacked.stat().st_ino
    second = load_data(source, DataConfig(), seed=0, cache_dir=tmp_path / "cache")
    assert unpacked.stat().st_ino == before
    assert first.fingerprint == second.fingerprint


def test_nothing_is_written_when_an_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/1.png", b"x")
        archive.writestr("a/../../../evil.png", b"x")
    with pytest.raises(DataError, match="leads out"):
        load_data(tmp_path / "a.zip", DataConfig(), seed=0, cache_dir=tmp_path / "in" / "cache")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "a.zip"]


def test_an_archived_dataset_may_not_name_files_outside(tmp_path: Path) -> None:
    photo = folders(tmp_path, a=1) / "a" / "000.png"
    # As a struct: of an Image column `save_to_disk` would take the files along.
    struct = {"path": datasets.Value("string"), "bytes": datasets.Value("binary")}
    features = datasets.Features(image=struct, label=datasets.Value("string"))
    rows = {"image": [{"path": str(photo), "bytes": None}] * 2, "label": ["a", "b"]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "x")
    shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "x")
    with pytest.raises(DataError, match="names files outside the archive"):
        load_data(tmp_path / "a.zip", DataConfig(), seed=0, cache_dir=tmp_path / "cache")


def test_class_names_and_their_order_come_from_the_dataset() -> None:
    dataset = in_memory(label=[2, 0] * 6)
    names = datasets.ClassLabel(names=["zebra", "unseen", "ant"])
    data = load_data(dataset.cast_column("label", names), DataConfig(), seed=0)
    assert data.labels == ["zebra", "ant"]
    assert "Not used, because without images: classes 'unseen'." in data.notes
    assert set(data.splits["train"].features["label"].int2str(data.splits["train"]["label"])) == {
        "zebra",
        "ant",
    }


def test_numbers_are_labels_too() -> None:
    data = load_data(in_memory(label=[10, 9, 2] * 4), DataConfig(), seed=0)
    assert data.labels == ["2", "9", "10"]


def test_text_in_a_csv_is_not_taken_for_numbers_or_gaps(tmp_path: Path) -> None:
    rows = named(tmp_path)
    for row in rows:
        row["label"] = {"a": "007", "b": "NA"}[row["label"]]
    data = load_data(table(tmp_path, rows).parent, DataConfig(), seed=0)
    assert data.labels == ["007", "NA"]


def test_a_test_set_without_labels_is_not_used(tmp_path: Path) -> None:
    names = datasets.ClassLabel(names=["a", "b"])
    train = in_memory(label=[0, 1] * 6).cast_column("label", names)
    test = in_memory(label=[-1] * 12).cast_column("label", names)
    data = load_data(datasets.DatasetDict(train=train, test=test), DataConfig(), seed=0)
    assert sum(map(len, data.splits.values())) == 12
    assert "Not used, because without labels: test." in data.notes


def test_columns_that_cannot_be_sliced_by_are_named() -> None:
    dataset = in_memory(label=LABELS, boxes=[[1, 2]] * 12, file=["x"] * 12, age=[3] * 12)
    data = load_data(dataset, DataConfig(), seed=0)
    assert data.splits["train"].column_names == ["image", "label", "file", "age"]
    assert "Not used: columns 'boxes', 'file'." in data.notes
    assert "x" not in columns_of(data, "file")


def test_a_missing_slice_column_stops(tmp_path: Path) -> None:
    config = DataConfig(slice_columns=["age"])
    with pytest.raises(DataError, match=r"slice_columns: no column 'age'; there are 'image'"):
        load_data(in_memory(label=LABELS), config, seed=0)


@pytest.mark.parametrize("name", ["label", "boxes"])
def test_a_slice_column_that_plays_another_part_stops_before_training(name: str) -> None:
    dataset = in_memory(label=LABELS, boxes=[[1, 2]] * 12, age=[3] * 12)
    with pytest.raises(DataError, match=rf"'{name}' cannot be sliced by; choose from 'age'"):
        load_data(dataset, DataConfig(slice_columns=[name]), seed=0)


def test_images_are_known_by_their_content(photos: Path) -> None:
    data = load_data(photos, DataConfig(), seed=0)
    for split, rows in data.splits.items():
        content = [(photos / file).read_bytes() for file in rows["file"]]
        assert data.hashes[split] == [hashlib.sha256(item).hexdigest() for item in content]


def test_a_user_may_pass_a_filtered_dataset() -> None:
    dataset = in_memory(label=LABELS, number=list(range(12))).select([11, 0, 1, 2, 3, 4, 5, 10])
    data = load_data(dataset, DataConfig(), seed=0)
    assert columns_of(data, "number") == {0, 1, 2, 3, 4, 5, 10, 11}
    for split in data.splits.values():
        for row in split:
            assert data.labels[row["label"]] == LABELS[row["number"]]


def test_the_hub_is_asked_for_what_looks_like_a_name_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load_dataset(*args: Any, **kwargs: Any) -> datasets.DatasetDict:
        asked.append(args)
        return datasets.DatasetDict(train=in_memory(label=LABELS))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(read_source, "check_hub_dataset", lambda name, cache: None)
    data = load_data("user/name", DataConfig(subset="small"), seed=0)
    assert asked == [("user/name", "small")]
    assert data.source == "user/name"


def test_a_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("Couldn't reach\nthe Hub")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(read_source, "check_hub_dataset", lambda name, cache: None)
    with pytest.raises(DataError, match=r"'user/name' is not a file .* Couldn't reach the Hub"):
        load_data("user/name", DataConfig(), seed=0)


@pytest.mark.shared
@pytest.mark.skipif(not REAL.is_dir(), reason="the magnetic tile photographs are not there")
def test_the_photographs_of_magnet_surfaces(tmp_path: Path) -> None:
    config = DataConfig(group_column="tile_group", slice_columns=["exposure"])
    data = load_data(REAL, config, seed=0, cache_dir=tmp_path)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 358,
        "validation": 137,
        "test": 137,
    }
    assert data.notes == []
    assert data.rejected == []
    anew = load_data(
        REAL, config.model_copy(update={"split_column": "none"}), seed=0, cache_dir=tmp_path
    )
    sides = [set(split["group"]) for split in anew.splits.values()]
    assert sum(map(len, sides)) == len(set.union(*sides))
    assert all(len(set(split["label"])) == 6 for split in anew.splits.values())
