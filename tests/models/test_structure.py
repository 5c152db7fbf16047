from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn

from hf_vft.errors import ModelError
from hf_vft.models.structure import Anatomy, anatomy, head_module, last_linear
from tests.models import tiny

BLOCKS = {
    "swin": 4,
    "swinv2": 4,
    "pvt_v2": 3,
    "convnext": 3,
    "convnextv2": 3,
    "resnet": 4,
    "resnet_bottleneck": 4,
    "regnet": 3,
    "efficientnet": 10,
    "mobilenet_v1": 26,
    "mobilenet_v2": 16,
    "mobilevit": 7,
    "timm_resnet": 5,
    "timm_convnext": 5,
    "timm_efficientnet": 5,
}


@pytest.fixture(params=tiny.ALL)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


def order_of_calls(model: nn.Module, names: tuple[str, ...]) -> list[str]:
    """The modules among ``names`` in the order in which the input passes them."""
    called: list[str] = []
    hooks = [
        model.get_submodule(name).register_forward_pre_hook(
            lambda *_, name=name: called.append(name) if name not in called else None
        )
        for name in names
    ]
    with torch.no_grad():
        model(pixel_values=tiny.images())
    for hook in hooks:
        hook.remove()
    return called


def in_order_of_calls(model: nn.Module) -> list[str]:
    """The names of the parameters that lie directly in called modules, the first called first."""
    called = order_of_calls(model, tuple(name for name, _ in model.named_modules() if name))
    return [
        f"{module}.{name}"
        for module in called
        for name, _ in model.get_submodule(module).named_parameters(recurse=False)
    ]


def test_blocks_run_from_input_to_output_and_the_head_last(family: str) -> None:
    model = tiny.ALL[family]()
    parts = anatomy(model)
    assert len(parts.blocks) == BLOCKS.get(family, 3)
    assert order_of_calls(model, parts.blocks + parts.head) == list(parts.blocks + parts.head)


def test_every_parameter_has_one_depth_that_grows_with_the_network(family: str) -> None:
    model = tiny.ALL[family]()
    parts = anatomy(model)
    depths = [parts.depth(name) for name, _ in model.named_parameters()]
    passed = [parts.depth(name) for name in in_order_of_calls(model)]
    assert passed == sorted(passed)
    assert set(depths) == set(range(len(parts.blocks) + 2))
    assert parts.stem


def test_the_head_gives_the_logits_from_the_pooled_feature(family: str) -> None:
    model = tiny.ALL[family](num_labels=5)
    seen = []
    handle = head_module(model).register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        logits = model(pixel_values=tiny.images()).logits
    handle.remove()
    assert seen[0].flatten(1).shape == (2, last_linear(model).in_features)
    with torch.no_grad():
        torch.testing.assert_close(head_module(model)(seen[0]), logits)
    assert last_linear(model).out_features == 5


def test_no_block_holds_most_of_the_network(family: str) -> None:
    model = tiny.ALL[family]()
    sizes = [
        sum(p.numel() for p in model.get_submodule(name).parameters())
        for name in anatomy(model).blocks
    ]
    assert max(sizes) < 0.75 * sum(sizes)


def test_down_sampling_belongs_to_a_block_of_its_own_stage() -> None:
    swin, convnext = anatomy(tiny.tiny_swin()), anatomy(tiny.tiny_convnext())
    assert swin.depth("swin.encoder.layers.0.downsample.norm.weight") == 2
    assert convnext.depth("convnext.encoder.stages.1.downsampling_layer.1.weight") == 2


def test_final_norm_belongs_to_the_last_block() -> None:
    parts = anatomy(tiny.tiny_vit())
    assert parts.tail == ("vit.layernorm",)
    assert parts.depth("vit.layernorm.weight") == len(parts.blocks)


class Wrapped(nn.Module):
    """What ``torch.compile`` returns, as far as names are concerned."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._orig_mod = model


@pytest.mark.parametrize("wrap", [nn.DataParallel, Wrapped])
def test_wrappers_only_add_a_prefix(wrap: type[nn.Module]) -> None:
    model = tiny.tiny_resnet()
    wrapped = wrap(model)
    prefix = "module." if wrap is nn.DataParallel else "_orig_mod."
    assert anatomy(wrapped).blocks == tuple(prefix + name for name in anatomy(model).blocks)
    assert head_module(wrapped) is head_module(model)
    for name, _ in model.named_parameters():
        assert anatomy(wrapped).depth(prefix + name) == anatomy(model).depth(name)


def test_plain_sequences_are_understood() -> None:
    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    deep = nn.Sequential(nn.Sequential(block, copy.deepcopy(block)), nn.Linear(4, 2))
    assert anatomy(deep) == Anatomy((), ("0.0", "0.1"), (), ("1",))
    flat = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 2))
    assert anatomy(flat) == Anatomy((), ("0", "2"), (), ("3",))


class Declared(nn.Module):
    anatomy = Anatomy(stem=(), blocks=("first",), tail=(), head=("second",))

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 2)


def test_a_declared_anatomy_is_taken_at_its_word() -> None:
    model = Declared()
    assert anatomy(model) == Declared.anatomy
    assert head_module(model) is model.second
    assert last_linear(model) is model.second
    assert anatomy(nn.DataParallel(model)).blocks == ("module.first",)


def test_two_heads_have_no_one_feature() -> None:
    model = tiny.tiny_deit_with_teacher()
    assert anatomy(model).head == ("cls_classifier", "distillation_classifier")
    with pytest.raises(ModelError, match=r"2 heads .*cache_features=false"):
        head_module(model)


def test_a_bare_backbone_has_no_head() -> None:
    with pytest.raises(ModelError, match="no head after its backbone"):
        anatomy(tiny.tiny_vit().vit)


def test_a_classifier_that_is_no_layer_of_its_own_is_said_to_be_so() -> None:
    class OneLayerForImageClassification(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.only = nn.Identity()

    with pytest.raises(ModelError, match="its classifier cannot be told from its backbone"):
        anatomy(OneLayerForImageClassification())


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(ModelError, match=r"no parameter 'nowhere\.weight'"):
        anatomy(tiny.tiny_vit()).depth("nowhere.weight")


@pytest.mark.parametrize("family", [tf.ConditionalDetrConfig, tf.DeformableDetrConfig])
def test_a_detector_on_a_backbone_of_timm_has_the_same_parts(family: Any) -> None:
    """Older repositories name a network of timm in place of a configuration."""
    config = family(
        use_timm_backbone=True,
        backbone="test_resnet",
        use_pretrained_backbone=False,
        backbone_config=None,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=4,
    )
    parts = anatomy(tf.AutoModelForObjectDetection.from_config(config))
    assert all(name.startswith("model.backbone.model.layer") for name in parts.blocks)
    assert {"model.input_proj", "model.input_projection"} & set(parts.head)
