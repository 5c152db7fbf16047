"""A detector learns a few pictures by heart: loss, matching, answers and score fit together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers as tf
from PIL import Image
from transformers import EvalPrediction

from hf_vft.data.box_transforms import eval_box_transform
from hf_vft.tasks import ObjectDetection
from tests.pictures import processor

SIDE, COLOURS = 64, ((220, 40, 40), (40, 220, 40), (40, 40, 220))
TASK = ObjectDetection()


def small_detector() -> Any:
    sizes = {"encoder_hidden_dim": 48, "d_model": 48, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    backbone = tf.ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 16, 32, 48],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_indices=[2, 3, 4],
    )
    config = tf.RTDetrV2Config(
        **sizes,
        backbone_config=backbone,
        encoder_in_channels=[16, 32, 48],
        decoder_in_channels=[48, 48, 48],
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        decoder_layers=2,
        num_queries=20,
        hidden_expansion=0.5,
        num_denoising=8,
        freeze_backbone_batch_norms=False,
        num_labels=3,
    )
    return tf.RTDetrV2ForObjectDetection(config)


def painted(count: int) -> dict[str, torch.Tensor]:
    """Pictures with a rectangle each; its colour is its class."""
    rng = np.random.default_rng(0)
    transform = eval_box_transform(processor(size={"height": SIDE, "width": SIDE}))
    rows = []
    for _ in range(count):
        pixels = rng.integers(100, 120, (SIDE, SIDE, 3), dtype=np.uint8)
        w, h = (int(v) for v in rng.integers(18, 30, 2))
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
def test_a_few_pictures_are_learned_by_heart() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, batch, steps = small_detector(), painted(6), 140
        assert map50(model, batch) < 0.2
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        pixels = {"pixel_values": batch["pixel_values"]}
        for _ in range(steps):
            optimizer.zero_grad()
            TASK.forward(model.train(), pixels, batch["labels"])[0].backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    assert map50(model, batch) > 0.9
