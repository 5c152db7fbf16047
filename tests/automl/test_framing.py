"""The framing is chosen by what a probe makes of each, and only on credible evidence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from transformers import BitImageProcessor

from hf_vft.automl.framing import Framed, judge
from hf_vft.models.transferability import paired_gain
from hf_vft.recipe.schema import Recipe
from hf_vft.tasks import ImageClassification
from hf_vft.workflows.fit import fit
from tests.models.tiny import SIZE
from tests.runs import small_recipe


def tuning(**changes: Any) -> Any:
    recipe = Recipe().replaced({"training.metric": "f1_macro", **changes})
    return SimpleNamespace(recipe=recipe, context=SimpleNamespace(task=ImageClassification()))


def clouds(distance: float, labels: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(len(labels), 8))
    return (noise + distance * np.eye(8)[labels]).astype(np.float32)


LABELS = np.arange(150) % 3


def test_a_framing_that_tells_more_is_taken_and_its_gain_is_said() -> None:
    features = {"squash": clouds(1.0, LABELS, 0), "processor": clouds(4.0, LABELS, 1)}
    fit, reason = judge(Framed(features, LABELS, "squash", None, 3), tuning())
    assert fit == "processor"
    assert "credibly better than squash" in reason
    assert "gain +" in reason
    assert "150 training images" in reason


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_evidence(seed: int) -> None:
    features = {
        fit: clouds(1.5, LABELS, 10 * seed + k)
        for k, fit in enumerate(("squash", "processor", "pad"))
    }
    fit, reason = judge(Framed(features, LABELS, "squash", None, 3), tuning())
    assert fit == "squash"
    assert "no other framing is credibly better" in reason


def test_where_nothing_can_be_held_out_the_first_stays() -> None:
    labels = np.array([0, 1, 1, 1])
    features = {fit: clouds(1.0, labels, 0) for fit in ("squash", "pad")}
    assert judge(Framed(features, labels, "squash", None, 2), tuning()) == ("squash", "")


def test_images_of_one_group_are_one_witness() -> None:
    rng = np.random.default_rng(0)
    weights = np.ones(400)
    alone, error = paired_gain(rng.normal(1.0, 2.0, 400), weights, np.arange(400))
    assert error == pytest.approx(2.0 / 20, rel=0.1)
    assert alone == pytest.approx(1.0, abs=3 * error)
    repeated = np.repeat(rng.normal(1.0, 2.0, 40), 10)
    _, of_groups = paired_gain(repeated, weights, np.repeat(np.arange(40), 10))
    assert of_groups == pytest.approx(2.0 / np.sqrt(40), rel=0.3)
    assert paired_gain(repeated, weights, np.zeros(400))[1] == np.inf


def stripes(folder: Path, *, at_the_edge: bool) -> Path:
    """Wide images; their classes differ by fine stripes in the centre, or by the left edge."""
    rng = np.random.default_rng(0)
    for label in ("first", "second"):
        (folder / label).mkdir(parents=True)
        for number in range(60):
            pixels = rng.integers(60, 90, (SIZE, 4 * SIZE, 3), dtype=np.uint8)
            if at_the_edge:
                pixels[:, :SIZE] += np.uint8(100 if label == "second" else 0)
            elif label == "second":
                pixels[:, ::2] += np.uint8(80)
            else:
                pixels += np.uint8(40)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    return folder


@pytest.mark.parametrize("at_the_edge", [True, False])
def test_a_run_frames_as_the_evidence_says(
    at_the_edge: bool, convnext: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(convnext, checkpoint)
    (checkpoint / "preprocessor_config.json").unlink()
    square = {"height": SIZE, "width": SIZE}
    BitImageProcessor(size={"shortest_edge": SIZE}, crop_size=square).save_pretrained(checkpoint)
    images = stripes(tmp_path / "images", at_the_edge=at_the_edge)
    recipe = small_recipe(images, checkpoint)
    run = fit(recipe.replaced({"stages": [{"name": "head", "train": "head"}]}), tmp_path / "run")
    choices = {c["name"]: c for c in json.loads(run.choices_file.read_text())}
    assert choices["image.fit"]["value"] == ("squash" if at_the_edge else "processor")
    assert "log loss of cross-validated probes" in choices["image.fit"]["reason"]
    assert run.recipe().image.fit == choices["image.fit"]["value"]
    saved = json.loads((run.model / "preprocessor_config.json").read_text())
    assert saved["do_center_crop"] is not at_the_edge
