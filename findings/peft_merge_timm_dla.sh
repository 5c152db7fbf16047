#!/usr/bin/env bash
# peft 0.21.2 cannot merge an adapter into a DLA of timm 1.0.31, however it was trained.
#
# Guess:  merge_and_unload works for every model that get_peft_model takes, since it only touches
#         the layers that carry an adapter.
# Seen:   get_peft_model, training and the forward pass work; merge_and_unload raises
#         AttributeError: 'DLA' object has no attribute 'merge'. It takes every module with an
#         attribute called base_layer for an adapted layer, and a DLA calls its first convolution
#         so. The same network with that attribute renamed merges.
# Users:  the error comes after the training. The adapter itself can be saved before the merge.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${UV:-uv}" venv -q "$folder/venv"
"${UV:-uv}" pip install -q --python "$folder/venv/bin/python" \
  peft==0.21.2 timm==1.0.31 transformers==5.23.0 torch==2.15.0 torchvision==0.29.2
"$folder/venv/bin/python" - <<'PYTHON'
import timm
import torch
from peft import LoraConfig, get_peft_model

pixels = torch.rand(1, 3, 64, 64)


def merge(model):
    adapted = get_peft_model(model, LoraConfig(target_modules=r".*level2.*conv1", r=2))
    logits = adapted.eval()(pixels)
    logits.sum().backward()
    learned = [n for n, p in adapted.named_parameters() if p.grad is not None]
    print("parameters with a gradient:", len(learned))
    return (adapted.merge_and_unload()(pixels) - logits).abs().max().item()


class Renamed(torch.nn.Module):
    """The same DLA; its first convolution has another name."""

    def __init__(self):
        super().__init__()
        network = timm.create_model("dla34", num_classes=2)
        self.first, self.second = network.base_layer, network.level0
        self.rest = torch.nn.Sequential(network.level1)
        self.level2 = network.level2

    def forward(self, pixels):
        return self.level2(self.rest(self.second(self.first(pixels)))).mean((2, 3))


try:
    merge(timm.create_model("dla34", num_classes=2))
except AttributeError as error:
    print("DLA:", error)
    assert str(error) == "'DLA' object has no attribute 'merge'", "the behaviour has changed"
else:
    raise SystemExit("the behaviour has changed: a DLA merges")
difference = merge(Renamed())
print("renamed: merged and adapted differ by", difference)
assert difference < 1e-5
PYTHON
