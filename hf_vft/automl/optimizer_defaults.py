"""Which optimizer a stage takes, and at which rate, where its recipe leaves that open."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from hf_vft.models.backbones import Checkpoint, embedded
from hf_vft.recipe.schema import UNWARMED, Recipe


class OptimizerDefaults(NamedTuple):
    """Default rates of one optimizer."""

    learning_rate: float
    weight_decay: float


GENTLE = {"sgd": OptimizerDefaults(5e-3, 1e-4), "adamw": OptimizerDefaults(1e-4, 0.05)}
"""For weights from photographs: the first named is the default.

SGD, since the first steps of Adam are as long as any, however well the head fits already: they
throw away much of what the backbone knows.
"""

BOLD = {"adamw": OptimizerDefaults(1e-3, 0.05), "sgd": OptimizerDefaults(5e-2, 1e-4)}
"""For weights that have most of it still to learn."""

LIVELY = {"adamw": OptimizerDefaults(3e-4, 0.05), "sgd": OptimizerDefaults(1.5e-2, 1e-4)}
"""For the embedded ViT. After seven epochs of the quickstart's images its validation F1 was 0.93,
and 0.88 at the bold rate, from 0.80 by the head alone."""

EMBEDDED = {"convnextv2-formula": BOLD, "vit-registers-formula": LIVELY}
"""By name: weights from generated images have much to learn still."""


def rates(recipe: Recipe, checkpoint: Checkpoint) -> list[tuple[str, Any, str]]:
    """Rules that set the learning rates on ``auto``: name, value, reason."""
    table, reason = _table(checkpoint)
    choices: list[tuple[str, Any, str]] = []
    for stage in recipe.stages:
        optimizer = next(iter(table)) if stage.optimizer == "auto" else stage.optimizer
        values = {"optimizer": optimizer, **table[optimizer]._asdict()}
        choices += [
            (f"stages.{stage.name}.{field}", value, reason)
            for field, value in values.items()
            if getattr(stage, field) == "auto"
        ]
    return choices


DECAY = 0.75
"""Share of the rate that each block of a transformer passes on below (Bao et al. 2022, BEiT)."""


def decays(recipe: Recipe, checkpoint: Checkpoint, model: nn.Module) -> list[tuple[str, Any, str]]:
    """Rules that set each ``layer_decay`` on ``auto``: name, value, reason."""
    value, reason = 1.0, "every block trains at the rate of the stage"
    if knows_photographs(checkpoint) and not _is_convolutional(model):
        value, reason = DECAY, "the lower blocks of a transformer know what all images share"
    return [
        (f"stages.{stage.name}.layer_decay", value, reason)
        for stage in recipe.stages
        if stage.layer_decay == "auto"
    ]


WARMUP = 0.1
"""Share of the steps."""


def warmups(recipe: Recipe) -> list[tuple[str, Any, str]]:
    """Rules that set each ``warmup`` on ``auto``: name, value, reason."""
    choices: list[tuple[str, Any, str]] = []
    for stage in recipe.stages:
        value, reason = WARMUP, "short steps first: the moments of the optimizer are still noise"
        if stage.scheduler in UNWARMED:
            value, reason = 0.0, f"the scheduler {stage.scheduler} has no warm-up"
        if stage.warmup == "auto":
            choices.append((f"stages.{stage.name}.warmup", value, reason))
    return choices


def knows_photographs(checkpoint: Checkpoint) -> bool:
    """Whether training has more to lose than to learn: weights from photographs."""
    return _table(checkpoint)[0] is GENTLE


def _is_convolutional(model: nn.Module) -> bool:
    """A transformer has one convolution at most, which cuts the image into patches."""
    return sum(isinstance(module, nn.Conv2d) for module in model.modules()) > 1


def _table(checkpoint: Checkpoint) -> tuple[dict[str, OptimizerDefaults], str]:
    if not checkpoint.pretrained:
        return BOLD, "random weights have everything to learn"
    # Whether it was named, or its folder was.
    folders = {folder.resolve(): name for name, folder in embedded().items()}
    name = folders.get(Path(checkpoint.path).resolve())
    if name is not None:
        return EMBEDDED[name], "weights from generated images have much to learn still"
    return GENTLE, "a gentle rate keeps what the backbone knows"
