"""The whole circle, small: fit, watch, a fault, labels, retrain, in order again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.runs import small_recipe, vft, write_recipe

SIDE = 32
START = datetime(2026, 4, 1, 6, tzinfo=UTC)
NEW_LAMP = np.array([0.55, 0.55, 0.30])
"""Dim and yellow: under it a pale part is as bright as a dark one was."""
POLICY = "windows: {count: 1, needed: 1, rows: 200, least: 60}\n"


def part(pale: bool, lamp: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """A grey part; how grey it is decides its class."""
    level = rng.normal(0.70 if pale else 0.42, 0.02)
    surface = level + rng.normal(0.0, 0.05, (SIDE, SIDE, 1))
    return Image.fromarray((255 * np.clip(surface * lamp, 0, 1)).astype(np.uint8))


def write_parts(folder: Path, n: int, day: int, lamp: np.ndarray | float = 1.0) -> Path:
    """Images with their labels.csv."""
    rng, rows = np.random.default_rng(day), []
    folder.mkdir()
    for number in range(n):
        pale = bool(rng.random() < 0.5)
        part(pale, np.ones(3) * lamp, rng).save(folder / f"{day}-{number:03d}.png")
        moment = START + timedelta(days=day, minutes=number)
        rows.append((f"{day}-{number:03d}.png", "pale" if pale else "dark", moment.isoformat()))
    table = pd.DataFrame(rows, columns=["file_name", "label", "timestamp"])
    table.to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.mark.slow
def test_the_circle_closes(resnet: Path, tmp_path: Path) -> None:
    import evidently.presets  # noqa: F401 – once, not in each of the forks

    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    line = write_parts(tmp_path / "line", 200, day=0)
    stage = {"name": "all", "train": "all", "epochs": 5, "learning_rate": 5e-3}
    recipe = small_recipe(line, resnet, stages=[stage], image__size=SIDE)
    recipe = recipe.replaced({"data.path": str(line / "labels.csv"), "data.group_column": None})
    run, champion = tmp_path / "run", tmp_path / "champion"

    def command(*words: str | Path, expected: int = 0) -> str:
        done = vft(*words)
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout

    def watched(model: Path, images: Path, expected: int) -> dict[str, object]:
        out = tmp_path / f"watched-{images.name}"
        words = ("--policy", policy, "--out", out)
        command("monitor", model, images, *words, expected=expected)
        return json.loads((out / "verdict.json").read_text())

    command("fit", "--recipe", write_recipe(recipe, tmp_path / "recipe.yaml"), "--out", run)
    assert watched(run, write_parts(tmp_path / "good", 80, day=1), 0)["action"] == "none"

    faulty = write_parts(tmp_path / "faulty", 200, day=2, lamp=NEW_LAMP)
    verdict = watched(run, faulty, 3)
    assert verdict["action"] == "mend"  # another lamp is a cause to look at first
    assert "labels, accuracy" in verdict["reasons"][0]
    alerts = {
        one["finding"]["name"] for one in verdict["judged"] if one["finding"]["level"] == "alert"
    }
    assert {"brightness", "saturation"} <= alerts

    # Of 40 old test images the interval is wide.
    words = ("--out", tmp_path / "run-2", "--champion", champion, "--tolerance", "0.15")
    told = command("retrain", run, faulty, *words)
    assert "takes over" in told
    later = write_parts(tmp_path / "later", 80, day=3, lamp=NEW_LAMP)
    assert watched(champion, later, 0)["action"] == "none"
