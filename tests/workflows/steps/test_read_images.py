"""What a source was read as is said before anything of it is refused, and once."""

from __future__ import annotations

import html
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from hf_vft.cli.main import app
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.progress import Silent
from hf_vft.workflows.steps.read_images import read_images, read_labelled


class Said(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(text)


def folder(root: Path, images: dict[str, int]) -> Path:
    for place, number in images.items():
        (root / place).mkdir(parents=True)
        for n in range(number):
            Image.new("RGB", (20, 20), (n * 9, len(place) * 9, 90)).save(root / place / f"{n}.png")
    (root / "notes").mkdir()
    return root


@pytest.mark.parametrize(
    ("images", "error"),
    [
        ({"train/cat": 4, "train/dog": 4, "test/cat": 2, "test/emu": 3}, "'emu' is in"),
        ({"cat": 4, "dog": 1}, "Only one image of 'dog'"),
    ],
)
def test_before_an_error(images: dict[str, int], error: str, tmp_path: Path) -> None:
    display = Said()
    config = DataConfig(path=str(folder(tmp_path, images)))
    with pytest.raises(DataError, match=error):
        read_images(config, seed=0, kind=None, display=display)
    assert display.lines[0].startswith("Read as class folders: ")
    assert any("Folder notes is empty" in line for line in display.lines)


def test_classes_that_a_model_does_not_know(tmp_path: Path) -> None:
    display = Said()
    source = folder(tmp_path, {"cat": 2, "cow": 2})
    read_labelled(
        source, DataConfig(), labels=["cat", "dog"], kind="class", split=None, display=display
    )
    assert any("'cow'" in line for line in display.lines)
    assert display.lines[0].startswith("Read as class folders: 2 classes (cat, cow)")


@pytest.mark.parametrize("command", ["fit", "audit", "evaluate", "monitor"])
def test_every_command_begins_with_it(
    command: str, fitted: Path, images: Path, tmp_path: Path
) -> None:
    few = tmp_path / "few"
    for number, file in enumerate(sorted(images.rglob("*.jpg"))[:5]):
        target = few / ("ok" if number % 4 else "scratch") / file.name  # one scratch: no run of it
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    words = {
        "fit": ["fit", few, "--out", tmp_path / "run"],
        "audit": ["audit", images, "--quick", "--out", tmp_path / "audit"],
        "evaluate": ["evaluate", fitted, few],
        "monitor": ["monitor", fitted, few, "--out", tmp_path / "monitor"],
    }
    done = CliRunner().invoke(app, [str(word) for word in words[command]])
    assert done.stderr.startswith("Read as "), done.stderr


def test_a_run_keeps_it(fitted: Path) -> None:
    choices = json.loads((fitted / "choices.json").read_text())
    said = next(choice["reason"] for choice in choices if choice["name"] == "data.path")
    assert said.startswith("Read as the table metadata.jsonl: ")
    assert said in html.unescape((fitted / "report.html").read_text(encoding="utf-8"))


def test_nothing_is_said_twice(tmp_path: Path) -> None:
    display = Said()
    config = DataConfig(path=str(folder(tmp_path, {"cat": 6, "dog": 6})))
    read_images(config, seed=0, kind=None, display=display)
    assert len(display.lines) == len(set(display.lines))
    assert any("Cut from all images" in line for line in display.lines)
