#!/usr/bin/env bash
# peft 0.21.2: modules_to_save=["classifier"] also takes aux_classifier of a torchvision model.
#
# Guess:  a name in modules_to_save is that of a module, or its last dotted part, as it is for
#         target_modules.
# Seen:   it is compared by str.endswith without a dot. FCN of torchvision 0.29.2: "classifier"
#         copies and trains aux_classifier as well, and both are in the adapter file; with
#         target_modules, "0" for example matches whole parts alone. Detectors of transformers are
#         hit in the same way (class_embed and enc_out_class_embed).
# Users:  name modules by their whole path, and look at what requires a gradient before training.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${UV:-uv}" venv -q "$folder/venv"
"${UV:-uv}" pip install -q --python "$folder/venv/bin/python" \
  peft==0.21.2 transformers==5.23.0 torch==2.15.0 torchvision==0.29.2
"$folder/venv/bin/python" - <<'PYTHON'
from peft import LoraConfig, get_peft_model
from torchvision.models.segmentation import fcn_resnet50

model = fcn_resnet50(weights=None, weights_backbone=None, num_classes=2, aux_loss=True)
config = LoraConfig(target_modules=["layer4.2.conv1"], modules_to_save=["classifier"])
adapted = get_peft_model(model, config)
learning = {n.split(".")[2] for n, p in adapted.named_parameters() if p.requires_grad}
print("parts that learn:", sorted(learning))
assert learning == {"backbone", "classifier", "aux_classifier"}, "the behaviour has changed"
PYTHON
