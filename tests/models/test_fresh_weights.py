"""Detectors of random weights start where they can learn, and end as what transformers reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModelForObjectDetection

from hf_vft.models.backbones import choose_checkpoint
from hf_vft.models.detectors import load_detector
from hf_vft.models.fresh_weights import FROZEN, sines


def fresh(name: str) -> nn.Module:
    checkpoint = choose_checkpoint([f"scratch:{name}-mini"])
    return load_detector(checkpoint, labels=["a", "b"], image_size=64, seed=0).model


@pytest.fixture(scope="module")
def detr() -> nn.Module:
    return fresh("detr")


def test_a_fresh_detr_norms_its_features(detr: nn.Module) -> None:
    kinds = {type(module).__name__ for module in detr.modules()}
    assert any(isinstance(module, nn.BatchNorm2d) for module in detr.modules())
    assert not any(kind.endswith(FROZEN) for kind in kinds)
    pixels = torch.randn(8, 3, 64, 64)
    features = detr.train().model.backbone.model(pixels).feature_maps[-1]
    assert features.std() > 0.5


def test_what_a_living_norm_learned_is_read_by_plain_transformers(
    detr: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = torch.randn(8, 3, 64, 64)
    with torch.no_grad():
        detr.train()(pixels)  # moves the running statistics
        expected = detr.eval()(pixels)
    detr.save_pretrained(tmp_path)
    detr.load_state_dict(dict(detr.state_dict()))  # of no version, as safetensors are
    plain, notes = AutoModelForObjectDetection.from_pretrained(tmp_path, output_loading_info=True)
    assert not notes["missing_keys"]
    assert not notes["unexpected_keys"]
    assert any(type(module).__name__.endswith(FROZEN) for module in plain.modules())
    with torch.no_grad():
        found = plain.eval()(pixels)
    torch.testing.assert_close(found.logits, expected.logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.pred_boxes, expected.pred_boxes, atol=1e-5, rtol=1e-4)


def test_patches_of_a_fresh_yolos_know_their_place() -> None:
    model = fresh("yolos")
    places = model.vit.embeddings.position_embeddings[0]
    side = model.config.image_size[0] // model.config.patch_size
    grid = places[1 : 1 + side * side]
    torch.testing.assert_close(grid, sines(side, side, grid.shape[-1]))
    assert model.vit.embeddings.detection_tokens.std() > 0.9


def test_near_places_are_alike_and_far_ones_are_not() -> None:
    place = sines(6, 5, 32).reshape(6, 5, 32)
    near = (place[0, 0] - place[0, 1]).norm()
    assert 0 < near < (place[0, 0] - place[0, 4]).norm()
    assert near == pytest.approx(float((place[2, 3] - place[2, 4]).norm()), rel=1e-4)
    assert near == pytest.approx(float((place[0, 0] - place[1, 0]).norm()), rel=1e-4)
