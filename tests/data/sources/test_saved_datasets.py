"""Parquet and saved datasets of strangers: what is seen in them is read, and nothing else."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import datasets
import pytest

from hf_vft.data.sources.saved_datasets import load_parquet, load_saved
from hf_vft.errors import DataError


def rows(*values: int) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"value": list(values)})


@pytest.fixture
def no_addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the network, which answers nothing."""
    asked: list[str] = []

    def refuse(self: Any, address: Any) -> None:
        asked.append(str(address))
        raise OSError("no network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    return asked


@pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:1/x.parquet", "{}/private.parquet"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_readme_does_not_choose_what_is_read(
    elsewhere: str, packed: bool, tmp_path: Path, no_addresses: list[str]
) -> None:
    rows(666).to_parquet(tmp_path / "private.parquet")
    folder = tmp_path / "given"
    rows(1, 2).to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    path = elsewhere.format(tmp_path)
    chosen = f"configs: [{{config_name: default, data_files: [{{split: train, path: '{path}'}}]}}]"
    (folder / "README.md").write_text(f"---\n{chosen}\n---\n")
    if packed:
        with zipfile.ZipFile(tmp_path / "given.zip", "w") as archive:
            for file in folder.rglob("*"):
                archive.write(file, file.relative_to(folder))
        folder = tmp_path / "unpacked"
        zipfile.ZipFile(tmp_path / "given.zip").extractall(folder)
    stored = load_parquet(folder, tmp_path / "cache")
    assert {name: list(part["value"]) for name, part in stored.items()} == {"train": [1, 2]}
    assert not no_addresses


def test_splits_come_from_the_names_of_files_and_folders(tmp_path: Path) -> None:
    names = {
        "data/train-00000-of-00002.parquet": "train",
        "data/train-00001-of-00002.parquet": "train",
        "fold_1-00000-of-00001-abc.parquet": "fold_1",
        "val/part.parquet": "validation",
        "my [test] set.parquet": "test",
        "rest*.parquet": "train",
    }
    for i, name in enumerate(names):
        rows(i).to_parquet(tmp_path / name)
    stored = load_parquet(tmp_path, tmp_path / ".cache")
    found = {name: sorted(part["value"]) for name, part in stored.items()}
    assert found == {"train": [0, 1, 5], "fold_1": [2], "validation": [3], "test": [4]}


def test_a_name_that_is_an_address_to_datasets_is_refused(tmp_path: Path) -> None:
    rows(1).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").rename(tmp_path / "simplecache::memory:.parquet")
    with pytest.raises(DataError, match="rename it"):
        load_parquet(tmp_path, None)


@pytest.mark.parametrize("name", ["../private/data.arrow", "/x.arrow", "http://127.0.0.1:1/x", 7])
def test_a_saved_dataset_that_leads_out_is_refused(
    name: object, tmp_path: Path, no_addresses: list[str]
) -> None:
    folder = tmp_path / "saved"
    datasets.DatasetDict({"train": rows(1)}).save_to_disk(folder)
    assert list(load_saved(folder)["train"]["value"]) == [1]
    state = json.loads((folder / "train" / "state.json").read_text())
    state["_data_files"] = [{"filename": name}]
    (folder / "train" / "state.json").write_text(json.dumps(state))
    with pytest.raises(DataError):
        load_saved(folder)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["../private"]}))
    with pytest.raises(DataError):
        load_saved(folder)
    assert not no_addresses
