"""What the head sees, for every family, computed without changing the model."""

from __future__ import annotations

import pytest
import torch

from hf_vft.errors import ModelError
from hf_vft.models.features import HeadOnFeatures, head_inputs
from hf_vft.models.freezing import set_trainable
from hf_vft.models.structure import head_module, last_linear
from tests.models import tiny

ONE_HEAD = list(tiny.ALL)


def batches(sizes: tuple[int, ...] = (3, 2)) -> list[dict[str, torch.Tensor]]:
    return [
        {"pixel_values": tiny.images(size, seed=number), "labels": torch.zeros(size)}
        for number, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("family", ONE_HEAD)
def test_the_head_on_its_inputs_gives_the_models_logits(family: str) -> None:
    model = tiny.ALL[family]()
    features = head_inputs(model, batches())
    with torch.inference_mode():
        found = HeadOnFeatures(head_module(model)).eval()(features)["logits"]
        expected = torch.cat([model(batch["pixel_values"]).logits for batch in batches()])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_model_is_left_as_it_was() -> None:
    model = tiny.tiny_resnet().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    features = head_inputs(model, batches())
    assert model.training
    assert not head_module(model)._forward_pre_hooks
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert not features.requires_grad
    assert not features.is_inference()  # else no head could learn from it


def test_a_failing_batch_leaves_no_hook() -> None:
    model = tiny.tiny_vit().train()
    with pytest.raises(KeyError):
        head_inputs(model, [{"wrong": torch.zeros(1)}])
    assert model.training
    assert not head_module(model)._forward_pre_hooks


def test_autocast_is_close_and_given_back_in_full() -> None:
    model = tiny.tiny_vit()
    full, half = head_inputs(model, batches()), head_inputs(model, batches(), dtype=torch.bfloat16)
    assert half.dtype == torch.float32
    torch.testing.assert_close(full, half, atol=0.1, rtol=0.1)


def test_training_the_head_on_features_trains_the_models_head() -> None:
    model = tiny.tiny_convnext()
    head = HeadOnFeatures(head_module(model))
    assert set_trainable(head, "head") == [name for name, _ in head.named_parameters()]
    with torch.no_grad():
        next(head.parameters()).add_(1.0)
    assert last_linear(model).weight.data_ptr() == next(head.parameters()).data_ptr()


def test_a_model_with_two_heads_has_no_such_features() -> None:
    with pytest.raises(ModelError):
        head_inputs(tiny.tiny_deit_with_teacher(), batches())
