"""A pre-trained backbone as a small folder that plain transformers loads."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from transformers import PreTrainedModel

from hf_vft.models.backbones import plain_processor
from hf_vft.models.input_size import resize_input
from hf_vft.pretraining.log import Training
from hf_vft.pretraining.recipe import PretrainRecipe
from hf_vft.run import write_folder, write_text

FACTS_FILE = "training.json"


def save_backbone(
    model: PreTrainedModel, recipe: PretrainRecipe, folder: Path, training: Training
) -> None:
    """Write the backbone without its head, in half precision, with processor and card.

    Half precision halves the file; the configuration says float32, so that ``from_pretrained``
    gives weights that can be trained.

    Args:
        model: With the head of the pre-training, on any device.
        recipe: That it was trained by.
        folder: Gets config.json, model.safetensors, preprocessor_config.json, README.md,
            recipe.yaml and training.json.
        training: How it was trained.
    """
    whole: Any = copy.deepcopy(model)
    whole = whole.cpu().float().eval()
    whole = resize_input(whole, recipe.backbone.image_size)
    backbone: Any = whole.base_model
    half = {key: value.half().contiguous() for key, value in backbone.state_dict().items()}
    backbone.config.dtype = torch.float32
    backbone.config.num_labels = 2  # as in a fresh configuration: the head is not saved

    def fill(folder: Path) -> None:
        backbone.save_pretrained(folder, state_dict=half)
        plain_processor(recipe.backbone.image_size).save_pretrained(folder)
        write_text(folder / "recipe.yaml", recipe.to_yaml())
        write_text(folder / FACTS_FILE, json.dumps(training.to_dict(), indent=2) + "\n")
        write_text(folder / "README.md", card(recipe, training, whole))

    write_folder(folder, fill)


def card(recipe: PretrainRecipe, training: Training, model: PreTrainedModel) -> str:
    """The model card."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  Markdown, from our own values
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("card.md.jinja").render(
        recipe=recipe,
        training=training,
        weights=sum(p.numel() for p in model.base_model.parameters()),
    )
