"""The backbones that come with hf-vft, as a user without hf-vft and without a network has them."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageClassification

from hf_vft.models.backbones import choose_checkpoint, embedded
from hf_vft.models.load import load_model
from hf_vft.models.lora import add_lora
from hf_vft.pretraining.recipe import load_pretrain_recipe, pretrain_recipes
from hf_vft.recipe.schema import LoraRecipe

MEGABYTE = 1_000_000
LOADED = """
import sys
import torch
from transformers import AutoImageProcessor, AutoModel, AutoModelForImageClassification
for folder in sys.argv[1:]:
    model, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    keys = ("missing_keys", "unexpected_keys", "mismatched_keys")
    assert not any(info[key] for key in keys), info
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    processor = AutoImageProcessor.from_pretrained(folder)
    image = torch.zeros(3, 60, 40, dtype=torch.uint8)
    assert processor(image, return_tensors="pt")["pixel_values"].shape == (1, 3, 96, 96)
    classifier = AutoModelForImageClassification.from_pretrained(folder, num_labels=3)
    for side in (96, 224):
        assert classifier(torch.zeros(1, 3, side, side)).logits.shape == (1, 3)
assert "hf_vft" not in sys.modules
"""


def test_one_is_there_and_is_the_default_where_nothing_better_can_be_had(monkeypatch):
    monkeypatch.setattr("hf_vft.models.backbones.cached_folder", lambda name: None)
    chosen = choose_checkpoint("auto", offline=True)
    assert chosen.name in embedded()
    assert chosen.pretrained


def test_plain_transformers_loads_them():
    folders = [str(folder) for folder in embedded().values()]
    subprocess.run([sys.executable, "-c", LOADED, *folders], check=True)


@pytest.mark.parametrize("name", list(embedded()))
def test_it_is_small_and_stored_in_half_precision(name):
    folder = embedded()[name]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8 * MEGABYTE
    weights = load_file(folder / "model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.parametrize("name", list(embedded()))
def test_it_says_how_it_was_made(name):
    folder = embedded()[name]
    card = (folder / "README.md").read_text()
    assert "## How it was made" in card
    assert "## What it scores" in card
    recipe = load_pretrain_recipe(folder / "recipe.yaml")
    assert recipe.backbone.name == name
    assert recipe in [load_pretrain_recipe(named) for named in pretrain_recipes()]
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] > 0
    assert any("eval_shape" in row for row in rows)


@pytest.mark.parametrize("name", list(embedded()))
def test_an_adapter_names_a_base_that_plain_transformers_loads(name):
    checkpoint = choose_checkpoint([name])
    loaded = load_model(checkpoint, AutoModelForImageClassification, labels=["a", "b"], seed=0)
    adapted = add_lora(loaded.model, LoraRecipe())
    base = adapted.peft_config["default"].base_model_name_or_path
    plain = AutoModelForImageClassification.from_pretrained(base)
    assert type(plain) is type(adapted.get_base_model())
