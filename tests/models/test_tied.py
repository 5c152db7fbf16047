"""Parameters under several names, saved so that each name has its values."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForImageClassification

from hf_vft.models.tied import state_to_save
from tests.models.tiny import ALL


def test_modules_that_are_one_are_saved_under_each_name(tmp_path: Path) -> None:
    model = ALL["vit"](2)
    assert state_to_save(model) is None
    first, second = model.vit.layers[0], model.vit.layers[1]
    second.mlp = first.mlp
    model.save_pretrained(tmp_path, state_dict=state_to_save(model))
    read = AutoModelForImageClassification.from_pretrained(tmp_path)
    for name, values in model.state_dict().items():
        torch.testing.assert_close(read.state_dict()[name], values)
