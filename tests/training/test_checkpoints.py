"""Which checkpoint a run goes on from, at whatever moment it was killed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from hf_vft.training.checkpoints import MARKER, discard_incomplete, drop_old, last_complete
from tests.models.tiny import tiny_convnext
from tests.training.made_trainer import make


def checkpoints(folder: Path, *steps: int) -> list[Path]:
    made = [folder / f"checkpoint-{step}" for step in steps]
    for path in made:
        path.mkdir()
        (path / "model.safetensors").touch()
        (path / MARKER).touch()
    return made


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_oldest_go_but_never_the_newest_or_the_best(tmp_path: Path):
    best, *_ = checkpoints(tmp_path, 5, 10, 15, 100)
    drop_old(tmp_path, 2, str(best))
    assert names(tmp_path) == {"checkpoint-5", "checkpoint-100"}
    drop_old(tmp_path, 1, str(best))
    assert names(tmp_path) == {"checkpoint-5", "checkpoint-100"}
    drop_old(tmp_path, 1, None)
    assert names(tmp_path) == {"checkpoint-100"}
    drop_old(tmp_path, None, None)
    assert names(tmp_path) == {"checkpoint-100"}


def test_killed_while_removing_nothing_gutted_is_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    checkpoints(tmp_path, 1, 2, 3)

    def killed(path: Any, **_: Any) -> None:
        (Path(path) / "model.safetensors").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        drop_old(tmp_path, 1, None)
    monkeypatch.undo()
    assert last_complete(tmp_path) == tmp_path / "checkpoint-3"
    discard_incomplete(tmp_path)
    assert names(tmp_path) == {"checkpoint-2", "checkpoint-3"}


def test_the_new_checkpoint_is_whole_before_an_old_one_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole: list[Path | None] = []
    real = shutil.rmtree

    def watched(path: Any, *args: Any, **kwargs: Any) -> None:
        if Path(path).name.startswith("checkpoint-"):
            whole.append(last_complete(tmp_path))
        real(path, *args, **kwargs)

    monkeypatch.setattr(shutil, "rmtree", watched)
    options: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1, "save_total_limit": 1}
    make(tiny_convnext(), tmp_path, **options).train()
    assert whole == [tmp_path / "checkpoint-2", tmp_path / "checkpoint-3"]
    assert names(tmp_path) == {"checkpoint-3"}
