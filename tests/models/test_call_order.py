"""The order of calls is that of a forward pass, asked without touching the model."""

from __future__ import annotations

import pytest
import torch
import transformers as tf
from torch import nn

from hf_vft.errors import ModelError
from hf_vft.models.call_order import call_order, own_sides
from tests.models import tiny, tiny_detectors


def tiny_poolformer() -> nn.Module:
    """Its stems of all stages are registered before its first block."""
    config = tf.PoolFormerConfig(
        hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], num_labels=3, mlp_ratio=2.0
    )
    return tf.PoolFormerForImageClassification(config).eval()


def test_modules_come_in_the_order_in_which_they_are_called() -> None:
    order = call_order(tiny_poolformer())
    stem, block = "poolformer.encoder.patch_embeddings.1", "poolformer.encoder.block.0.0"
    assert order[""] == 0
    assert order[block] < order[stem] < order["classifier"]


def test_a_module_whose_weights_another_one_reads_is_not_among_them() -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read, self.called = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            return self.called(nn.functional.conv2d(pixel_values, self.read.weight))

    assert set(call_order(Reads())) == {"", "called"}


@pytest.mark.parametrize("family", ["detr", "d_fine", "yolos"])
def test_what_cannot_run_without_values_runs_with_them(family: str) -> None:
    assert "model" in call_order(tiny_detectors.DETECTORS[family]()) or family == "yolos"


def test_the_model_keeps_its_mode_its_weights_and_no_hook() -> None:
    model = tiny.tiny_resnet().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    call_order(model)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


def test_a_model_of_something_else_is_refused_in_a_line() -> None:
    config = tf.ImageGPTConfig(n_embd=8, n_layer=1, n_head=1, vocab_size=9, n_positions=4)
    with pytest.raises(ModelError, match=r"^ImageGPT\S+ does not answer an image .*choose another"):
        call_order(tf.ImageGPTForImageClassification(config))


def test_sizes_are_those_of_the_configuration() -> None:
    assert list(own_sides(tiny.tiny_vit())) == [32]
    assert (64, 64) in own_sides(tiny_detectors.tiny_yolos())
    assert (32, 32) in own_sides(tiny.tiny_timm_resnet())
