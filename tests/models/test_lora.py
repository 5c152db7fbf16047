"""Adapters: what they sit on, and that saved and loaded afresh they give the same logits."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import (
    AutoModelForImageClassification,
    AutoModelForObjectDetection,
    RTDetrImageProcessor,
)

from hf_vft.errors import ModelError
from hf_vft.models import lora
from hf_vft.models.backbones import choose_checkpoint
from hf_vft.models.detectors import load_detector
from hf_vft.models.freezing import eval_frozen_modules, set_trainable
from hf_vft.models.lora import add_lora, how_to_load, lora_targets, merged
from hf_vft.models.modules_to_save import parameters_left
from hf_vft.models.param_groups import parameter_groups
from hf_vft.models.structure import anatomy, head_module, last_linear
from hf_vft.recipe.schema import LoraRecipe
from tests.models import tiny, tiny_detectors

RECIPE = LoraRecipe(r=4, alpha=8, dropout=0.1)

EXPECTED = {
    "vit": {"q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"},
    "swin": {"q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"},
    "dinov2_swiglu": {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
    "convnext": {"pwconv1", "pwconv2"},
    "convnextv2": {"pwconv1", "pwconv2"},
    "resnet": {"convolution"},
    "timm_vit": {"qkv", "proj", "fc1", "fc2"},
    "timm_eva": {"proj", "fc1", "fc2"},
    "timm_beit": {"proj", "fc1", "fc2"},
    "timm_convnext": {"fc1", "fc2"},
}


UNSAVED = ["lw_detr", "rf_detr"]
"""Of their heads a part has a name that ends another's, which peft would take too."""

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


@pytest.mark.parametrize("family", ["vit", "convnext", "resnet", "timm_vit", "timm_eva"])
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
    with pytest.raises(ModelError, match=r"no layer is called 'qkv'; there are fc1, .*q_proj"):
        add_lora(tiny.tiny_vit(), LoraRecipe(target=["q_proj", "qkv"]))
    with pytest.raises(ModelError, match=r"transformers \S+ calls 'query' 'q_proj'; name that"):
        add_lora(tiny.tiny_vit(), LoraRecipe(target=["q_proj", "query"]))
    with pytest.raises(ModelError, match=r"does not call timm_model\.blocks\.0\.attn\.qkv, it"):
        add_lora(tiny.tiny_timm_eva(), LoraRecipe(target=["qkv", "proj"]))
    with pytest.raises(ModelError, match=r"layernorm is a LayerNorm that cannot"):
        add_lora(tiny.tiny_vit(), LoraRecipe(target=["vit.layernorm"]))
    with pytest.raises(ModelError, match=r"dwconv is a Conv2d that cannot"):
        add_lora(tiny.tiny_convnext(), LoraRecipe(target=["dwconv"]))


class Scaled(nn.Linear):
    """Not what a linear layer computes."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(input, self.weight / self.weight.norm(), self.bias)


LAYERS = {
    "linear": (nn.Linear(4, 6), True),
    "scaled linear": (Scaled(4, 6), False),
    "weight norm": (nn.utils.parametrizations.weight_norm(nn.Linear(4, 6)), False),
    "convolution": (nn.Conv2d(4, 6, 3, padding=1), True),
    "with strides": (nn.Conv2d(4, 6, 3, stride=2), True),
    "same": (nn.Conv2d(4, 6, 3, padding="same"), True),
    "dilated same": (nn.Conv2d(4, 6, 3, padding="same", dilation=2), False),
    "dilated": (nn.Conv2d(4, 6, 3, padding=2, dilation=2), False),
    "grouped": (nn.Conv2d(4, 6, 3, groups=2), False),
    "reflect": (nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), False),
    "circular": (nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), False),
    "one by one": (nn.Conv2d(4, 6, 1), True),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_of_layer_that_is_taken_answers_the_same_when_merged(kind: str) -> None:
    layer, taken = LAYERS[kind]
    assert lora._adaptable(layer) == taken
    if not taken:
        return
    config = LoraConfig(r=2, target_modules=["0"], init_lora_weights=False)
    adapted = get_peft_model(nn.Sequential(copy.deepcopy(layer)), config).eval()  # type: ignore[arg-type]
    pixels = torch.randn(2, 4, 8, 8)
    values = pixels if isinstance(layer, nn.Conv2d) else pixels.permute(0, 2, 3, 1)
    with torch.no_grad():
        expected = adapted(values)
        assert (expected - layer(values)).abs().max() > 1e-2
        whole = adapted.merge_and_unload()(values)
    torch.testing.assert_close(whole, expected, atol=1e-5, rtol=1e-5)


BOXES = 2 * [
    {"class_labels": torch.tensor([0, 2]), "boxes": torch.tensor([[0.5, 0.5, 0.3, 0.2]] * 2)}
]


@torch.no_grad()
def found(model: nn.Module) -> dict[str, torch.Tensor]:
    outputs = model(pixel_values=tiny.images(2, tiny_detectors.DETECTION_SIZE, seed=9))
    return {"logits": outputs.logits, "boxes": outputs.pred_boxes}


APART = ["rt_detr_v2", "d_fine", "deformable_detr_refined"]
"""Checkpoints of these on the Hub have class layers of their own for each layer of the decoder."""


def save_detector(family: str, folder: Path, tied: bool) -> None:
    """A detector of five classes; untied, every part of its head has weights of its own."""
    model: Any = tiny_detectors.DETECTORS[family](5)
    if not tied:
        config = copy.deepcopy(model.config)
        config.tie_word_embeddings = False
        model = type(model)(config)
        model.config.tie_word_embeddings = True
    model.save_pretrained(folder)
    side = {"height": tiny_detectors.DETECTION_SIZE, "width": tiny_detectors.DETECTION_SIZE}
    RTDetrImageProcessor(size=side).save_pretrained(folder)


@pytest.mark.parametrize(
    ("family", "tied"),
    [(name, name not in APART) for name in tiny_detectors.DETECTORS if name not in UNSAVED],
)
def test_a_detector_finds_the_same_merged_saved_and_in_plain_peft(
    family: str, tied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_detector(family, tmp_path / "base", tied)
    checkpoint = choose_checkpoint([str(tmp_path / "base")])
    model: Any = load_detector(checkpoint, labels=["a", "b", "c"], seed=0).model
    load = AutoModelForObjectDetection.from_pretrained
    adapted = add_lora(model, RECIPE)
    learning = set_trainable(adapted, "all")
    before = {name: value.clone() for name, value in adapted.state_dict().items()}
    optimizer = torch.optim.AdamW(parameter_groups(adapted, learning_rate=0.01))
    for step in range(2):
        eval_frozen_modules(adapted.train())
        pixels = tiny.images(2, tiny_detectors.DETECTION_SIZE, seed=step)
        adapted(pixel_values=pixels, labels=BOXES).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    changed = {n for n, value in adapted.state_dict().items() if not value.equal(before[n])}
    assert all(".lora_" in name or ".modules_to_save." in name for name in changed)
    assert {name for name in learning if ".lora_B" in name} <= changed
    expected = found(adapted.eval())

    plain: Any = merged(adapted)
    torch.testing.assert_close(found(plain), expected, atol=1e-5, rtol=0)
    plain.save_pretrained(tmp_path / "merged")
    torch.testing.assert_close(found(load(tmp_path / "merged")), expected, atol=1e-5, rtol=0)

    adapted.save_pretrained(tmp_path / "adapter")
    code = how_to_load(adapted).partition("```python")[2].partition("```")[0]
    there: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    exec(code, there)  # what the file beside the adapter tells people to run
    torch.testing.assert_close(found(there["model"]), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", UNSAVED)
def test_a_head_that_peft_cannot_name_is_refused(family: str) -> None:
    with pytest.raises(ModelError, match=r"for the end of model\.enc_out_class_embed too") as error:
        add_lora(tiny_detectors.DETECTORS[family](), RECIPE)
    assert "\n" not in str(error.value)


def test_layers_that_standardise_their_weights_are_named() -> None:
    with pytest.raises(ModelError, match=r"these are WeightStandardizedConv2d; leave"):
        lora_targets(tiny.tiny_bit())


def test_parameters_that_stand_alone_are_told() -> None:
    assert parameters_left(tiny_detectors.tiny_deformable_detr()) == ["model.level_embed"]
    assert parameters_left(tiny_detectors.tiny_detr()) == []


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


def test_a_network_that_peft_takes_for_an_adapter_is_refused_before_the_training() -> None:
    model = tiny.timm_model("dla34", 3, {"channels": (4, 4, 8, 8, 16, 16)})
    with pytest.raises(ModelError, match="called base_layer, which peft takes for an adapter"):
        add_lora(model, RECIPE)
