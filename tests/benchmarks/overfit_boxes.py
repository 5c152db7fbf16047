"""Whether detectors learn at all: a few images by heart, from random weights.

    python -m tests.benchmarks.overfit_boxes [NAME STEPS]

``resnet`` and ``convnextv2`` are RT-DETR v2 on these backbones; the others are families.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from PIL import Image
from transformers import EvalPrediction

from hf_vft.data.demo.images import DemoConfig, generate
from hf_vft.data.transforms.boxes import eval_box_transform
from hf_vft.models.backbones import choose_checkpoint
from hf_vft.models.detectors import load_detector
from hf_vft.tasks import ObjectDetection
from tests.made_images import processor

SIDE, IMAGES = 64, 8
CLASSES = ["scratch", "pit", "crack", "stain", "inclusion"]
TASK = ObjectDetection()
STEPS = {"resnet": 100, "convnextv2": 100, "d-fine": 100, "detr": 300, "yolos": 500}
RATES = {"detr": 5e-4}


def new(name: str) -> Any:
    """A detector of the catalogue, or RT-DETR v2 on a backbone of it; the weights are random."""
    checkpoint = choose_checkpoint([f"scratch:{name}-mini"])
    return load_detector(checkpoint, labels=CLASSES, image_size=SIDE, seed=0).model


def batch() -> dict[str, torch.Tensor]:
    """Generated images with a defect each."""
    transform = eval_box_transform(processor(size={"height": SIDE, "width": SIDE}))
    config = DemoConfig(size=SIDE, contrast=4.0)
    found = [image for i in range(0, 200, 2) if (image := generate(i, config)).boxes]
    rows = []
    for one in found[:IMAGES]:
        label = {
            "bbox": [list(map(float, box)) for box in one.boxes],
            "category": [CLASSES.index(one.label)] * len(one.boxes),
            "size": [SIDE, SIDE],
        }
        rows.append(transform.with_boxes(Image.fromarray(one.image), label))
    return TASK.collate(rows)


def map50(model: Any, given: dict[str, torch.Tensor]) -> float:
    """On the very images that were learned."""
    with torch.inference_mode():
        outputs = TASK.answers(model.eval()(pixel_values=given["pixel_values"]), model.config)
    arrays = tuple(value.numpy() for value in outputs.values())
    return TASK.epoch_metrics(EvalPrediction(arrays, given["labels"].numpy()))["map50"]


def learn(model: Any, given: dict[str, torch.Tensor], steps: int, rate: float) -> float:
    """Train on one batch; the mAP50 that comes of it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    pixels = {"pixel_values": given["pixel_values"]}
    for _ in range(steps):
        optimizer.zero_grad()
        loss, _ = TASK.forward(model.train(), pixels, given["labels"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return map50(model, given)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    names = sys.argv[1:2] or list(STEPS)
    given = batch()
    for name in names:
        began = time.process_time()
        steps = int(sys.argv[2]) if len(sys.argv) > 2 else STEPS[name]
        model = new(name)
        before = map50(model, given)
        after = learn(model, given, steps, RATES.get(name, 1e-3))
        spent = time.process_time() - began
        print(
            f"{name:<12} mAP50 {before:.2f} before, {after:.2f} after {steps} steps, {spent:.0f} s"
        )


if __name__ == "__main__":
    main()
