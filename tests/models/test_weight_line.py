"""The line between probe and fine-tuned weights: its ends, and adapters."""

from __future__ import annotations

import torch

from hf_vft.models.lora import add_lora
from hf_vft.models.weight_line import copied, on_line, start_of_line
from hf_vft.recipe.schema import LoraRecipe
from tests.models.tiny import images, tiny_resnet, tiny_vit


def test_the_ends_are_the_two_models_and_counters_stay() -> None:
    start, end = copied(tiny_resnet()), copied(tiny_resnet())
    for value in end.values():
        value.add_(1)
    for at in (0.0, 1.0):
        found = on_line(start, end, at)
        for name, value in found.items():
            wanted = end if at == 1.0 or not value.is_floating_point() else start
            assert torch.equal(value, wanted[name])
    middle = on_line(start, end, 0.5)
    floats = [name for name, value in end.items() if value.is_floating_point()]
    assert all(torch.allclose(middle[n], (start[n] + end[n]) / 2) for n in floats)


def test_with_adapters_the_start_answers_as_the_plain_model_did() -> None:
    model, pixels = tiny_vit(), images()
    plain, start = model(pixels).logits.detach(), copied(model)
    adapted = add_lora(model, LoraRecipe(r=2, target=["q_proj", "v_proj"]))
    with torch.no_grad():
        for value in adapted.parameters():
            if value.requires_grad:
                value.add_(0.3 * torch.ones_like(value))
    trained, end = adapted(pixels).logits.detach(), copied(adapted)
    assert not torch.allclose(trained, plain, atol=1e-3)
    begin = start_of_line(start, end)
    adapted.load_state_dict(on_line(begin, end, 0.0))
    torch.testing.assert_close(adapted(pixels).logits, plain)
    adapted.load_state_dict(on_line(begin, end, 1.0))
    torch.testing.assert_close(adapted(pixels).logits, trained)
