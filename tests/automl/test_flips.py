from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hf_vft.models.probe import transfer_losses
from hf_vft.workflows.fit import fit
from tests.runs import small_recipe

SIDE = 32


def arrow(rng: np.random.Generator, up: bool) -> Image.Image:
    """Symmetric from left to right, and the other label upside down."""
    image = Image.new("RGB", (SIDE, SIDE), (60, 60, 60))
    left, size = int(rng.integers(2, 14)), int(rng.integers(10, 16))
    top = int(rng.integers(2, SIDE - size - 2))
    base, tip = (top + size, top) if up else (top, top + size)
    points = [(left, base), (left + size, base), (left + size / 2, tip)]
    ImageDraw.Draw(image).polygon(points, fill=(220, 220, 220))
    return image


@pytest.fixture(scope="module")
def arrows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("arrows"), np.random.default_rng(0)
    for name in ("up", "down"):
        (folder / name).mkdir()
        for i in range(60):
            arrow(rng, name == "up").save(folder / name / f"{i:02d}.png")
    return folder


def chosen(run: Path) -> dict[str, tuple[float, str]]:
    found = json.loads((run / "choices.json").read_text())
    return {choice["name"]: (choice["value"], choice["reason"]) for choice in found}


def test_a_flip_that_changes_the_label_is_found_out(
    arrows: Path, convnext: Path, tmp_path: Path
) -> None:
    recipe = small_recipe(arrows, convnext)
    stages = [recipe.stages[0].model_dump() | {"epochs": 1}]
    run = fit(recipe.replaced({"stages": stages}), tmp_path / "run")
    found = chosen(run.path)
    assert found["augment.vertical_flip"][0] == 0.0
    assert "look different" in found["augment.vertical_flip"][1]
    assert found["augment.horizontal_flip"][0] == 0.5
    assert "as well as plain ones" in found["augment.horizontal_flip"][1]
    assert run.recipe().unresolved() == []


def test_what_the_recipe_says_is_not_questioned(
    arrows: Path, convnext: Path, tmp_path: Path
) -> None:
    recipe = small_recipe(
        arrows, convnext, augment__vertical_flip=0.3, augment__horizontal_flip=0.0
    )
    stages = [recipe.stages[0].model_dump() | {"epochs": 1}]
    run = fit(recipe.replaced({"stages": stages}), tmp_path / "run")
    assert run.recipe().augment.vertical_flip == 0.3
    assert "augment.vertical_flip" not in chosen(run.path)


def test_transfer_losses() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    plain = rng.normal(size=(120, 8)) + 2 * np.eye(8)[labels]
    turned = plain[:, [1, 0, 2, 3, 4, 5, 6, 7]]
    noise = plain + rng.normal(size=plain.shape) * 0.01
    losses = transfer_losses(plain, {"turned": turned, "noise": noise}, labels)
    assert losses["turned"] > 1.5 * losses[""]
    assert losses["noise"] == pytest.approx(losses[""], rel=0.02)
    assert transfer_losses(plain[:3], {}, np.array([0, 1, 2])) == {}
