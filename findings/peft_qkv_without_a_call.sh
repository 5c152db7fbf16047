#!/usr/bin/env bash
# peft 0.21.2: an adapter on the layer qkv of timm 1.0.31's EVA02, BEiT and Swin V2 never takes
# part in the forward pass, and comes to life when it is merged.
#
# Guess:  every ViT-like model of timm has a linear layer qkv, so target_modules=["qkv"] adapts the
#         attention of all of them; adapted and merged model answer the same.
# Seen:   ViT: adapters have gradients, and merging changes nothing. EVA02, BEiT, Swin V2: no
#         gradient, no warning; the answer does not depend on the adapter's weights. An adapter with
#         weights (as after merging two, or loading one) changes the answer of the merged model
#         alone. Attention there reads qkv.weight and calls torch's linear itself.
# Users:  a loss that falls because the head learns hides it. Target layers that a forward pass
#         calls, which forward hooks tell.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${UV:-uv}" venv -q "$folder/venv"
"${UV:-uv}" pip install -q --python "$folder/venv/bin/python" \
  peft==0.21.2 timm==1.0.31 transformers==5.23.0 torch==2.15.0 torchvision==0.29.2
"$folder/venv/bin/python" - <<'PYTHON'
import timm
import torch
from peft import LoraConfig, get_peft_model

EXPECTED = {
    "vit_tiny_patch16_224": True,
    "eva02_tiny_patch14_224": False,
    "beit_base_patch16_224": False,
    "swinv2_tiny_window8_256": False,
}
for name, learns in EXPECTED.items():
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=2)
    for module in model.modules():  # an untrained Swin V2 multiplies each branch by nothing
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.ones_(module.weight)
    pixels = torch.rand(1, 3, *model.default_cfg["input_size"][1:]).requires_grad_()
    adapted = get_peft_model(model, LoraConfig(target_modules=["qkv"], r=4)).eval()
    adapters = [p for n, p in adapted.named_parameters() if "lora_" in n]
    before = adapted(pixels)
    before.sum().backward()
    with_gradient = sum(p.grad is not None and bool(p.grad.abs().max() > 0) for p in adapters)
    size = before.abs().max()
    with torch.no_grad():
        for parameter in adapters:
            parameter.normal_(std=0.3)
        moved = ((adapted(pixels) - before).abs().max() / size).item()
        alive = adapted(pixels)
        merged = ((adapted.merge_and_unload()(pixels) - alive).abs().max() / size).item()
    print(f"{name}: {with_gradient} of {len(adapters)} adapter weights have a gradient; new ones "
          f"change the answer by {moved:.1e}; merging changes it by {merged:.1e}")
    assert (with_gradient > 0) == learns, "the behaviour has changed"
    assert (moved > 1e-3) == learns, "the behaviour has changed"
    assert (merged < 1e-3) == learns, "the behaviour has changed"
PYTHON
