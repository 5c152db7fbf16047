from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hf_vft.cli.main import app
from hf_vft.data.transforms.disturbances import DISTURBANCES
from hf_vft.errors import AmbiguousSourceError, DataError, RecipeError
from hf_vft.evaluation.robustness import Robustness
from hf_vft.run import RunDirectory
from hf_vft.utils.progress import Silent
from hf_vft.workflows.evaluate import evaluate_run
from tests.data.deep_images import png
from tests.runs import metrics, vft


def test_the_test_split_gets_the_scores_that_the_run_wrote(
    fitted: Path, images: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(fitted / "reference" / "predictions.parquet")
    for row in table[table["split"] == "test"].itertuples():
        target = tmp_path / "held-out" / row.label / Path(row.file).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(images / row.file, target)
    measured = evaluate_run(fitted, tmp_path / "held-out")
    written = metrics(fitted)["splits"]["test"]
    assert measured.result.n == written["n"]
    for name in ("accuracy", "f1_macro", "ece", "ece_calibrated"):
        found = measured.result.metrics[name].value
        assert found == pytest.approx(written["metrics"][name]["value"], abs=1e-4)


def test_slices_by_column(fitted: Path, images: Path) -> None:
    result = evaluate_run(fitted, images, by=["camera"]).result
    assert sum(found.n for found in result.slices["camera"].values()) == result.n


def test_labels_that_are_no_class_are_counted_with_the_nearest_and_kept_out(
    fitted: Path, images: Path, tmp_path: Path
) -> None:
    first = next(images.rglob("*.png"), None) or next(images.rglob("*.jpg"))
    for name in ("novel", "OK"):
        (tmp_path / name).mkdir()
        shutil.copy(first, tmp_path / name)
    with pytest.raises(DataError, match=r"no label is a class.*'OK' \(1, write 'ok'\)"):
        evaluate_run(fitted, tmp_path)
    (tmp_path / "ok").mkdir()
    shutil.copy(first, tmp_path / "ok")
    found = evaluate_run(fitted, tmp_path)
    assert found.result.n == 1
    assert "2 labels left out" in " ".join(found.images.notes)


def test_one_class_and_one_image_are_enough(fitted: Path, images: Path, tmp_path: Path) -> None:
    first = next(images.rglob("*.png"), None) or next(images.rglob("*.jpg"))
    (tmp_path / "ok").mkdir()
    shutil.copy(first, tmp_path / "ok")
    assert evaluate_run(fitted, tmp_path).result.n == 1


def test_a_split_that_is_not_there_is_refused(fitted: Path, images: Path) -> None:
    with pytest.raises(DataError, match="no split 'holdout'"):
        evaluate_run(fitted, images, split="holdout")


def test_command(fitted: Path, images: Path) -> None:
    done = vft("evaluate", fitted, images, "--by", "camera", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result["slices"]) == {"camera"}
    shown = vft("evaluate", fitted, images)
    assert "macro F1" in shown.stdout
    assert "By class" in shown.stdout


def test_images_that_could_be_read_in_two_ways_are_read_as_is_said(
    fitted: Path, images: Path, tmp_path: Path
) -> None:
    rows = ["image;finding;alloy"]
    for number, file in enumerate(sorted(images.rglob("*.jpg"))[:4]):
        shutil.copy(file, tmp_path / file.name)
        rows.append(f"{file.name};{'ok' if number % 2 else 'scratch'};{'b' if number > 1 else 'a'}")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    with pytest.raises(AmbiguousSourceError, match=r"data\.label_column=finding"):
        evaluate_run(fitted, tmp_path)
    runner = CliRunner()
    done = runner.invoke(app, ["evaluate", str(fitted), str(tmp_path), "--label", "finding"])
    assert done.exit_code == 0, done.stderr
    assert "4 images (95 % interval)" in done.stdout
    assert evaluate_run(fitted, tmp_path, changes={"data.label_column": "finding"}).result.n == 4


def test_what_the_model_has_settled_cannot_be_set(fitted: Path, images: Path) -> None:
    for name in ("data.bit_depth", "seed"):
        with pytest.raises(RecipeError, match=name):
            evaluate_run(fitted, images, changes={name: 12})


def test_deep_values_mean_what_they_meant_in_training(fitted: Path, tmp_path: Path) -> None:
    run = RunDirectory(shutil.copytree(fitted, tmp_path / "run"))
    run.recipe_file.write_text(run.recipe().replaced({"data.bit_depth": 12}).to_yaml())
    choice = {"name": "data.bit_depth", "was": "auto", "value": 12, "reason": "found"}
    run.choices_file.write_text(json.dumps([*json.loads(run.choices_file.read_text()), choice]))
    bright = tmp_path / "held-out" / "ok" / "bright.png"
    bright.parent.mkdir(parents=True)
    bright.write_bytes(png(np.full((40, 40), 5000, dtype=np.uint16)))
    found = evaluate_run(run.path, tmp_path / "held-out")
    assert "Values above the 4,095 of data.bit_depth=12" in " ".join(found.images.notes)


class Told(Silent):
    """Remembers warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_images_that_the_model_learned_from_are_told_of_and_can_be_left_out(
    fitted: Path, images: Path
) -> None:
    told, summary = Told(), json.loads((fitted / "run.json").read_text())
    everything = evaluate_run(fitted, images, display=told)
    counts = summary["images"]
    assert everything.result.n == sum(counts.values())
    assert any(f"trained on {counts['train']} of these" in text for text in told.warnings)

    told = Told()
    held_out = evaluate_run(fitted, images, split="test", display=told)
    assert not any("trained on" in text for text in told.warnings)
    written = metrics(fitted)["splits"]["test"]
    assert held_out.result.n == written["n"]
    assert held_out.result.metrics["accuracy"].value == pytest.approx(
        written["metrics"]["accuracy"]["value"], abs=1e-4
    )


def test_groups_are_resampled_together_where_the_images_name_theirs(
    fitted: Path, images: Path, tmp_path: Path
) -> None:
    run = RunDirectory(shutil.copytree(fitted, tmp_path / "run"))
    run.recipe_file.write_text(run.recipe().replaced({"data.group_column": "group"}).to_yaml())
    grouped = shutil.copytree(images, tmp_path / "grouped") / "metadata.jsonl"
    table = pd.read_json(grouped, lines=True)
    table.assign(group=table["line"]).to_json(grouped, orient="records", lines=True)

    def interval(source: Path) -> tuple[float | None, float | None]:
        found = evaluate_run(run.path, source).result.metrics["accuracy"]
        return found.low, found.high

    assert interval(grouped.parent) != interval(images)


def test_disturbed_images_are_scored_and_the_card_tells(
    fitted: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: DISTURBANCES[name] for name in ("darker", "noise")}
    monkeypatch.setattr("hf_vft.workflows.steps.robustness.DISTURBANCES", few)
    monkeypatch.setattr("hf_vft.workflows.steps.robustness.MOST", 40)
    run = tmp_path / "run"
    shutil.copytree(fitted, run)
    found = evaluate_run(run, images, split="test", robustness=True).robustness
    assert found is not None
    assert found.metric == "f1_macro"
    assert list(found.disturbed) == list(few)
    assert found.n == min(40, evaluate_run(run, images, split="test").result.n)
    worst = found.disturbed[found.worst][-1].value
    assert worst is not None
    assert found.clean.value is not None
    assert worst < found.clean.value
    kept = json.loads((run / "robustness.json").read_text())
    assert Robustness.model_validate(kept) == found
    card = (run / "model" / "README.md").read_text()
    assert f"The worst for it is {found.worst}" in card
    assert "was not measured;" not in card
