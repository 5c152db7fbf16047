"""What a finished run holds, read with nothing but the plain libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_vft.inference.predictor import Predictor
from hf_vft.recipe.schema import load_recipe
from hf_vft.run import RunDirectory
from tests.runs import fit_in_processes, small_recipe

CONTRACT = [
    "model/config.json",
    "model/model.safetensors",
    "model/preprocessor_config.json",
    "model/README.md",
    "recipe.yaml",
    "choices.json",
    "metrics.json",
    "history.json",
    "run.json",
    "audit.json",
    "report.html",
    "reference/predictions.parquet",
    "reference/profile.json",
    "reference/records.parquet",
    "reference/embeddings.safetensors",
    "state/recipe.yaml",
]

PLAIN = """
import json, sys

class Refuse:
    def find_spec(self, name, *_):
        if name.split(".")[0] == "hf_vft":
            raise ImportError("hf_vft is not installed here")

sys.meta_path.insert(0, Refuse())
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline

model_path, adapter, base, *files = json.loads(sys.argv[1])
model = AutoModelForImageClassification.from_pretrained(model_path).eval()
processor = AutoImageProcessor.from_pretrained(model_path)
images = [Image.open(file).convert("RGB") for file in files]
pixels = processor(images=images, return_tensors="pt")["pixel_values"]
labels = [model.config.id2label[i] for i in range(model.config.num_labels)]
classify = pipeline("image-classification", model=model_path, top_k=len(labels))
answers = [{row["label"]: row["score"] for row in rows} for rows in classify(files)]
found = {"labels": labels, "scores": [[row[label] for label in labels] for row in answers]}
with torch.inference_mode():
    found["logits"] = model(pixel_values=pixels).logits.tolist()
    if adapter:
        from peft import PeftModel
        plain = AutoModelForImageClassification.from_pretrained(
            base, num_labels=len(labels), ignore_mismatched_sizes=True
        )
        adapted = PeftModel.from_pretrained(plain, adapter).eval()
        found["adapter_logits"] = adapted(pixel_values=pixels).logits.tolist()
print(json.dumps(found))
"""


def read_plainly(run: RunDirectory, files: list[Path], base: Path) -> Any:
    """What transformers and peft make of a run, in a process without hf-vft."""
    adapter = str(run.adapter) if run.adapter.is_dir() else None
    words = json.dumps([str(run.model), adapter, str(base), *map(str, files)])
    ran = subprocess.run(
        [sys.executable, "-c", PLAIN, words],
        capture_output=True,
        text=True,
        cwd=run.path,
        env=os.environ | {"PYTHONPATH": "", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.fixture(scope="module", params=["convnext", "vit"])
def adapted(
    request: pytest.FixtureRequest, images: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunDirectory, Path]:
    """A run with adapters, on bfloat16 where that is on auto; and its base checkpoint."""
    base = request.getfixturevalue(request.param)
    out = tmp_path_factory.mktemp("runs") / request.param
    changes = {"model__lora": {"r": 4}, "stages__all__learning_rate": 0.02}
    recipe = small_recipe(images, base, **changes, training__precision="bf16")
    recipe = recipe.replaced({"stages.all.keep_if_better": False})
    assert fit_in_processes(recipe, out) == [0]
    return RunDirectory(out), base


def test_a_run_keeps_its_contract(adapted: tuple[RunDirectory, Path], images: Path):
    run, _ = adapted
    missing = [name for name in CONTRACT if not (run.path / name).is_file()]
    assert missing == []
    assert load_recipe(run.recipe_file).unresolved() == []
    choices = json.loads(run.choices_file.read_text())
    resolved = load_recipe(run.recipe_file).model_dump()
    for choice in choices:
        value: Any = resolved
        for part in choice["name"].split("."):
            value = value[part]
        assert value == choice["value"]
        assert choice["reason"]


def test_plain_libraries_answer_the_same(adapted: tuple[RunDirectory, Path], images: Path):
    run, base = adapted
    files = sorted((images / "images").glob("*.jpg"))[:4]
    found = read_plainly(run, files, base)
    predictor = Predictor(run)
    logits = predictor.logits([predictor.decode(file) for file in files])
    assert found["labels"] == predictor.labels
    np.testing.assert_allclose(found["logits"], logits, atol=1e-5)
    np.testing.assert_allclose(found["scores"], softmax(logits), atol=1e-5)
    np.testing.assert_allclose(found["adapter_logits"], logits, atol=1e-5)
    assert np.ptp(logits, axis=0).max() > 1e-3  # it does look at the images


def test_what_was_measured_is_what_is_served(adapted: tuple[RunDirectory, Path], images: Path):
    """The held-out probabilities of the run are those of the model that was saved."""
    import pandas as pd

    run, _ = adapted
    table = pd.read_parquet(run.predictions_file)
    predictor = Predictor(run)
    decoded = [predictor.decode(images / file) for file in table["file"][:6]]
    expected = np.stack(table["probabilities"][:6])
    np.testing.assert_allclose(predictor.probabilities(decoded), expected, atol=1e-5)


def test_the_first_stage_starts_where_the_probe_ended(fitted: Path):
    start = json.loads((fitted / "state/stages/head/result.json").read_text())["start"]
    report = json.loads((fitted / "metrics.json").read_text())
    probe = report["baselines"]["linear_probe"]["validation"]
    for name in ("accuracy", "f1_macro"):
        assert start[f"eval_{name}"] == pytest.approx(probe[name]["value"], abs=1e-6)
