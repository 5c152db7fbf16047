"""Boxes, from the source to the answers, by the same commands."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from transformers import RTDetrImageProcessor, pipeline

from hf_vft.cli.commands.predict import predict
from hf_vft.data.transforms.disturbances import DISTURBANCES
from hf_vft.errors import ModelError
from hf_vft.evaluation.robustness import Robustness
from hf_vft.inference.predictor import Predictor
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.profile import Reference
from hf_vft.recipe.schema import Recipe, load_recipe
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from hf_vft.workflows.audit import audit_data
from hf_vft.workflows.evaluate import evaluate_run
from hf_vft.workflows.fit import fit
from hf_vft.workflows.monitor import monitor_run
from tests.models.tiny_detectors import tiny_rt_detr_v2
from tests.runs import KillAt, fit_in_processes, metrics, weights

STAGE = {"train": "all", "scheduler": "constant", "weight_decay": 1e-4, "keep_if_better": False}


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny RT-DETR v2 of three classes; the images have five."""
    folder = tmp_path_factory.mktemp("checkpoints") / "detector"
    tiny_rt_detr_v2().save_pretrained(folder)
    RTDetrImageProcessor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def recipe(images: Path, detector: Path) -> Recipe:
    """A moment of training: the way is tested, not the scores."""
    return load_recipe("detection").replaced(
        {
            "data.path": str(images),
            "data.group_column": "part_id",
            "data.slice_columns": ["camera"],
            "model.candidates": [str(detector)],
            "image.size": 64,
            "stages": [
                {"name": "head", "train": "head", "epochs": 1, "learning_rate": 1e-3},
                {"name": "all", "epochs": 1, "learning_rate": 1e-3, **STAGE},
            ],
            "training.batch_size": 16,
            "training.eval_batch_size": 16,
            "training.ema_decay": 0.0,
            "evaluation.bootstrap": 20,
        }
    )


@pytest.fixture(scope="module")
def run(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    two = {name: DISTURBANCES[name] for name in ("blur", "darker")}
    with pytest.MonkeyPatch.context() as patch:  # each costs three passes
        patch.setattr("hf_vft.workflows.steps.robustness.DISTURBANCES", two)
        recipe = recipe.replaced({"evaluation.robustness": True})
        return fit(recipe, tmp_path_factory.mktemp("runs") / "run").path


def test_scores_and_baseline_are_those_of_boxes(run: Path) -> None:
    found = metrics(run)
    assert found["task"] == "object-detection"
    assert found["primary"] == "map50"
    test = found["splits"]["test"]
    assert {"map", "map50", "map75", "map_small", "mar_100", "mean_iou", "f1"} <= set(
        test["metrics"]
    )
    assert set(found["baselines"]) == {"typical_boxes"}
    assert set(test["per_class"]) == set(found["labels"]) == set(found["thresholds"])
    assert all(set(s["metrics"]) == {"map50", "f1"} for s in test["slices"]["camera"].values())
    choices = {c["name"]: c["value"] for c in json.loads((run / "choices.json").read_text())}
    assert choices["data.label_column"] == "objects"
    assert choices["augment.trivial_augment"] is False


def test_disturbed_images_are_measured_and_reported(run: Path) -> None:
    found = Robustness.model_validate(json.loads((run / "robustness.json").read_text()))
    test = metrics(run)["splits"]["test"]
    assert found.metric == "map50"
    assert found.n == test["n"]
    assert found.clean.value == pytest.approx(test["metrics"]["map50"]["value"], abs=1e-6)
    assert set(found.disturbed) == {"blur", "darker"}
    assert "Disturbed images" in (run / "report.html").read_text()


def test_plain_transformers_finds_the_same_boxes(
    run: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_parquet(run / "reference" / "predictions.parquet")
    file = images / table["file"].iloc[0]
    detector = pipeline("object-detection", model=str(run / "model"), device="cpu")
    expected = detector(Image.open(file).convert("RGB"), threshold=0.0)
    ours = table["predicted"].iloc[0][0]
    size = size_of(file)

    def distance(found: dict[str, Any]) -> float:
        """Largest distance of a side; theirs are whole pixels, and not cut off at the edge."""
        limits = {name: size[0 if name.startswith("x") else 1] for name in found["box"]}
        return max(
            abs(ours["box"][name] - min(max(corner, 0), limits[name]))
            for name, corner in found["box"].items()
        )

    assert ours["score"] == pytest.approx(max(found["score"] for found in expected), abs=1e-3)
    # After so little training several queries have nearly the same score: any of them may lead.
    level = [
        found for found in expected if found["score"] == pytest.approx(ours["score"], abs=1e-4)
    ]
    assert min(distance(found) for found in level if found["label"] == ours["label"]) <= 1.01
    predict(run, [file], top=1, batch_size=4, as_json=True)
    told = json.loads(capsys.readouterr().out)
    threshold = metrics(run)["thresholds"]
    assert all(one["score"] >= threshold[one["label"]] for one in told["objects"])


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


def test_evaluate_gives_the_scores_that_the_run_wrote(
    run: Path, images: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(run / "reference" / "predictions.parquet")
    files = set(table[table["split"] == "test"]["file"])
    shutil.copytree(images, tmp_path / "held-out")
    lines = (images / "metadata.jsonl").read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["file_name"] in files]
    (tmp_path / "held-out" / "metadata.jsonl").write_text("\n".join(kept))
    result = evaluate_run(run, tmp_path / "held-out").result
    written = metrics(run)["splits"]["test"]
    assert result.n == written["n"]
    for name in ("map", "map50", "mar_100", "recall"):
        assert result.metrics[name].value == pytest.approx(
            written["metrics"][name]["value"], abs=1e-4
        )


def test_audit_counts_images_and_says_why_labels_are_not_checked(
    recipe: Recipe, convnext: Path, tmp_path: Path
) -> None:
    named = recipe.replaced({"model.candidates": [str(convnext)]})
    audited = audit_data(named, tmp_path / "audit")
    assert "one label each" in audited.audit.labels_note
    assert set(audited.audit.counts.classes) <= {"scratch", "pit", "crack", "stain", "inclusion"}
    assert audited.page.is_file()


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_scores(recipe: Recipe, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert fit_in_processes(recipe, out, display=KillAt("step of all", 3)) == [-signal.SIGKILL]
    assert fit_in_processes(recipe, out, resume=True) == [0]
    assert metrics(out)["splits"] == metrics(run)["splits"]
    there, here = weights(out), weights(run)
    assert all(there[name].equal(here[name]) for name in here)


@pytest.mark.slow
def test_two_processes_answer_for_every_image_as_one_does(
    recipe: Recipe, images: Path, tmp_path: Path
) -> None:
    """In order, and without the repeats that fill up the last batch."""
    stages = [{"name": "all", "epochs": 1, "learning_rate": 1e-3, **STAGE}]
    changes = {"stages": stages, "training.batch_size": 12, "training.eval_batch_size": 12}
    out = tmp_path / "run"
    assert fit_in_processes(recipe.replaced(changes), out, 2) == [0, 0]
    table = pd.read_parquet(out / "reference" / "predictions.parquet")
    predictor = Predictor(RunDirectory.open(out))
    alone = predictor.predictions([predictor.decode(images / f) for f in table["file"]])
    assert table["file"].is_unique
    for told, found in zip(table["predicted"], alone, strict=True):
        expected = [one.score for one in found.objects or ()]
        assert [one["score"] for one in told] == pytest.approx(expected, abs=1e-5)
    assert sum(map(len, table["predicted"])) > len(table)


def test_the_monitor_compares_boxes_with_those_of_the_data(
    run: Path, images: Path, tmp_path: Path
) -> None:
    policy = Policy.model_validate({"windows": {"count": 1, "needed": 1, "least": 60}})
    watched = monitor_run(run, images, policy, scored=tmp_path / "log")
    found = {one.finding.key: one.finding for one in watched.decision.judged}
    assert found["labels.f1_image"].rows == watched.decision.rows
    assert len(watched.over_time)
    assert "prediction.count" in found
    kept = ProductionLog.open(tmp_path / "log").read_labels()["boxes"]
    truths = Reference.load(RunDirectory.open(run)).sample.frame["true_boxes"]
    assert kept.notna().all()
    assert {box["label"] for rows in truths for box in rows} <= {
        box["label"] for rows in kept for box in rows
    }
    assert found["performance.estimated_accuracy"].level == "insufficient"


def test_the_report_shows_boxes(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "Worst misses" in page or "As they come" in page
    assert "Found against falsely claimed" in page
    assert "What it takes for what" not in page
    assert "Typical boxes" in page


def test_detectors_are_not_ranked(recipe: Recipe, detector: Path, tmp_path: Path) -> None:
    two = recipe.replaced({"model.candidates": [str(detector), str(detector)]})
    with pytest.raises(ModelError, match="a linear probe, which object-detection has not"):
        fit(two, tmp_path / "run")


def test_boxes_need_the_whole_image(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="boxes need squash"):
        fit(recipe.replaced({"image.fit": "pad"}), tmp_path / "run")
