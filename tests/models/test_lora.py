"""Adapters: what they sit on, and that saved and loaded afresh they give the same logits."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import nn
from transformers import AutoModelForImageClassification

from hf_vft.errors import ModelError
from hf_vft.models.freezing import eval_frozen_modules, set_trainable
from hf_vft.models.lora import add_lora, lora_targets, merged
from hf_vft.models.param_groups import parameter_groups
from hf_vft.models.structure import anatomy, head_module, last_linear
from hf_vft.recipe import LoraRecipe
from tests.models import tiny

RECIPE = LoraRecipe(r=4, alpha=8, dropout=0.1)

EXPECTED = {
    "vit": {"q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"},
    "swin": {"q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"},
    "dinov2_swiglu": {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
    "convnext": {"pwconv1", "pwconv2"},
    "convnextv2": {"pwconv1", "pwconv2"},
    "resnet": {"convolution"},
    "timm_vit": {"qkv", "proj", "fc1", "fc2"},
    "timm_convnext": {"fc1", "fc2"},
}


PADDED = ["mobilenet_v1", "mobilenet_v2"]
"""They look at their convolutions before each step, which an adapter in their place is not."""

ADAPTABLE = [family for family in tiny.ALL if family not in PADDED]


def train(model: nn.Module, steps: int = 3) -> nn.Module:
    optimizer = torch.optim.AdamW(parameter_groups(model, learning_rate=0.01))
    for step in range(steps):
        model.train()
        eval_frozen_modules(model)
        logits = model(pixel_values=tiny.images(4, seed=step)).logits
        nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@torch.no_grad()
def logits(model: nn.Module) -> torch.Tensor:
    return model(pixel_values=tiny.images(3, seed=9)).logits


@pytest.mark.parametrize(("family", "expected"), EXPECTED.items())
def test_targets_are_found_by_structure(family: str, expected: set[str]) -> None:
    model = tiny.ALL[family]()
    targets = lora_targets(model)
    names = {name.rpartition(".")[2] for name in targets}
    assert names == expected
    blocks = anatomy(model).blocks
    assert all(name.startswith(blocks) for name in targets)
    for block in blocks:
        assert any(name.startswith(f"{block}.") for name in targets)


@pytest.mark.parametrize("family", ADAPTABLE)
def test_saved_and_loaded_afresh_the_logits_are_the_same(family: str, tmp_path: Path) -> None:
    model = tiny.ALL[family]()
    model.save_pretrained(tmp_path / "base")
    untrained = logits(model)
    adapted = add_lora(model, RECIPE)
    set_trainable(adapted, "all")
    expected = logits(train(adapted))
    assert (expected - untrained).abs().max() > 1e-3

    adapted.save_pretrained(tmp_path / "adapter")
    fresh = AutoModelForImageClassification.from_pretrained(tmp_path / "base").eval()
    torch.testing.assert_close(logits(fresh), untrained, atol=1e-5, rtol=0)
    reloaded = PeftModel.from_pretrained(fresh, tmp_path / "adapter").eval()
    torch.testing.assert_close(logits(reloaded), expected, atol=1e-5, rtol=0)

    plain = merged(adapted)
    assert not any("lora" in name for name in plain.state_dict())
    plain.save_pretrained(tmp_path / "merged")
    again = AutoModelForImageClassification.from_pretrained(tmp_path / "merged").eval()
    assert type(again) is type(fresh)
    torch.testing.assert_close(logits(again), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(logits(adapted), expected, atol=0, rtol=0)


@pytest.mark.parametrize("family", PADDED)
def test_a_model_that_plain_peft_could_not_run_is_refused(family: str) -> None:
    with pytest.raises(ModelError, match=r"leave model\.lora out"):
        add_lora(tiny.ALL[family](), RECIPE)


@pytest.mark.parametrize("family", ["vit", "convnext", "resnet", "timm_vit"])
def test_only_adapters_and_head_learn(family: str) -> None:
    adapted = add_lora(tiny.ALL[family](), RECIPE)
    for stage in ("all", "blocks:1", "head"):
        before = {name: value.clone() for name, value in adapted.state_dict().items()}
        learning = set_trainable(adapted, stage)
        train(adapted)
        after = adapted.state_dict()
        changed = {name for name, value in after.items() if not value.equal(before[name])}
        assert changed == set(learning)
        assert all(".lora_" in name or ".modules_to_save." in name for name in learning)
        assert any(".lora_" in name for name in learning) == (stage != "head")


@pytest.mark.parametrize("family", ADAPTABLE)
def test_structure_is_seen_through_adapters(family: str) -> None:
    plain = tiny.ALL[family]()
    parts, head = anatomy(plain), head_module(plain)
    adapted = add_lora(plain, RECIPE)
    wrapped = anatomy(adapted)
    assert wrapped.blocks == tuple(f"base_model.model.{name}" for name in parts.blocks)
    assert wrapped.head == tuple(f"base_model.model.{name}" for name in parts.head)
    assert head_module(adapted) is not head
    assert last_linear(adapted).weight.requires_grad
    data_parallel = nn.DataParallel(adapted)
    assert set_trainable(data_parallel, "head") == [
        f"module.{name}" for name in set_trainable(adapted, "head")
    ]


def test_rank_is_lower_than_the_layers() -> None:
    model = tiny.tiny_swinv2()
    assert any("continuous_position_bias" in name for name in lora_targets(model))
    assert not any("continuous_position_bias" in name for name in lora_targets(model, rank=4))
    with pytest.raises(ModelError, match=r"lower model\.lora\.r"):
        lora_targets(model, rank=64)


def test_named_targets_are_taken_or_refused() -> None:
    adapted = add_lora(tiny.tiny_vit(), LoraRecipe(target=["q_proj", "vit.layers.0.mlp.fc1"]))
    names = {n.partition(".lora_A")[0] for n, _ in adapted.named_parameters() if ".lora_A" in n}
    assert len(names) == 4
    with pytest.raises(ModelError, match=r"no layer is called 'query'; there are fc1, .*q_proj"):
        add_lora(tiny.tiny_vit(), LoraRecipe(target=["q_proj", "query"]))
    with pytest.raises(ModelError, match=r"layernorm is a LayerNorm that cannot"):
        add_lora(tiny.tiny_vit(), LoraRecipe(target=["vit.layernorm"]))
    with pytest.raises(ModelError, match=r"dwconv is a Conv2d that cannot"):
        add_lora(tiny.tiny_convnext(), LoraRecipe(target=["dwconv"]))


def test_a_backbone_from_scratch_is_refused() -> None:
    model = tiny.tiny_vit()
    model.name_or_path = "scratch:convnextv2-mini"
    with pytest.raises(ModelError, match="adapters need a pre-trained backbone"):
        add_lora(model, RECIPE)


def test_merging_leaves_the_adapted_model_alone() -> None:
    adapted = train(add_lora(tiny.tiny_vit(), RECIPE))
    before = copy.deepcopy(adapted.state_dict())
    merged(adapted)
    assert all(value.equal(before[name]) for name, value in adapted.state_dict().items())
    plain = tiny.tiny_vit()
    assert merged(plain) is plain
