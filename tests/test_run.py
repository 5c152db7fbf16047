import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hf_vft import run as run_module
from hf_vft.errors import RunError
from hf_vft.recipe.schema import load_recipe
from hf_vft.run import (
    RunDirectory,
    remove_leftovers_of,
    write_file,
    write_folder,
    write_json,
    write_text,
)


class CrashError(Exception):
    pass


def crash(*_args, **_kwargs):
    raise CrashError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_is_written_with_its_folders_and_nothing_is_left_behind(tmp_path: Path):
    path = tmp_path / "a" / "b.txt"
    write_text(path, "größe\n")
    write_text(path, "neu\n")
    assert path.read_text(encoding="utf-8") == "neu\n"
    assert names(path.parent) == ["b.txt"]


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch):
    path = tmp_path / "a.json"
    write_text(path, "old")
    monkeypatch.setattr(run_module.os, "fsync", crash)
    with pytest.raises(CrashError):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_what_json_cannot_say_is_refused_before_the_file_is_touched(tmp_path: Path):
    path = tmp_path / "a.json"
    write_json(path, {"score": 0.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"score": float("nan")})
    assert json.loads(path.read_text()) == {"score": 0.5}
    assert names(tmp_path) == ["a.json"]


def test_a_folder_takes_the_place_of_the_old_one_as_a_whole(tmp_path: Path):
    model = tmp_path / "run" / "model"
    write_folder(model, lambda folder: (folder / "old").write_text("1"))
    write_folder(model, lambda folder: (folder / "new").write_text("2"))
    assert names(model) == ["new"]
    assert names(model.parent) == ["model"]


def test_a_crash_while_filling_leaves_the_old_folder(tmp_path: Path):
    model = tmp_path / "model"
    write_folder(model, lambda folder: (folder / "old").write_text("1"))

    def half(folder: Path) -> None:
        (folder / "new").write_text("2")
        raise CrashError

    with pytest.raises(CrashError):
        write_folder(model, half)
    assert names(model) == ["old"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_weights_are_read_by_whom_the_rest_is_read_by(tmp_path: Path, umask: int):
    weights = {"a": np.zeros(2, np.float32)}
    before = os.umask(umask)
    try:
        write_folder(tmp_path / "folder", lambda folder: save_file(weights, folder / "a"))
        write_file(tmp_path / "a", lambda file: save_file(weights, file))
    finally:
        os.umask(before)
    for file in (tmp_path / "folder" / "a", tmp_path / "a"):
        assert file.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_finished_run_opens_and_knows_its_recipe(tmp_path: Path):
    write_text(tmp_path / "model" / "config.json", "{}")
    recipe = load_recipe("staged", ["seed=7"])
    run = RunDirectory.open(tmp_path)
    write_text(run.recipe_file, recipe.to_yaml())
    assert run.recipe() == recipe


@pytest.mark.parametrize(
    ("made", "message"),
    [(None, "no such run folder"), ("logs", "is it a run folder"), ("state", "--resume")],
)
def test_what_is_no_finished_run_is_refused_with_what_to_do(tmp_path: Path, made, message):
    path = tmp_path / "run"
    if made:
        (path / made).mkdir(parents=True)
    with pytest.raises(RunError, match=message):
        RunDirectory.open(path)


@pytest.mark.parametrize("content", [None, b"{", b"\xff", b"[" * 100_000])
def test_a_broken_file_of_a_run_is_one_line(tmp_path: Path, content):
    run = RunDirectory(tmp_path)
    if content is not None:
        run.metrics_file.write_bytes(content)
    with pytest.raises(RunError, match=r"metrics\.json: cannot be read") as caught:
        run.read_json(run.metrics_file)
    assert "\n" not in str(caught.value)


def test_leftovers_of_one_thing_are_ours_alone(tmp_path: Path):
    mark = "0" * 32
    ours = [tmp_path / f".export.{mark}.tmp", tmp_path / f".export.{mark}.old"]
    others = [
        tmp_path / ".export.mine.tmp",
        tmp_path / "export",
        tmp_path / f".model.{mark}.tmp",
        tmp_path / f".export2.{mark}.tmp",
        tmp_path / f"export.{mark}.tmp",
    ]
    for folder in (*ours, *others):
        (folder / "in").mkdir(parents=True)
    remove_leftovers_of(tmp_path / "export")
    assert sorted(tmp_path.iterdir()) == sorted(others)


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_what_fails_leaves_nothing_beside_what_was_there(tmp_path: Path, write):
    target = tmp_path / "it"

    def full(place: Path) -> None:
        (place / "part" if place.is_dir() else place).write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write(target, full)
    assert not list(tmp_path.iterdir())
