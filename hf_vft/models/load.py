"""Load a backbone with a new head, ready for fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.image_processing_utils import BaseImageProcessor
from transformers.models.auto.auto_factory import _BaseAutoModelClass
from transformers.utils import logging as transformers_logging

from hf_vft.errors import ModelError, VftError
from hf_vft.models.backbones import SCRATCH, Checkpoint, choose_checkpoint, fetched
from hf_vft.models.blocks import owner
from hf_vft.models.config_adjustments import (
    Auto,
    adjust_batch_norm,
    adjust_drop_path,
    adjust_dropout,
)
from hf_vft.models.foreign_weights import read_weights
from hf_vft.models.hub_models import read_processor, refused_pickle
from hf_vft.models.input_size import check_logits, resize_input
from hf_vft.models.processors import check_inputs, input_side, reframe
from hf_vft.models.structure import anatomy, is_linear, last_linear
from hf_vft.recipe.schema import Choice

__all__ = ["Checkpoint", "LoadedModel", "choose_checkpoint", "load_model"]

_WITH_A_HEAD = {
    "dinov3_vit": "timm/vit_small_patch16_dinov3.lvd1689m, which has the same pre-training",
    "dinov3_convnext": "timm/convnext_tiny.dinov3_lvd1689m, which has the same pre-training",
    "vit_mae": "timm/vit_base_patch16_224.mae, which has the same pre-training",
}
"""Checkpoints with a classification head for families that transformers has as backbones only."""


@dataclass
class LoadedModel:
    """A model ready for training, with its processor.

    Attributes:
        model: With a new head, in float32, in ``eval()``.
        processor: Makes the model's input of an image.
        checkpoint: Where the weights come from.
        adjustments: One for each argument that was on ``auto``.
        refitted: Whether weights were interpolated to another input size.
        built: Whether the model is another than the checkpoint's: a detector on its backbone.
        fresh: Classes that the head does not know, where it was kept; their rows are drawn anew.
    """

    model: PreTrainedModel
    processor: BaseImageProcessor
    checkpoint: Checkpoint
    adjustments: list[Choice]
    refitted: bool = False
    built: bool = False
    fresh: tuple[int, ...] = ()


def load_model(
    checkpoint: Checkpoint,
    auto_class: type[_BaseAutoModelClass],
    *,
    labels: list[str],
    dropout: float | Auto = "auto",
    drop_path: float | Auto = "auto",
    batch_norm_momentum: float | Auto = "auto",
    image_size: int | Auto = "auto",
    image_fit: Literal["processor", "squash", "pad"] = "processor",
    problem_type: str | None = "single_label_classification",
    keep_head: bool = False,
    seed: int,
) -> LoadedModel:
    """Load a backbone and give it a new head.

    The head is the same for the same seed; the global random generators are left alone.

    Args:
        checkpoint: From ``choose_checkpoint``.
        auto_class: Such as ``AutoModelForImageClassification``.
        labels: Names of the classes, in the order of their ids.
        dropout: Before the head, or else the hidden one. Auto keeps what the checkpoint says,
            unless it is over 0.5.
        drop_path: Rate of stochastic depth. Auto keeps what the checkpoint says.
        batch_norm_momentum: In PyTorch's sense; 0 keeps the statistics as they are. Auto is 0
            for pre-trained weights, else the architecture's, unless that is over 0.5.
        image_size: Side of the input in pixels. Auto keeps the processor's.
        image_fit: How the processor frames an image.
        problem_type: As in the configuration; None where the task is no classification: then
            those parts of the checkpoint's head that fit are kept.
        keep_head: Whether classes that the checkpoint knows by name keep their row of the head.
        seed: Of the head, and of a backbone that starts from scratch.

    Raises:
        ModelError: In one line, if the checkpoint cannot be read, has no head for the task, or
            lacks what an argument sets.
    """
    with one_line(checkpoint), quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        checkpoint = fetched(checkpoint)
        config, processor = config_and_processor(checkpoint)
        _check_head(checkpoint, config, auto_class)
        with _processor_in_one_line(checkpoint, processor):
            check_inputs(checkpoint.name, processor)
        known = dict(config.id2label or {})
        set_labels(config, labels, problem_type)
        adjustments = adjust_dropout(config, dropout) + adjust_drop_path(config, drop_path)
        model = weights_of(checkpoint, auto_class, config)
        fresh: tuple[int, ...] = ()
        if problem_type is not None:
            _new_head(model, len(labels), seed)
            if keep_head:
                fresh = _copy_head(model, labels, auto_class, checkpoint, known)
        shapes = _shapes(model)
        if image_size == "auto":
            reason = "the input size of the checkpoint's processor"
            side = input_side(processor)
            adjustments.append(Choice("image.size", "auto", side, reason))
        else:
            model = resize_input(model, image_size)
        adjustments += adjust_batch_norm(
            model, model.config, batch_norm_momentum, pretrained=checkpoint.pretrained
        )
        size = None if image_size == "auto" else image_size
        processor = reframe(processor, model.config, size, image_fit)
        check_logits(model, input_side(processor), len(labels))
    model.config._name_or_path = model.name_or_path = checkpoint.address
    model.train(False)
    refitted = _shapes(model) != shapes
    return LoadedModel(model, processor, checkpoint, adjustments, refitted, fresh=fresh)


def _shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: parameter.shape for name, parameter in model.named_parameters()}


def config_and_processor(checkpoint: Checkpoint) -> tuple[Any, BaseImageProcessor]:
    """Config and processor of a checkpoint, or of an architecture of the catalogue."""
    if checkpoint.path in SCRATCH:
        return SCRATCH[checkpoint.path]()
    _check_family(checkpoint)
    config = AutoConfig.from_pretrained(checkpoint.path, trust_remote_code=False)
    return config, read_processor(Path(checkpoint.path))


def _check_family(checkpoint: Checkpoint) -> None:
    """Families come and go with the versions of transformers."""
    settings, _ = PreTrainedConfig.get_config_dict(checkpoint.path)
    family = settings.get("model_type")
    if family is not None and family not in CONFIG_MAPPING:
        raise ModelError(
            f"{checkpoint.name}: transformers {transformers.__version__} has no {family} models; "
            "choose a checkpoint of another family, such as vit, convnext, swin or dinov2."
        )


def _check_head(checkpoint: Checkpoint, config: Any, auto_class: Any) -> None:
    if type(config) not in auto_class._model_mapping:
        task = auto_class.__name__.removeprefix("AutoModelFor")
        other = _WITH_A_HEAD.get(config.model_type, "a vit, convnext, swin, resnet or dinov2")
        raise ModelError(
            f"{checkpoint.name}: transformers {transformers.__version__} has no {task} head for a "
            f"{config.model_type} model; choose another, such as {other}."
        )


def set_labels(config: Any, labels: list[str], problem_type: str | None) -> None:
    """Name the classes in a configuration, in place."""
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.problem_type = problem_type
    if config.num_labels != len(labels):  # PVT keeps a number of its own
        config.num_labels = len(labels)
    if hasattr(config, "label_names"):  # timm's own list
        config.label_names = list(labels)


def weights_of(
    checkpoint: Checkpoint, auto_class: Any, config: PreTrainedConfig
) -> PreTrainedModel:
    """The model with the checkpoint's weights, and what is new drawn from the global generator."""
    if checkpoint.path in SCRATCH:
        model: PreTrainedModel = auto_class.from_config(config, dtype=torch.float32)
        return model
    model, info = read_weights(
        auto_class,
        checkpoint.path,
        config=config,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    parts = anatomy(model)
    lost = [
        name
        for name in (*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"]))
        if owner(name, parts.blocks or parts.stem)
    ]
    if lost:
        raise ModelError(
            f"{checkpoint.name}: {len(lost)} weights of the backbone are not in the checkpoint, "
            f"such as {lost[0]}; its config.json and its weights do not belong together."
        )
    return model


def _new_head(model: nn.Module, classes: int, seed: int) -> None:
    """Draw the class layers anew, also where the checkpoint had as many classes."""
    generator = torch.Generator().manual_seed(seed)
    for name in anatomy(model).head:
        for layer in model.get_submodule(name).modules():
            if is_linear(layer) and len(layer.weight) == classes:
                nn.init.trunc_normal_(layer.weight, std=0.02, generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def _copy_head(
    model: nn.Module,
    labels: list[str],
    auto_class: object,
    checkpoint: Checkpoint,
    known: dict[int, str],
) -> tuple[int, ...]:
    """Give each class that the checkpoint knows its row of the last layer; return the others."""
    before = read_weights(auto_class, checkpoint.path, dtype=torch.float32)
    old, new = last_linear(before), last_linear(model)
    place = {name: number for number, name in known.items()}
    pairs = [(place[name], row) for row, name in enumerate(labels) if name in place]
    if not pairs:
        raise ModelError(
            f"{checkpoint.name}: model.keep_head, but its head knows none of the classes; leave "
            "it out."
        )
    theirs, ours = (list(rows) for rows in zip(*pairs, strict=True))
    with torch.no_grad():
        new.weight[ours] = old.weight[theirs]
        if new.bias is not None and old.bias is not None:
            new.bias[ours] = old.bias[theirs]
    return tuple(row for row in range(len(labels)) if row not in ours)


@contextmanager
def one_line(checkpoint: Checkpoint) -> Iterator[None]:
    """The long message of transformers about a broken checkpoint, in a line."""
    try:
        yield
    except VftError:
        raise
    except (UnpicklingError, EOFError) as error:
        raise ModelError(f"{checkpoint.name}: {refused_pickle(error)}.") from error
    except StrictDataclassError as error:
        raise ModelError(f"{checkpoint.name}: config.json: {_first_line(error)}.") from error
    # A configuration that does not fit its family fails in as many ways as there are families.
    except Exception as error:
        raise ModelError(f"{checkpoint.name}: cannot be loaded ({_first_line(error)}).") from error


@contextmanager
def _processor_in_one_line(checkpoint: Checkpoint, processor: BaseImageProcessor) -> Iterator[None]:
    """Say that it was the image processor that failed, and not the model."""
    try:
        yield
    except VftError:
        raise
    # Processors fail on settings that do not suit them in as many ways as there are processors.
    except Exception as error:
        raise ModelError(
            f"{checkpoint.name}: {type(processor).__name__} of transformers "
            f"{transformers.__version__} fails with the settings in preprocessor_config.json "
            f"({_first_line(error)}); correct them in a local copy of the checkpoint."
        ) from error


def _first_line(error: Exception) -> str:
    lines = (line.strip().rstrip(".") for line in str(error).splitlines())
    first = next((line for line in lines if line), "")
    explained = isinstance(error, OSError | ValueError | RuntimeError | ImportError)
    return first if explained and first else f"{type(error).__name__}: {first}".rstrip(": ")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' report on the new head and its progress bars."""
    log: Any = transformers_logging
    verbosity, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bar:
            log.enable_progress_bar()
