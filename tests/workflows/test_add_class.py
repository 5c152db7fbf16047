"""A class more for a run: the old logits stay, the new run is whole, and the champion's rules."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from hf_vft.errors import DataError
from hf_vft.evaluation.comparison import Comparison, Paired
from hf_vft.evaluation.results import Estimate
from hf_vft.inference.predictor import Predictor
from hf_vft.run import RunDirectory
from hf_vft.workflows.add_class import Added, add_class
from hf_vft.workflows.steps.champion import judge_added_class
from tests.runs import IMAGE_SIZE

NEW = "stripes"


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images of a class that the run has never seen; one is there twice."""
    folder = tmp_path_factory.mktemp("new") / NEW
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(8):
        shade = rng.integers(0, 90, (IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
        shade[:: 2 + number % 3] += 150
        Image.fromarray(shade).save(folder / f"{number}.png")
    shutil.copyfile(folder / "0.png", folder / "copy.png")
    return folder


@pytest.fixture(scope="module")
def added(
    few_shot: Path, stripes: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunDirectory, Added, Path]:
    folder = tmp_path_factory.mktemp("added")
    # Two dozen test images prove no less than this.
    found = add_class(
        few_shot, stripes, folder / "run-2", champion=folder / "champion", tolerance=0.2
    )
    return RunDirectory.open(folder / "run-2"), found, folder / "champion"


def test_old_rows_are_the_same_to_the_bit_and_old_logits_to_a_millionth(
    few_shot: Path, added: tuple[RunDirectory, Added, Path]
) -> None:
    run, found, _ = added
    before, after = (load_file(p / "model.safetensors") for p in (few_shot / "model", run.model))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        torch.testing.assert_close(after[name][: len(tensor)], tensor, rtol=0, atol=0)
    assert found.largest_difference <= 1e-6


def test_the_new_run_knows_the_class_and_says_so_everywhere(
    few_shot: Path, added: tuple[RunDirectory, Added, Path], stripes: Path
) -> None:
    run, found, _ = added
    old = json.loads((few_shot / "model" / "config.json").read_text())["id2label"]
    config = json.loads((run.model / "config.json").read_text())
    assert [*old.values(), NEW] == list(config["id2label"].values())
    assert found.images == {"train": 4, "validation": 2, "test": 2}
    assert run.read_json(run.metrics_file)["labels"][-1] == NEW
    assert NEW in run.card_file.read_text(encoding="utf-8")
    assert NEW in run.report_file.read_text(encoding="utf-8")
    assert run.reference_file.is_file()
    assert run.read_as(Added, run.comparison_file) == found
    predictor = Predictor(run)
    images = [predictor.decode(path) for path in sorted(stripes.iterdir())]
    answers = [one.labels[0] for one in predictor.predictions(images)]
    assert answers.count(NEW) >= 7


def test_it_takes_over_since_the_old_classes_did_not_lose(
    added: tuple[RunDirectory, Added, Path],
) -> None:
    run, found, pointer = added
    assert found.promoted, found.reasons
    assert RunDirectory.open(pointer).path.samefile(run.path)


def test_what_cannot_be_added_is_refused_in_a_line(
    few_shot: Path, stripes: Path, tmp_path: Path
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for name in ("0.png", "1.png", "copy.png"):
        shutil.copyfile(stripes / name, few / name)
    with pytest.raises(DataError, match="2 different images; at least 3"):
        add_class(few_shot, few, tmp_path / "out")
    with pytest.raises(DataError, match="no such folder"):
        add_class(few_shot, tmp_path / "none", tmp_path / "out")
    known = RunDirectory(few_shot).read_json(RunDirectory(few_shot).metrics_file)["labels"][0]
    with pytest.raises(DataError, match="knows the class"):
        add_class(few_shot, stripes, tmp_path / "out", name=known)
    assert not (tmp_path / "out").exists()


def compared(low: float) -> Comparison:
    difference = Estimate(value=0.0, low=low, high=0.01)
    paired = Paired(champion=0.9, challenger=0.9, difference=difference)
    return Comparison(
        n=50, units=50, accuracy=paired, f1_macro=paired, only_champion=0, only_challenger=0,
        p_value=1.0,
    )  # fmt: skip


def test_the_champion_stays_where_the_class_is_missed_or_old_ones_may_lose() -> None:
    assert judge_added_class(3, 4, compared(-0.01), NEW, 0.05)[0]
    assert not judge_added_class(1, 4, compared(-0.01), NEW, 0.05)[0]
    assert not judge_added_class(4, 4, compared(-0.2), NEW, 0.05)[0]
