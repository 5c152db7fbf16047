"""Good parts alone, from a folder to a model that answers, is served and watched."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel

from hf_vft.errors import RecipeError, RunError
from hf_vft.hub.readback import _compare
from hf_vft.inference.onnx import export_onnx
from hf_vft.inference.predictor import Predictor
from hf_vft.models.anomaly_model import AnomalyModel
from hf_vft.monitoring.answer_checks import AnomalyChecks, checks_of
from hf_vft.monitoring.policy import load_policy
from hf_vft.monitoring.profile import Reference
from hf_vft.recipe.schema import load_recipe
from hf_vft.run import RunDirectory
from hf_vft.serving.page import answer_card
from hf_vft.serving.service import Service
from hf_vft.tasks import get_task
from hf_vft.workflows.anomaly_maps import with_maps
from hf_vft.workflows.answer_images import answer_images
from hf_vft.workflows.evaluate import evaluate_run
from hf_vft.workflows.fit import fit
from hf_vft.workflows.monitor import monitor_run
from hf_vft.workflows.retrain import retrain
from hf_vft.workflows.score_images import observe
from tests.good_parts import part, write_parts
from tests.runs import save_checkpoint, small_recipe


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts(tmp_path_factory.mktemp("parts") / "line")


@pytest.fixture(scope="module")
def run(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("run")
    checkpoint = save_checkpoint("vit", folder / "checkpoint")
    recipe = small_recipe(parts, checkpoint, anomaly__max_patches=300)
    return fit(recipe, folder / "run")


def test_the_run_says_what_was_learned_and_where_the_threshold_is_from(run: RunDirectory):
    recipe = run.recipe()
    assert recipe.task == "anomaly-detection"
    assert recipe.stages == []
    assert recipe.data.good_class == "good"
    assert not recipe.unresolved()
    choices = {choice["name"]: choice for choice in run.read_json(run.choices_file)}
    assert choices["anomaly.layers"]["value"]
    settings = json.loads((run.model / "anomaly.json").read_text(encoding="utf-8"))
    assert settings["low"] < settings["threshold"] < settings["high"]
    assert choices["anomaly.threshold"]["value"] == settings["threshold"]
    assert settings["false_alarm_rate"] == 0.01
    notes = run.read_json(run.summary_file)["notes"]
    assert any("1.0% of good images are expected above" in note for note in notes)


def test_anomalies_are_told_from_good_parts_and_placed(run: RunDirectory):
    metrics = run.read_json(run.metrics_file)["splits"]["test"]["metrics"]
    assert metrics["auroc"]["value"] > 0.95
    assert metrics["pixel_auroc"]["value"] > 0.8
    assert metrics["pro"]["value"] is not None
    assert metrics["false_alarm_rate"]["high"] is not None
    assert "ece" not in metrics


def test_the_backbone_loads_with_plain_transformers(run: RunDirectory):
    backbone = AutoModel.from_pretrained(run.model)
    model = AnomalyModel.from_pretrained(run.model)
    assert backbone.config.id2label == {0: "good", 1: "anomaly"}
    image = torch.zeros(1, 3, 32, 32)
    assert model(pixel_values=image)["logits"].shape == (1, 2)
    assert not list(run.model.glob("*.bin"))


def test_answers_hold_score_verdict_and_place(run: RunDirectory, parts: Path, tmp_path: Path):
    predictor = Predictor(run)
    spot = tmp_path / "spot.png"
    part(np.random.default_rng(5), spot=(30, 6)).save(spot)
    answers = predictor.answer_files([spot, parts / "test" / "good" / "000.png"])

    bad, good = with_maps(answers, predictor, tmp_path / "maps")

    told = bad.as_dict()
    assert told["label"] == "anomaly"
    assert told["anomaly"]
    assert told["score"] > told["threshold"] == 1.0
    box = told["box"]
    assert box["xmin"] < 35 < box["xmax"]
    assert box["ymin"] < 11 < box["ymax"]
    assert Image.open(told["map"]).size[0] >= 48
    assert good.as_dict()["label"] == "good"
    assert good.as_dict()["score"] < 1.0
    assert bad.text.startswith("anomaly (")


def test_a_table_of_answers_has_the_score_and_the_box(
    run: RunDirectory, parts: Path, tmp_path: Path
):
    out = tmp_path / "answers.csv"
    answer_images(run.path, [parts / "test" / "spot"], out)
    head, first, *_ = out.read_text(encoding="utf-8").splitlines()
    assert head == "file,label,anomaly_score,xmin,ymin,xmax,ymax,note,error"
    assert ",anomaly," in first


def test_other_images_are_measured_alike(run: RunDirectory, parts: Path, tmp_path: Path):
    found = evaluate_run(run.path, parts, split="test").result
    kept = run.read_json(run.metrics_file)["splits"]["test"]["metrics"]
    assert found.metrics["auroc"].value == pytest.approx(kept["auroc"]["value"])
    assert found.metrics["pixel_auroc"].value == pytest.approx(kept["pixel_auroc"]["value"])


def test_the_server_answers_with_a_place_and_draws_the_map(
    run: RunDirectory, parts: Path, tmp_path: Path
):
    service = Service(run, log=tmp_path / "log")
    image = parts / "test" / "spot" / "000.png"
    answer = service.predict(image)
    told = answer.as_dict()
    assert told["anomaly"]
    assert set(told["box"]) == {"xmin", "ymin", "xmax", "ymax"}
    assert "sure" not in told
    assert "threshold" in answer_card(told)
    plain = Image.open(image).convert("RGB")
    drawn = service.explain(image)
    change = np.abs(np.asarray(drawn.resize(plain.size), float) - np.asarray(plain, float)).max()
    assert change > 40
    service.feedback(told["request_id"], "good")
    service.close()


def test_the_monitor_sees_more_anomalies(run: RunDirectory, tmp_path: Path):
    reference = Reference.load(run)
    assert isinstance(checks_of(reference), AnomalyChecks)
    assert set(reference.sample.frame["label"]) == {"good"}
    assert reference.sample.frame["anomaly_score"].between(0, 2).all()
    rng = np.random.default_rng(9)
    images = tmp_path / "images"
    images.mkdir()
    for number in range(120):
        spot = (20, 20) if number % 3 == 0 else None
        part(rng, spot=spot).save(images / f"{number:03d}.png")
    observe(run.path, images, tmp_path / "log")

    policy = load_policy("default")
    decision = monitor_run(run.path, tmp_path / "log", policy=policy).decision

    judged = {one.finding.key: one.finding for one in decision.judged}
    share = judged["prediction.anomalies"]
    assert share.current == pytest.approx(1 / 3, abs=0.12)
    assert share.p_value is not None
    assert "prediction.anomaly_score" in judged
    assert "performance.estimated_accuracy" not in judged


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model.lora": {"r": 4}}, "model.lora"),
        ({"search.trials": 3}, "search"),
        ({"evaluation.robustness": True}, "evaluation.robustness"),
        ({"image.fit": "pad"}, "image.fit"),
    ],
)
def test_what_trains_or_searches_is_refused(change: dict[str, object], named: str):
    recipe = load_recipe("staged").replaced({"task": "anomaly-detection", "image.fit": "squash"})
    with pytest.raises(RecipeError, match=named):
        get_task("anomaly-detection").settled(recipe.replaced(change))


def test_maps_of_other_runs_are_refused(tmp_path: Path):
    class Other:
        task = get_task("image-classification")
        run = RunDirectory(tmp_path)

    with pytest.raises(RunError, match="needs a run of anomaly-detection"):
        with_maps([], Other(), tmp_path)  # type: ignore[arg-type]


def test_a_run_of_good_parts_is_not_exported_or_retrained(run: RunDirectory, tmp_path: Path):
    with pytest.raises(RunError, match="anomaly-detection is not exported"):
        export_onnx(run)
    with pytest.raises(RunError, match="anomaly-detection is not retrained"):
        retrain(run.path, tmp_path / "log", tmp_path / "out")


def test_what_is_pushed_can_be_read_back_by_plain_transformers(run: RunDirectory, tmp_path: Path):
    asked = {"task": "anomaly-detection", "folder": str(run.model), "repo_id": str(run.model)}
    assert _compare(asked | {"revision": "main", "cache": str(tmp_path)}) == 0.0
