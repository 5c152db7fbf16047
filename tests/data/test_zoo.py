from __future__ import annotations

from pathlib import Path

import pytest

from hf_vft.data.load import load_data
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from tests.data.zoo_files import CONVERTED, REJECTED, OddFile
from tests.data.zoo_sources import CASES, Case, folders

ERRORS = [case for case in CASES if case.error]
LOADED = [case for case in CASES if not case.error]


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case.kind)
def test_what_cannot_be_used_is_refused_in_one_line(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    source = case.make(folder)
    with pytest.raises(DataError) as caught:
        load_data(source, case.config, seed=0, cache_dir=tmp_path / "cache")
    message = str(caught.value)
    assert str(case.error) in message
    assert "\n" not in message


@pytest.mark.parametrize("case", LOADED, ids=lambda case: case.kind)
def test_what_is_odd_is_loaded_and_said(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    data = load_data(case.make(folder), case.config, seed=0, cache_dir=tmp_path / "cache")
    assert all(len(data.splits[split]) for split in ("train", "validation", "test"))
    assert not case.note or any(case.note in note for note in data.notes), data.notes
    assert all("\n" not in note for note in data.notes)
    assert {item.file for item in data.rejected} == set(case.rejected)
    for item in data.rejected:
        assert case.rejected[item.file] in item.reason


@pytest.mark.parametrize("odd_file", REJECTED, ids=lambda odd_file: odd_file.kind)
def test_a_broken_image_is_left_out_and_named(odd_file: OddFile, tmp_path: Path) -> None:
    folders(tmp_path, a=4, b=4)
    odd_file.make(tmp_path / "a" / odd_file.name)
    data = load_data(tmp_path, DataConfig(), seed=0)
    assert [item.file for item in data.rejected] == [f"a/{odd_file.name}"]
    assert str(odd_file.reason) in data.rejected[0].reason
    assert sum(map(len, data.splits.values())) == 8
    with pytest.raises(DataError, match=f"a/{odd_file.name}: "):
        load_data(tmp_path, DataConfig(strict=True), seed=0)


def test_every_odd_image_together_is_converted(tmp_path: Path) -> None:
    folders(tmp_path, a=4, b=4)
    for number, odd_file in enumerate(CONVERTED):
        path = tmp_path / "a" / f"{number} {odd_file.name}"
        odd_file.make(path)
    data = load_data(tmp_path, DataConfig(strict=True), seed=0)
    assert sum(map(len, data.splits.values())) == 8 + len(CONVERTED)
