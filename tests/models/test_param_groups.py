from __future__ import annotations

import math

import pytest
import timm.optim
import torch
from torch import nn

from hf_vft.errors import ModelError
from hf_vft.models.freezing import set_trainable
from hf_vft.models.param_groups import parameter_groups
from tests.models import tiny


def settings(model: nn.Module, **options: object) -> dict[str, tuple[float, float]]:
    """Learning rate and weight decay of each parameter, through a real optimizer."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = parameter_groups(model, **{"learning_rate": 1.0, **options})
    optimizer = torch.optim.AdamW(groups, lr=123.0, weight_decay=123.0)
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


@pytest.mark.parametrize("family", tiny.ALL)
def test_every_parameter_is_in_exactly_one_group(family: str) -> None:
    model = tiny.ALL[family]()
    groups = parameter_groups(model, learning_rate=1.0, layer_decay=0.5, weight_decay=0.1)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())
    assert len({group["name"] for group in groups}) == len(groups)


@pytest.mark.parametrize("family", tiny.ALL)
def test_no_decay_on_norms_biases_and_embeddings(family: str) -> None:
    model = tiny.ALL[family]()
    decayed = {name for name, (_, decay) in settings(model, weight_decay=0.1).items() if decay}
    assert decayed
    for name, parameter in model.named_parameters():
        special = any(
            word in name for word in ("pos_embed", "position_emb", "token", "norm", "grn")
        )
        if parameter.ndim < 2 or name.endswith("bias") or special:
            assert name not in decayed
        elif name.endswith(("weight", "kernel")):
            assert name in decayed


def test_rates_fall_from_the_top_block_to_the_stem() -> None:
    rates = settings(tiny.tiny_vit(), layer_decay=0.5, head_learning_rate=10.0)
    assert rates["classifier.weight"][0] == 10.0
    assert rates["vit.layernorm.weight"][0] == 1.0
    assert rates["vit.layers.2.mlp.fc1.weight"][0] == 1.0
    assert rates["vit.layers.1.mlp.fc1.weight"][0] == 0.5
    assert rates["vit.layers.0.mlp.fc1.weight"][0] == 0.25
    assert rates["vit.embeddings.cls_token"][0] == 0.125


def test_without_layer_decay_there_are_two_rates() -> None:
    groups = parameter_groups(tiny.tiny_vit(), learning_rate=1.0, head_learning_rate=10.0)
    assert {(group["name"], group["lr"]) for group in groups} == {("backbone", 1.0), ("head", 10.0)}
    same = parameter_groups(tiny.tiny_vit(), learning_rate=1.0, weight_decay=0.1)
    assert [group["name"] for group in same] == [
        "backbone, no decay",
        "backbone",
        "head",
        "head, no decay",
    ]
    assert {group["lr"] for group in same} == {1.0}


def test_a_head_rate_of_zero_is_a_rate() -> None:
    rates = settings(tiny.tiny_vit(), head_learning_rate=0.0)
    assert rates["classifier.weight"][0] == 0.0
    assert rates["vit.layernorm.weight"][0] == 1.0


def test_agrees_with_timm_where_the_definitions_coincide() -> None:
    """timm counts the final norm as a layer of its own with the head: compare relative rates."""
    model = tiny.tiny_timm_vit().timm_model
    ours = settings(model, layer_decay=0.75, weight_decay=0.1)
    groups = timm.optim.param_groups_layer_decay(
        model, weight_decay=0.1, layer_decay=0.75, no_weight_decay_list=model.no_weight_decay()
    )
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    theirs = {
        names[id(parameter)]: (group["lr_scale"], group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }
    assert ours.keys() == theirs.keys()
    for name, (rate, decay) in ours.items():
        scale, their_decay = theirs[name]
        assert decay == their_decay, name
        if name.startswith(("blocks", "patch_embed", "cls_token", "pos_embed")):
            assert math.isclose(rate, scale / 0.75), name


def test_only_what_learns_is_grouped() -> None:
    model = tiny.tiny_convnext()
    learning = set_trainable(model, "blocks:1")
    assert set(settings(model)) == set(learning)


def test_patterns_set_the_rate_whatever_the_depth() -> None:
    rates = settings(tiny.tiny_vit(), rates={r"\.attention\.": 7.0}, layer_decay=0.5)
    assert {rate for name, (rate, _) in rates.items() if ".attention." in name} == {7.0}
    assert rates["vit.layers.2.mlp.fc1.weight"][0] == 1.0


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("attnetion", "no parameter that learns matches"), ("(", "no regular expression")],
)
def test_a_pattern_that_matches_nothing_is_an_error(pattern: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parameter_groups(tiny.tiny_vit(), learning_rate=1.0, rates={pattern: 1.0})


def test_a_pattern_that_matches_only_frozen_parameters_is_an_error() -> None:
    model = tiny.tiny_vit()
    set_trainable(model, "head")
    with pytest.raises(ModelError, match="no parameter that learns matches"):
        parameter_groups(model, learning_rate=1.0, rates={"attention": 1.0})


def test_a_frozen_model_is_an_error() -> None:
    with pytest.raises(ModelError, match="set_trainable"):
        parameter_groups(tiny.tiny_vit().requires_grad_(False), learning_rate=1.0)
