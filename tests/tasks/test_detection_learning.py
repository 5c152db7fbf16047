"""Detectors learn a few images by heart, from random weights.

Loss, matching, answers and score have to fit together for that, and the weights it starts from
have to be such that it can learn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import EvalPrediction

from hf_vft.data.transforms.boxes import eval_box_transform
from hf_vft.models.backbones import choose_checkpoint
from hf_vft.models.detectors import load_detector
from hf_vft.tasks import ObjectDetection
from tests.made_images import processor

SIDE, COLOURS = 32, ((220, 40, 40), (40, 220, 40), (40, 40, 220))
TASK = ObjectDetection()
STEPS = {"resnet": 100, "yolos": 200}
"""Enough for each; the first is RT-DETR v2 on this backbone. ``tests.benchmarks.overfit_boxes`` has
the other families."""


def painted(count: int) -> dict[str, torch.Tensor]:
    """Images with a rectangle each; its colour is its class."""
    rng = np.random.default_rng(0)
    transform = eval_box_transform(processor(size={"height": SIDE, "width": SIDE}))
    rows = []
    for _ in range(count):
        pixels = rng.integers(100, 120, (SIDE, SIDE, 3), dtype=np.uint8)
        w, h = (int(v) for v in rng.integers(10, 18, 2))
        x, y, c = int(rng.integers(SIDE - w)), int(rng.integers(SIDE - h)), int(rng.integers(3))
        pixels[y : y + h, x : x + w] = COLOURS[c]
        label = {"bbox": [[x, y, w, h]], "category": [c], "size": [SIDE, SIDE]}
        rows.append(transform.with_boxes(Image.fromarray(pixels), label))
    return TASK.collate(rows)


def map50(model: Any, batch: dict[str, torch.Tensor]) -> float:
    with torch.inference_mode():
        found = model.eval()(pixel_values=batch["pixel_values"])
        outputs = TASK.answers(found, model.config)
    arrays = tuple(value.numpy() for value in outputs.values())
    return TASK.epoch_metrics(EvalPrediction(arrays, batch["labels"].numpy()))["map50"]


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_few_images_are_learned_by_heart(name: str) -> None:
    checkpoint = choose_checkpoint([f"scratch:{name}-mini"])
    model: Any = load_detector(checkpoint, labels=["r", "g", "b"], image_size=SIDE, seed=0).model
    batch, steps, rate = painted(4), STEPS[name], 1e-3
    assert map50(model, batch) < 0.2
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    pixels = {"pixel_values": batch["pixel_values"]}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(steps):
            optimizer.zero_grad()
            TASK.forward(model.train(), pixels, batch["labels"])[0].backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    assert map50(model, batch) > 0.9
