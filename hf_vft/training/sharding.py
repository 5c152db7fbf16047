"""Weights that are divided among the processes of a run (FSDP 2), and whole again after a stage.

Sharding changes a model for good. A stage therefore trains a copy, and the model that goes from
stage to stage stays whole, as everything around the training expects it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env
from torch import nn
from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy

from hf_vft.errors import RecipeError
from hf_vft.models.structure import anatomy
from hf_vft.recipe.schema import Recipe
from hf_vft.training.processes import release
from hf_vft.training.trainer import VisionTrainer


def is_sharded() -> bool:
    """Whether ``accelerate launch`` was told to divide the weights."""
    return bool(parse_flag_from_env("ACCELERATE_USE_FSDP")) and PartialState().num_processes > 1


def to_train(model: nn.Module, recipe: Recipe) -> nn.Module:
    """The model for a stage's Trainer: ``model``, or a copy if it will be divided.

    Raises:
        RecipeError: If averaged weights are asked for, which need whole ones.
    """
    if not is_sharded():
        return model
    if recipe.training.ema_decay:
        raise RecipeError(
            "Averaged weights need whole ones: set training.ema_decay to 0, or launch with "
            "multi_gpu.yaml instead of fsdp.yaml."
        )
    # Only contiguous weights can be divided, which those of channels_last are not.
    divided = copy.deepcopy(model).to(memory_format=torch.contiguous_format)
    # Accelerate asks for the embeddings of a language model; convolutional ones refuse to answer.
    asked: Any = divided
    asked.get_input_embeddings = asked.get_output_embeddings = _no_embeddings
    return divided


def _no_embeddings() -> None:
    """What a vision model has of them."""


def divide_by_block(trainer: VisionTrainer) -> None:
    """Have each block of the model divided by itself, so that one at a time is whole in memory.

    Accelerate would keep for all stages what it finds in the first model, which may be a head.
    """
    if not is_sharded():
        return
    plugin = trainer.accelerator.state.fsdp_plugin
    plugin.auto_wrap_policy = transformer_auto_wrap_policy
    plugin.transformer_cls_names_to_wrap = sorted(_block_classes(trainer.model))


def _block_classes(model: nn.Module) -> set[str]:
    blocks = (model.get_submodule(name) for name in anatomy(model).blocks)
    # A list of layers is no layer: it has no forward that could be waited for.
    return {type(b).__name__ for b in blocks if not isinstance(b, nn.ModuleList | nn.ModuleDict)}


@contextmanager
def whole(trainer: VisionTrainer) -> Iterator[None]:
    """Context in which a ``trainer`` that has not trained evaluates its model undivided.

    Accelerate divides a model only together with an optimizer, and there is none.
    """
    if not is_sharded():
        yield
        return
    trainer.is_fsdp_enabled = False
    trainer.model.to(trainer.args.device)
    try:
        yield
    finally:
        # Else a training would take the model for prepared.
        trainer.accelerator.free_memory()
        release(trainer.model)
        trainer.is_fsdp_enabled = True


def gather_into(model: nn.Module, trainer: VisionTrainer) -> None:
    """Give ``model`` the weights that ``trainer`` ends with; in the main process alone.

    To be called by all processes: each brings its part.
    """
    gathered = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if PartialState().is_main_process:
        model.load_state_dict(gathered)
