"""From a repository on the Hub to a model that is pushed there and read by plain transformers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import HfApi
from PIL import Image

from hf_vft.hub.push import push_run
from hf_vft.inference.predictor import Predictor
from hf_vft.models.backbones import HUB_DEFAULTS
from hf_vft.recipe.schema import Recipe, load_recipe, parse_recipe
from hf_vft.run import RunDirectory
from hf_vft.workflows.evaluate import evaluate_run
from hf_vft.workflows.fit import fit
from tests.families.replicas import REPLICAS
from tests.hub.loopback import WRITE, LoopbackHub, asked
from tests.runs import RECIPE

pytestmark = pytest.mark.slow

FITTED = (
    "facebook/convnextv2-tiny-22k-224",
    "google/vit-base-patch16-224-in21k",
    "timm/vit_tiny_patch16_224.augreg_in21k",
)
"""In `make test`: one of each kind of processor."""

MORE = (
    "PekingU/rtdetr_v2_r18vd",
    "facebook/convnext-tiny-224",
    "timm/resnet18.a1_in1k",
    "timm/convnext_tiny.in12k_ft_in1k",
    "timm/efficientnet_b0.ra_in1k",
    "facebook/dinov2-with-registers-small",
    "google/siglip2-base-patch16-224",
    "microsoft/resnet-50",
    "apple/mobilevit-small",
    "google/mobilenet_v2_1.0_224",
    "facebook/detr-resnet-50",
    "hustvl/yolos-tiny",
    "ustc-community/dfine-small-coco",
)
"""In ``make test-families``."""

READ = """
import json, sys
import numpy as np, torch, transformers
assert not any(name.startswith("hf_vft") for name in sys.modules)
found = {}
for name, kind in json.load(sys.stdin).items():
    auto = getattr(transformers, f"AutoModelFor{kind}")
    model = auto.from_pretrained(name, use_safetensors=True).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(name)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    with torch.inference_mode():
        logits = model(**processor(pixels, return_tensors="pt")).logits
    found[name] = logits.flatten()[:50].tolist()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackHub]:
    """With the replicas that are fine-tuned here; what is fetched lies in a cache of its own."""
    with LoopbackHub() as running, asked(running, tmp_path_factory.mktemp("hub") / "cache"):
        for name in {*HUB_DEFAULTS, *FITTED, *MORE}:
            files, proposed = REPLICAS[name].files()
            running.host(name, files, proposed=proposed)
        yield running


@pytest.fixture(scope="module")
def two_colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 images in two classes, as folders."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(24):
        pixels = rng.integers(0, 120, (40, 32, 3), dtype=np.uint8)
        pixels[..., number % 2] += 120
        where = folder / ("red", "green")[number % 2]
        where.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(where / f"{number}.png")
    return folder


def recipe(name: str, two_colours: Path, boxes: Path) -> Recipe:
    """An epoch, of the head and of all."""
    replica = REPLICAS[name]
    stages = [
        {"name": part, "train": part, "epochs": 1, "learning_rate": 1e-3}
        for part in ("head", "all")
    ]
    common = {"model.candidates": [name], "image.size": replica.side, "stages": stages}
    if replica.task == "object-detection":
        settings = {"data.path": str(boxes), "data.group_column": "part_id",
                    "training.batch_size": 16, "training.eval_batch_size": 16,
                    "training.ema_decay": 0.0, "evaluation.bootstrap": 20}  # fmt: skip
        return load_recipe("detection").replaced(common | settings)
    return parse_recipe(RECIPE | {"data": {"path": str(two_colours)}}).replaced(common)


def led_through(
    name: str, hub: LoopbackHub, two_colours: Path, boxes: Path, out: Path
) -> RunDirectory:
    """Fit, evaluate, predict, serve, push."""
    settings = recipe(name, two_colours, boxes)
    run = fit(settings, out / name.replace("/", "--"))
    source = settings.data.path
    assert source is not None
    assert evaluate_run(run.path, source).result
    files = sorted(Path(source).rglob("*.png"))[:2]
    assert all(answer.error is None for answer in Predictor(run).answer_files(files))
    push_run(run, pushed(name), api=HfApi(endpoint=hub.url, token=WRITE), verify=False)
    return run


def pushed(name: str) -> str:
    return f"maker/{name.partition('/')[2]}"


def same_in_a_fresh_process(runs: dict[str, RunDirectory], hub: LoopbackHub, home: Path) -> None:
    """One process without hf-vft reads all that was pushed, and their folders, and compares."""
    kinds = {"image-classification": "ImageClassification", "object-detection": "ObjectDetection"}
    wanted = {}
    for name, run in runs.items():
        kind = kinds[REPLICAS[name].task]
        wanted |= {pushed(name): kind, str(run.model.resolve()): kind}
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for name, run in runs.items():
        theirs, ours = found[pushed(name)], found[str(run.model.resolve())]
        torch.testing.assert_close(torch.tensor(theirs), torch.tensor(ours), msg=name)


def test_checkpoints_of_the_hub_are_fitted_served_pushed_and_read_back(
    hub: LoopbackHub, two_colours: Path, images: Path, tmp_path: Path
) -> None:
    runs = {name: led_through(name, hub, two_colours, images, tmp_path / "runs") for name in FITTED}
    served(next(iter(runs.values())), next(two_colours.rglob("*.png")), tmp_path)
    same_in_a_fresh_process(runs, hub, tmp_path)


def served(run: RunDirectory, image: Path, folder: Path) -> None:
    """The app is built, and its service answers and keeps a log."""
    pytest.importorskip("gradio", reason="needs hf-vft[serve]")
    from hf_vft.serving.app import build_app
    from hf_vft.serving.service import Service

    service = Service(run, log=folder / "log")
    try:
        assert build_app(service) is not None
        assert len(service.predict(image).scores) == 2
    finally:
        service.close()


@pytest.mark.families
@pytest.mark.parametrize("name", MORE)
def test_more_checkpoints_are_fitted_pushed_and_read_back(
    name: str, hub: LoopbackHub, two_colours: Path, images: Path, tmp_path: Path
) -> None:
    run = led_through(name, hub, two_colours, images, tmp_path)
    same_in_a_fresh_process({name: run}, hub, tmp_path)


def test_with_no_model_named_the_first_default_of_the_hub_is_fine_tuned(
    hub: LoopbackHub, two_colours: Path, tmp_path: Path
) -> None:
    settings = recipe(HUB_DEFAULTS[0], two_colours, two_colours).replaced(
        {"model.candidates": "auto"}
    )
    run = fit(settings, tmp_path / "run")
    choices = {choice["name"]: choice for choice in run.read_json(run.path / "choices.json")}
    assert HUB_DEFAULTS[0] in json.dumps(choices)
    assert (run.model / "model.safetensors").is_file()
    assert run.recipe().model.candidates == [HUB_DEFAULTS[0]]


def test_every_default_of_the_hub_can_be_fetched_and_gets_a_head(
    hub: LoopbackHub, two_colours: Path
) -> None:
    from hf_vft.models.backbones import choose_checkpoint
    from hf_vft.tasks import get_task

    for name in HUB_DEFAULTS:
        checkpoint = choose_checkpoint([name], offline=False)
        for framing in ("processor", "squash", "pad"):
            get_task("image-classification").load(
                checkpoint, labels=["a", "b"], image_size=32, image_fit=framing, seed=0
            )
