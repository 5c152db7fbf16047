from __future__ import annotations

import pytest
import torch

from hf_vft.models.private_copy import private_copy
from tests.models.tiny import ALL, SIZE


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_copy_answers_alike_over_the_same_weights_and_its_hooks_are_its_own(name: str) -> None:
    model = ALL[name]().eval()
    copied = private_copy(model)
    ours, theirs = model.state_dict(keep_vars=True), copied.state_dict(keep_vars=True)
    assert all(ours[key] is theirs[key] for key in ours)
    assert not set(model.modules()) & set(copied.modules())
    copied.train()
    for module in copied.modules():
        module.register_forward_pre_hook(lambda *_: pytest.fail("a hook of the copy"))
    with torch.inference_mode():
        model(pixel_values=torch.rand(1, 3, SIZE, SIZE))
    assert not any(module.training for module in model.modules())
