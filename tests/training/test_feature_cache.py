"""Cached features: the same training as on images, computed once, and never stale."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hf_vft.data.dataset import VisionDataset
from hf_vft.data.transforms.images import STRENGTHS, eval_transform, train_transform
from hf_vft.models.features import HeadOnFeatures
from hf_vft.models.structure import head_module
from hf_vft.recipe.schema import AugmentConfig
from hf_vft.tasks import ImageClassification
from hf_vft.training import feature_cache
from hf_vft.training.feature_cache import (
    VERSIONS,
    CachedFeatures,
    backbone_fingerprint,
    cached_features,
)
from tests.made_images import image_rows, processor
from tests.models.tiny import tiny_convnext, tiny_mobilenet_v2, tiny_resnet, tiny_vit
from tests.runs import fit_in_processes, small_recipe

LIGHT = AugmentConfig(**{"strength": "light", **STRENGTHS["light"]})


def dataset(count: int = 5, seed: int = 0, *, augment: bool = True) -> VisionDataset:
    process = processor()
    transform = train_transform(process, LIGHT) if augment else eval_transform(process)
    return VisionDataset(image_rows(count), transform, seed=seed)


def features(model: nn.Module, cache: Path, **changes: Any) -> torch.Tensor:
    options: dict[str, Any] = {"dataset": dataset(), "content": "a", "views": 2} | changes
    return cached_features(
        model, collate=ImageClassification().collate, batch_size=2, cache_dir=cache, **options
    )


class Counter:
    """Counts how often a model is called."""

    def __init__(self, model: nn.Module) -> None:
        self.calls = 0
        model.register_forward_pre_hook(self)

    def __call__(self, *_: Any) -> None:
        self.calls += 1


@pytest.mark.parametrize("build", [tiny_convnext, tiny_vit, tiny_resnet, tiny_mobilenet_v2])
def test_the_head_on_features_answers_like_the_model(
    build: Callable[[], nn.Module], tmp_path: Path
):
    model, shown = build(), dataset()
    cached = CachedFeatures(features(model, tmp_path, dataset=shown), shown.labels)
    head = HeadOnFeatures(head_module(model)).eval()
    for epoch in range(3):
        cached.set_epoch(epoch)
        shown.set_epoch(epoch % 2)  # there are two views, so the third epoch shows the first
        rows = [cached[i] for i in range(5)]
        found = head(torch.stack([row["features"] for row in rows]))["logits"]
        expected = model(torch.stack([shown[i]["pixel_values"] for i in range(5)])).logits
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        assert [row["labels"] for row in rows] == shown.labels


def test_the_second_time_nothing_is_computed(tmp_path: Path):
    model = tiny_convnext()
    first = features(model, tmp_path)
    counter = Counter(model)
    assert torch.equal(features(model, tmp_path), first)
    assert counter.calls == 0


def test_more_views_compute_only_what_is_missing(tmp_path: Path):
    model = tiny_convnext()
    two = features(model, tmp_path)
    counter = Counter(model)
    three = features(model, tmp_path, views=3)
    assert counter.calls == 3  # five images, two at a time
    assert torch.equal(three[:2], two)


@pytest.mark.parametrize(
    "change",
    [
        {"content": "other images, or another transform"},
        {"dataset": dataset(seed=1)},
        {"dataset": dataset(4)},
        {"dtype": torch.bfloat16},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_is_computed_anew(change: dict[str, Any], tmp_path: Path):
    model = tiny_convnext()
    features(model, tmp_path)
    counter = Counter(model)
    features(model, tmp_path, **change)
    assert counter.calls > 0


@pytest.mark.parametrize("name", ["__version__", "VERSIONS"])
def test_another_version_of_what_computes_them_is_another_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model = tiny_convnext()
    features(model, tmp_path)
    monkeypatch.setattr(feature_cache, name, ("another",))
    counter = Counter(model)
    features(model, tmp_path)
    assert counter.calls > 0
    assert {word.split()[0] for word in VERSIONS} == {"torch", "torchvision", "transformers", "PIL"}


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model = tiny_convnext()
    features(model, tmp_path, views=1, content="a")
    features(model, tmp_path, views=1, content="b")
    (size,) = {path.stat().st_size for path in tmp_path.rglob("*.safetensors")}
    for age, path in enumerate(sorted(tmp_path.rglob("*.safetensors"))):
        os.utime(path, (age, age))
    features(model, tmp_path, views=1, content="a")  # used again, so that b is the older
    monkeypatch.setattr(feature_cache, "LIMIT", 2 * size)
    features(model, tmp_path, views=1, content="c")
    counter = Counter(model)
    features(model, tmp_path, views=1, content="a")
    features(model, tmp_path, views=1, content="c")
    assert counter.calls == 0
    features(model, tmp_path, views=1, content="b")
    assert counter.calls > 0
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2


def _shift_weight(model: nn.Module) -> None:
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1e-3


def _shift_statistics(model: nn.Module) -> None:
    next(b for name, b in model.named_buffers() if "running_mean" in name)[0] += 1e-3


def _change_activation(model: Any) -> None:
    model.config.hidden_act = "silu"


@pytest.mark.parametrize("change", [_shift_weight, _shift_statistics, _change_activation])
def test_another_backbone_has_another_name(change: Callable[[nn.Module], None]):
    model = tiny_resnet()
    before = backbone_fingerprint(model)
    change(model)
    assert backbone_fingerprint(model) != before


def test_head_and_labels_are_no_part_of_the_name():
    model: Any = tiny_resnet()
    before = backbone_fingerprint(model)
    with torch.no_grad():
        head_module(model)[-1].weight += 1
    model.config.id2label = {0: "a", 1: "b", 2: "c"}
    assert backbone_fingerprint(model) == before


@pytest.mark.parametrize("damage", [b"", b"no safetensors", None])
def test_a_damaged_file_is_made_again(damage: bytes | None, tmp_path: Path):
    model = tiny_convnext()
    first = features(model, tmp_path)
    for file in tmp_path.rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-8] if damage is None else damage)
    assert torch.equal(features(model, tmp_path), first)
    counter = Counter(model)
    features(model, tmp_path)
    assert counter.calls == 0


def test_half_precision_is_close(tmp_path: Path):
    model = tiny_convnext()
    full = features(model, tmp_path)
    half = features(model, tmp_path, dtype=torch.bfloat16)
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    torch.testing.assert_close(full, half, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("strength", ["none", "light"])
def test_a_head_stage_is_the_same_with_and_without_the_cache(
    strength: str, images: Path, convnext: Path, tmp_path: Path
):
    stage = {"name": "head", "train": "head", "epochs": 2, "views": 2, "keep_if_better": False}
    recipe = small_recipe(
        images, convnext, augment={"strength": strength}, stages=[stage | {"learning_rate": 0.01}]
    )
    losses = {}
    for cached in (True, False):
        out = tmp_path / str(cached)
        chosen = recipe.replaced({"training.cache_features": cached})
        assert fit_in_processes(chosen, out) == [0]
        losses[cached] = [
            (record["train_loss"], record["eval_loss"])
            for record in json.loads((out / "history.json").read_text())
        ]
    np.testing.assert_allclose(losses[True], losses[False], rtol=1e-4)
    (first, *_), (last, *_) = losses[True][0], losses[True][-1]
    assert last < first
