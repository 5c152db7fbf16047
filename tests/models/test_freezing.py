"""Freezing is proven by the bits before and after real optimizer steps, never by flags."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hf_vft.errors import ModelError
from hf_vft.models.freezing import eval_frozen_modules, set_trainable
from hf_vft.models.structure import anatomy
from tests.models import tiny


def train_steps(model: nn.Module, steps: int = 2) -> None:
    """What Trainer does: one optimizer, and ``model.train()`` at each step."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=0.01, weight_decay=0.1)
    for step in range(steps):
        model.train()
        eval_frozen_modules(model)
        logits = model(pixel_values=tiny.images(4, seed=step)).logits
        nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
        optimizer.zero_grad()


def changed_entries(model: nn.Module, train: str) -> set[str]:
    """Names of the parameters and statistics that training changed, to the bit."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    set_trainable(model, train)
    train_steps(model)
    return {name for name, value in model.state_dict().items() if not value.equal(before[name])}


@pytest.mark.parametrize("family", tiny.ALL)
def test_head_changes_nothing_but_the_head(family: str) -> None:
    model = tiny.ALL[family]()
    parts = anatomy(model)
    changed = changed_entries(model, "head")
    assert changed == {n for n, _ in model.named_parameters() if parts.depth(n) == parts.head_depth}


@pytest.mark.parametrize("family", ["vit", "swin", "resnet", "mobilenet_v2", "timm_resnet"])
def test_blocks_change_the_top_and_nothing_below(family: str) -> None:
    model = tiny.ALL[family]()
    parts = anatomy(model)
    changed = changed_entries(model, "blocks:1")
    assert {parts.depth(name) for name in changed} == {parts.head_depth - 1, parts.head_depth}
    if "res" in family:
        assert any("running_mean" in name for name in changed)


def test_all_changes_every_parameter() -> None:
    model = tiny.tiny_resnet()
    assert changed_entries(model, "all") == set(model.state_dict())


def test_batch_norm_would_drift_without_the_call_at_each_step() -> None:
    model = tiny.tiny_resnet()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    set_trainable(model, "head")
    model.train()
    model(pixel_values=tiny.images())
    assert any(not value.equal(before[name]) for name, value in model.state_dict().items())


def test_dropout_sleeps_only_where_nothing_learns() -> None:
    model = tiny.tiny_vit()
    set_trainable(model, "blocks:1")
    model.train()
    eval_frozen_modules(model)
    assert not model.vit.layers[0].mlp.training
    assert not model.vit.embeddings.dropout.training
    assert model.vit.layers[2].mlp.training
    assert model.training
    mobilenet = tiny.tiny_mobilenet_v2()
    set_trainable(mobilenet, "head")
    mobilenet.train()
    eval_frozen_modules(mobilenet)
    assert mobilenet.dropout.training


def test_unfreezing_later_frees_again() -> None:
    model = tiny.tiny_vit()
    assert set_trainable(model, "head") == ["classifier.weight", "classifier.bias"]
    assert set_trainable(model, "all") == [name for name, _ in model.named_parameters()]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("blocks:4", "has 3 blocks"),
        ("blocks:0", "write head, all, or blocks:K"),
        ("blocks:x", "write head, all, or blocks:K"),
        ("backbone", "write head, all, or blocks:K"),
    ],
)
def test_what_cannot_be_trained_is_refused(train: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        set_trainable(tiny.tiny_vit(), train)


def test_a_model_without_blocks_trains_its_head_or_all() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    assert set_trainable(model, "head") == ["2.weight", "2.bias"]
    assert len(set_trainable(model, "all")) == 4
    with pytest.raises(ModelError, match=r"train='blocks:1': no blocks repeat .* head or all"):
        set_trainable(model, "blocks:1")
