"""Several labels an image, from the source to the answers, by the same commands."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageClassification, pipeline

from hf_vft.cli.commands.predict import predict
from hf_vft.errors import RecipeError
from hf_vft.monitoring.policy import Policy
from hf_vft.recipe.schema import Recipe
from hf_vft.workflows.audit import audit_data
from hf_vft.workflows.evaluate import evaluate_run
from hf_vft.workflows.fit import fit
from hf_vft.workflows.monitor import monitor_run
from tests.runs import KillAt, fit_in_processes, metrics, small_recipe


@pytest.fixture(scope="module")
def tagged(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated images, with their line and the kind of their defect, if any, as labels."""
    folder = tmp_path_factory.mktemp("data") / "tagged"
    shutil.copytree(images, folder)
    lines = (folder / "metadata.jsonl").read_text().splitlines()
    with (folder / "metadata.jsonl").open("w") as out:
        for row in map(json.loads, lines):
            tags = [row["line"], *([] if row["label"] == "ok" else ["defect"])]
            kept = {name: row[name] for name in ("file_name", "camera", "part_id")}
            out.write(json.dumps({**kept, "tags": tags}) + "\n")
    return folder


@pytest.fixture(scope="module")
def recipe(tagged: Path, convnext: Path, vit: Path) -> Recipe:
    recipe = small_recipe(
        tagged,
        convnext,
        loss__name="asymmetric",
        loss__class_weights="balanced",
        augment__mixup_alpha=0.2,
        data__group_column="part_id",
        data__slice_columns=["camera"],
    )
    return recipe.replaced({"model.candidates": [str(convnext), str(vit)]})


@pytest.fixture(scope="module")
def run(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(recipe, tmp_path_factory.mktemp("runs") / "run").path


def test_the_labels_say_what_the_task_is(run: Path) -> None:
    found = metrics(run)
    assert found["task"] == "multi-label-classification"
    assert found["labels"] == ["defect", "line-1", "line-2", "line-3"]
    assert found["primary"] == "map"
    test = found["splits"]["test"]
    assert test["metrics"]["map"]["low"] < test["metrics"]["map"]["value"]
    assert set(found["baselines"]) == {"class_frequencies", "linear_probe"}
    assert found["baselines"]["class_frequencies"]["test"]["auroc_macro"]["value"] == 0.5
    assert len(test["slices"]["camera"]) == 2
    made = json.loads((run / "choices.json").read_text())
    choices = {choice["name"]: choice["value"] for choice in made}
    assert any("several labels an image, of 4 classes" in choice["reason"] for choice in made)
    assert choices["data.label_column"] == "tags"
    assert choices["task"] == "multi-label-classification"


def test_backbones_are_ranked_by_what_a_probe_knows_of_each_label(
    run: Path, convnext: Path, vit: Path
) -> None:
    rows = json.loads((run / "leaderboard.json").read_text())["rows"]
    probes = {row["model"]: row for row in rows if row["kind"] == "probe"}
    assert set(probes) == {str(convnext), str(vit)}
    for row in probes.values():
        assert 0.3 < row["score"]["low"] <= row["score"]["value"] <= row["score"]["high"] <= 1
        assert 0.3 < row["second_opinions"]["knn"] <= 1
    best = max(probes.values(), key=lambda row: row["score"]["value"])
    assert json.loads((run / "run.json").read_text())["checkpoint"] == best["model"]


def test_plain_transformers_answers_alike(run: Path, tagged: Path) -> None:
    """With the sigmoid, not the softmax, since the configuration says what the labels are."""
    file = sorted((tagged / "images").iterdir())[0]
    model = AutoModelForImageClassification.from_pretrained(run / "model")
    assert model.config.problem_type == "multi_label_classification"
    told = pipeline("image-classification", model=str(run / "model"), device="cpu")(str(file))
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(run / "model")
    inputs = processor(Image.open(file).convert("RGB"), return_tensors="pt")
    with torch.inference_mode():
        expected = torch.sigmoid(model(**inputs).logits)[0]
    assert told[0]["score"] == pytest.approx(float(expected.max()), abs=1e-5)


def test_predict_tells_all_labels_over_their_thresholds(
    run: Path, tagged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_parquet(run / "reference" / "predictions.parquet").iloc[:4]
    predict(run, [tagged / f for f in table["file"]], top=1, batch_size=16, as_json=True)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["labels"] for answer in told] == [list(p) for p in table["predicted"]]
    thresholds = metrics(run)["thresholds"]
    for answer in told:
        scores = {one["label"]: one["score"] for one in answer["scores"]}
        assert all(scores[label] >= thresholds[label] for label in answer["labels"])


def test_evaluate_gives_the_scores_that_the_run_wrote(
    run: Path, tagged: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(run / "reference" / "predictions.parquet")
    test = table[table["split"] == "test"]
    rows = {"file_name": [str(tagged / f) for f in test["file"]]}
    for name in ("defect", "line-1", "line-2", "line-3"):  # as columns of 0 and 1 this time
        rows[name] = [int(name in labels) for labels in test["label"]]
    pd.DataFrame(rows).to_csv(tmp_path / "test.csv", index=False)
    result = evaluate_run(run, tmp_path / "test.csv").result
    written = metrics(run)["splits"]["test"]["metrics"]
    for name in ("map", "f1_micro", "f1_samples", "ece_calibrated"):
        assert result.metrics[name].value == pytest.approx(written[name]["value"], abs=1e-4)


def test_audit_counts_each_label(recipe: Recipe, tmp_path: Path) -> None:
    audited = audit_data(recipe, tmp_path / "audit")
    counts = audited.audit.counts
    assert sum(counts.classes["line-1"].values()) + sum(counts.classes["line-2"].values()) < 115
    assert sum(sum(c.values()) for c in counts.classes.values()) > counts.images
    assert audited.page.is_file()


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_scores(recipe: Recipe, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    killer = KillAt("step of all", 3)
    best = json.loads((run / "run.json").read_text())["checkpoint"]
    recipe = recipe.replaced({"model.candidates": [best]})
    assert fit_in_processes(recipe, out, display=killer) == [-signal.SIGKILL]
    assert fit_in_processes(recipe, out, resume=True) == [0]
    assert (out / "model" / "model.safetensors").read_bytes() == (
        run / "model" / "model.safetensors"
    ).read_bytes()
    assert metrics(out)["splits"] == metrics(run)["splits"]


def test_the_monitor_compares_with_the_reference_that_fit_wrote(
    run: Path, tagged: Path, tmp_path: Path
) -> None:
    policy = Policy.model_validate({"windows": {"count": 1, "needed": 1, "least": 60}})
    watched = monitor_run(run, tagged, policy, scored=tmp_path / "log")
    found = {one.finding.key: one.finding for one in watched.decision.judged}
    # The data's labels became delayed ones, too few held-out images to compare with or not.
    assert found["labels.f1_image"].rows == watched.decision.rows
    assert watched.over_time["accuracy"].between(0.01, 1.0).all()
    assert "prediction.outputs" in found
    assert found["performance.estimated_accuracy"].level == "insufficient"


def test_the_report_shows_it(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "Found against falsely claimed" in page
    assert "What it takes for what" not in page
    assert "Precision over recall of defect: " in page


def test_a_loss_for_another_task_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    wrong = recipe.replaced({"loss.name": "cross_entropy"})
    with pytest.raises(RecipeError, match="choose bce or asymmetric"):
        fit(wrong, tmp_path / "run")
