"""Which mirror images mean the same, found out from the images themselves.

A flip is good augmentation where it leaves the label as it is: a scratch is a scratch in the
mirror, a 6 upside down is no 6. A linear probe that has seen no mirror image tells the two
apart: where flips change nothing, it knows mirrored images as well as plain ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from accelerate.utils import broadcast_object_list
from PIL import Image, ImageOps

from hf_vft.data.groups import groups_of
from hf_vft.data.transforms.images import STRENGTHS, ImageTransform
from hf_vft.models.probe import transfer_losses
from hf_vft.recipe.schema import Choice, Recipe
from hf_vft.training.model_on_data import ModelOnData

FLIPS = {"augment.horizontal_flip": ImageOps.mirror, "augment.vertical_flip": ImageOps.flip}
PROBABILITY = 0.5
LIMIT = 1000
"""Training images that are looked at."""

TOLERANCE = 1.05
"""Mirrored images may have this many times the log loss of plain ones."""

KNOWING = 0.97
"""Share of a guesser's log loss that the probe must stay below to be asked at all."""


def decide_flips(recipe: Recipe, pretrained: ModelOnData) -> tuple[Recipe, list[Choice]]:
    """Set the flips that are on ``auto``.

    Args:
        recipe: Resolved but for the flips.
        pretrained: With the model, the data and the processor.
    """
    tree = recipe.model_dump()["augment"]
    names = [name for name in FLIPS if tree[name.partition(".")[2]] == "auto"]
    if not names:
        return recipe, []
    # A probe tells one class from another; for several labels, and for boxes, there is none.
    asked = recipe.augment.strength != "none" and pretrained.has_one_head
    losses = _losses(pretrained, names) if asked and pretrained.data.kind.exclusive else {}
    guess = math.log(len(pretrained.data.labels))
    knowing = bool(losses) and losses[""] < KNOWING * guess
    choices = []
    for name in names:
        if knowing:
            value, reason = _judged(losses[name], losses[""])
        else:
            value = float(STRENGTHS[recipe.augment.strength][name.partition(".")[2]])
            reason = f"part of augmentation {recipe.augment.strength!r}"
        choices.append(Choice(name=name, was="auto", value=value, reason=reason))
    return recipe.replaced({choice.name: choice.value for choice in choices}), choices


def _judged(mirrored: float, plain: float) -> tuple[float, str]:
    reason = f"log loss {mirrored:.2f} on mirrored and {plain:.2f} on plain held-out images"
    if mirrored <= TOLERANCE * plain:
        return PROBABILITY, f"a probe knows mirrored images as well as plain ones ({reason})"
    return 0.0, f"mirrored images look different to a probe ({reason})"


def _losses(pretrained: ModelOnData, names: list[str]) -> dict[str, float]:
    """Log loss of a probe fitted to plain images, on plain images and by flip."""
    split = pretrained.data.splits["train"]
    rows = np.random.default_rng(pretrained.recipe.seed).permutation(len(split))[:LIMIT]
    if len(split) > LIMIT:
        split = split.select(np.sort(rows))
    content = "train" if len(split) < LIMIT else f"train, {LIMIT} of seed {pretrained.recipe.seed}"

    def features(transform: ImageTransform, change: str = "") -> np.ndarray:
        return pretrained.probe_features(pretrained.images(split, transform), content + change)

    plain = features(pretrained.plain)
    changed = {
        name: features(partial(_flipped, pretrained.plain, FLIPS[name]), f", {name}")
        for name in names
    }
    losses = transfer_losses(
        plain,
        changed,
        np.asarray(split["label"]),
        groups=groups_of(split),
        seed=pretrained.recipe.seed,
    )
    # One process's word, so that no two train differently.
    losses_of_first: dict[str, float] = broadcast_object_list([losses])[0]
    return losses_of_first


def _flipped(
    plain: ImageTransform, flip: Callable[[Image.Image], Image.Image], image: Image.Image
) -> Any:
    return plain(flip(image))
