"""`hf-vft audit`, from the command line to the page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import ViTImageProcessor
from typer.testing import CliRunner, Result

from hf_vft.cli.main import app
from tests.models.tiny import SIZE, tiny_vit

COLOURS = {"blue": (60, 70, 200), "red": (200, 60, 50)}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_VFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("hf_vft.models.backbones.is_offline_mode", lambda: True)
    monkeypatch.setattr("hf_vft.models.backbones.cached_folder", lambda name: None)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Blue and red images; one blue one lies among the red, one is in two splits."""
    folder = tmp_path / "images"
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 6), ("test", 6)):
        for label, colour in COLOURS.items():
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                patches = rng.integers(0, 50, (6, 6, 1)) + np.array(colour)
                image = Image.fromarray(patches.astype(np.uint8)).resize((48, 48), 0)
                image.save(folder / split / label / f"{number:02d}.png")
    (folder / "train/blue/03.png").replace(folder / "train/red/stray.png")
    shutil.copy(folder / "train/blue/05.png", folder / "test/blue/copy.png")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model whose random features tell colours apart."""
    folder = tmp_path / "model"
    tiny_vit().save_pretrained(folder)
    neutral = [0.5, 0.5, 0.5]
    size = {"height": SIZE, "width": SIZE}
    ViTImageProcessor(size=size, image_mean=neutral, image_std=neutral).save_pretrained(folder)
    return folder


def test_labels_are_checked_with_a_model(images: Path, model: Path, tmp_path: Path) -> None:
    result = run(images, "--model", model, "--out", tmp_path / "audit")
    assert result.exit_code == 0, result.output
    assert "error    1 image of test is also in train, byte by byte." in result.output
    assert "train/red/stray.png: labelled red, looks like blue" in result.output
    assert (tmp_path / "audit" / "audit.html").is_file()
    stored = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert [one["image"]["file"] for one in stored["suspects"]] == ["train/red/stray.png"]
    assert stored["counts"]["images"] == 73
    assert stored["findings"][0]["severity"] == "error"


def test_without_a_pretrained_model_the_page_says_so(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_vft.models.backbones.embedded", dict)
    result = run(images, "--out", tmp_path / "audit")
    assert result.exit_code == 0, result.output
    sentence = "Labels were not checked: no pre-trained backbone could be had"
    assert sentence in result.output
    assert sentence in (tmp_path / "audit" / "audit.html").read_text()


def test_quick_json(images: Path, tmp_path: Path) -> None:
    result = run(images, "--quick", "--json", "--out", tmp_path / "audit")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed == json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert printed["suspects"] == []


def test_a_named_model_that_cannot_be_had_is_an_error(images: Path, tmp_path: Path) -> None:
    result = run(images, "--model", tmp_path / "nothing", "--out", tmp_path / "audit")
    assert result.exit_code != 0
    assert "nothing: no such folder" in str(result.exception)


def test_help_has_an_example() -> None:
    assert "Example: hf-vft audit photos/" in run("--help").output


def test_a_dry_run_says_what_the_data_would_be_read_as(images: Path, tmp_path: Path) -> None:
    done = run(images, "--dry-run", "--out", tmp_path / "audit")
    assert done.exit_code == 0
    assert "2 classes (blue, red) from the inner folder names; splits train" in done.output
    assert "train/blue/" in done.output
    assert not (tmp_path / "audit").exists()
    told = json.loads(run(images, "--dry-run", "--json").output)
    assert told["classes"] == ["blue", "red"]
    assert {row["split"] for row in told["rows"]} == {"train", "validation", "test"}


def test_a_label_column_can_be_named_with_an_option(images: Path) -> None:
    done = run(images, "--dry-run", "--label", "defect")
    assert "has no column 'defect'" in str(done.exception)
