"""Regularisation that a checkpoint brings along, and what fine-tuning wants instead.

What a configuration says is not always what fine-tuning on little data wants: MobileNet
configurations ask for a classifier dropout of 0.8 and more, and their BatchNorm momentum was
carried over from TensorFlow, where it means the opposite. Both are found by rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn
from transformers import PreTrainedConfig

from hf_vft.errors import ModelError
from hf_vft.recipe.schema import Choice

Auto = Literal["auto"]

TOO_MUCH = 0.5
"""Above this, dropout and BatchNorm momentum are treated as mistakes and replaced."""

BATCH_NORM_MOMENTUM = 0.1
"""PyTorch's default: a running statistic takes a tenth of each batch's."""

FROZEN_STATISTICS = (
    "the statistics of BatchNorm stay those of pre-training: the converged head was fitted to "
    "features made with them, and small batches make poor ones"
)

HEAD_DROPOUT = ("classifier_dropout_prob", "classifier_dropout", "dropout_rate")
HIDDEN_DROPOUT = ("hidden_dropout_prob", "hidden_dropout", "dropout")
DROP_PATH = ("drop_path_rate", "drop_connect_rate")
TIMM_FIELDS = {HEAD_DROPOUT: "drop_rate", DROP_PATH: "drop_path_rate"}


def adjust_dropout(config: PreTrainedConfig, value: float | Auto) -> list[Choice]:
    """Set the dropout before the head in a configuration, in place.

    Where an architecture has none before its head, its hidden dropout is meant.

    Raises:
        ModelError: If a dropout is asked for and the architecture has none.
    """
    field = _find(config, HEAD_DROPOUT) or _find(config, HIDDEN_DROPOUT)
    if field is None:
        return _absent("model.dropout", value, 0.0, "dropout", config)
    present = field.get()
    if value != "auto":
        field.set(value)
        return []
    if present > TOO_MUCH:
        field.set(0.0)
        reason = f"{field.name}={present:g} in the model's configuration would hamper fine-tuning"
        return [Choice("model.dropout", "auto", 0.0, reason)]
    return [Choice("model.dropout", "auto", present, f"{field.name} of the model's configuration")]


def adjust_drop_path(config: PreTrainedConfig, value: float | Auto) -> list[Choice]:
    """Set the stochastic depth (Huang et al. 2016) in a configuration, in place.

    Raises:
        ModelError: If it is asked for and the architecture has none.
    """
    field = _find(config, DROP_PATH)
    if field is None:
        return _absent("model.drop_path", value, 0.0, "stochastic depth", config)
    if value != "auto":
        field.set(value)
        return []
    return [
        Choice("model.drop_path", "auto", field.get(), f"{field.name} of the model's configuration")
    ]


def adjust_batch_norm(
    model: nn.Module, config: PreTrainedConfig, value: float | Auto, *, pretrained: bool
) -> list[Choice]:
    """Set the momentum of every BatchNorm, and of the configuration where it stands there.

    A momentum of 0 means that the statistics stay those of the checkpoint; the trainer sees to
    that, and the configuration keeps a momentum that a later training can use.

    Raises:
        ModelError: If a momentum is asked for and there is no BatchNorm.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms if norm.momentum is not None]
    if not momenta:
        name = "model.batch_norm_momentum"
        return _absent(name, value, BATCH_NORM_MOMENTUM, "BatchNorm", config)
    highest = max(momenta)
    usable = highest if highest <= TOO_MUCH else BATCH_NORM_MOMENTUM
    momentum = usable if value == "auto" or value == 0.0 else value
    for norm in norms:
        norm.momentum = momentum
    field = _find(config, ("batch_norm_momentum",))
    if field is not None:
        field.set(momentum)
    if value != "auto":
        return []
    if pretrained:
        momentum, reason = 0.0, FROZEN_STATISTICS
    elif highest <= TOO_MUCH:
        reason = "momentum of the architecture's BatchNorm"
    else:
        reason = (
            f"with the architecture's momentum of {highest:g} the running statistics would be "
            "those of the last batch"
        )
    return [Choice("model.batch_norm_momentum", "auto", momentum, reason)]


@dataclass(frozen=True)
class _Field:
    """A number in a configuration, in one of its parts, or among timm's arguments."""

    owner: Any
    name: str

    def get(self) -> float:
        if isinstance(self.owner, dict):
            return float(self.owner.get(self.name, 0.0))
        value = getattr(self.owner, self.name)
        return float(max(value) if isinstance(value, list | tuple) else value)

    def set(self, value: float) -> None:
        if isinstance(self.owner, dict):
            self.owner[self.name] = value
        elif isinstance(getattr(self.owner, self.name), list | tuple):  # one rate for each stage
            setattr(self.owner, self.name, [value] * len(getattr(self.owner, self.name)))
        else:
            setattr(self.owner, self.name, value)


def _find(config: PreTrainedConfig, names: tuple[str, ...]) -> _Field | None:
    if hasattr(config, "architecture") and names in TIMM_FIELDS:  # timm takes them as arguments
        if config.model_args is None:
            config.model_args = {}
        return _Field(config.model_args, TIMM_FIELDS[names])
    for part in _parts(config):
        for name in names:
            if isinstance(getattr(part, name, None), int | float | list | tuple):
                return _Field(part, name)
    return None


def _parts(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    yield config
    vision = getattr(config, "vision_config", None)
    if isinstance(vision, PreTrainedConfig):
        yield vision


def _absent(
    name: str, value: float | Auto, neutral: float, what: str, config: PreTrainedConfig
) -> list[Choice]:
    """Settle a field that the model lacks: fine on auto, or at its neutral value."""
    if value == "auto":
        return [Choice(name, "auto", neutral, f"a {config.model_type} has no {what}")]
    if value == neutral:
        return []
    raise ModelError(f"{name}={value:g}: a {config.model_type} has no {what}; leave it on auto.")
