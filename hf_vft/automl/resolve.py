"""Fills what the recipe leaves on ``auto``, and says why.

Each rule is one line of the table that ``rules`` builds: a name, a value, a reason.
"""

from __future__ import annotations

import statistics
from typing import Any

from torch import nn

from hf_vft.automl.batch_sizes import MANY_IMAGES, batch_sizes
from hf_vft.automl.environment import Facts
from hf_vft.automl.optimizer_defaults import decays, rates, warmups
from hf_vft.data.decoded_cache import LIMIT, expected_bytes
from hf_vft.data.transforms.draws import smallest_crop
from hf_vft.data.transforms.images import STRENGTHS
from hf_vft.models.backbones import Checkpoint
from hf_vft.models.lora import short_targets, uncalled_layers
from hf_vft.recipe.edit import get_value
from hf_vft.recipe.schema import Choice, Recipe
from hf_vft.utils.cache import default_cache, free_bytes

LATER = ("horizontal_flip", "vertical_flip")
"""Decided by looking through the model."""


HANDFUL = 20
"""Training images a class, the median, up to which heads are compared."""

MAX_WORKERS = 16

USUAL_SIDE = 224
"""Of the input in pixels, where a checkpoint's own is not known yet."""

TIME_FOR_STRESS = 600.0
"""Seconds of a time budget from which on stress tests take a small part of it: twice 15 to 30
seconds of a CPU, since the end is rehearsed."""


def decide(recipe: Recipe, name: str, value: object, reason: str) -> tuple[Recipe, list[Choice]]:
    """Set one field if it is on ``auto``."""
    was = get_value(recipe.model_dump(), name)
    if was != "auto":
        return recipe, []
    choice = Choice(name=name, was=was, value=value, reason=reason)
    return recipe.replaced({name: value}), [choice]


def resolve(recipe: Recipe, facts: Facts) -> tuple[Recipe, list[Choice]]:
    """Decide everything that depends on data and device but not on the model.

    Returns:
        The recipe with these fields filled, and one choice for each that was on auto.
    """
    choices: list[Choice] = []
    rules = [*_device(facts), *batch_sizes(facts), _stress(recipe), _head(recipe, facts)]
    for name, value, reason in rules:
        recipe, made = decide(recipe, name, value, reason)
        choices += made
    strength, reason = _strength(facts)
    recipe, made = decide(recipe, "augment.strength", strength, reason)
    choices += made
    for name, value in STRENGTHS[recipe.augment.strength].items():
        if name in LATER:
            continue
        recipe, made = decide(
            recipe, f"augment.{name}", value, f"part of augmentation {recipe.augment.strength!r}"
        )
        choices += made
    return recipe, choices


def resolve_for_model(
    recipe: Recipe, facts: Facts, model: nn.Module, checkpoint: Checkpoint
) -> tuple[Recipe, list[Choice]]:
    """Decide what depends on the kind of model, and on what it has learned, as well."""
    choices: list[Choice] = []
    rules = [*_computing(facts, model), *_adapters(recipe, model), *rates(recipe, checkpoint)]
    rules += [*decays(recipe, checkpoint, model), *warmups(recipe), _image_cache(recipe, facts)]
    for name, value, reason in rules:
        recipe, made = decide(recipe, name, value, reason)
        choices += made
    return recipe, choices


def _device(facts: Facts) -> list[tuple[str, Any, str]]:
    on_gpu = facts.device == "cuda"
    workers = min(facts.cores // facts.processes, MAX_WORKERS) if on_gpu else 0
    return [
        (
            "training.num_workers",
            workers,
            "one loader for each core of the process"
            if on_gpu
            else "on a CPU loaders would take the cores that train",
        ),
    ]


def _head(recipe: Recipe, facts: Facts) -> tuple[str, str, str]:
    """Which heads are compared before training."""
    median = statistics.median(facts.class_counts)
    if recipe.search.wanted:
        return "probe.head", "logistic", "a search compares trainings, which begin with the probe"
    if median > HANDFUL:
        return "probe.head", "logistic", f"{median:g} training images a class fit a probe well"
    return (
        "probe.head",
        "few_shot",
        (
            f"{median:g} training images a class (the median) are at most {HANDFUL}, where other "
            "heads can be better than the linear probe"
        ),
    )


def _image_cache(recipe: Recipe, facts: Facts) -> tuple[str, bool, str]:
    """Whether decoded images are kept: where they may be waited for, and if there is room."""
    name = "training.cache_images"
    if facts.device == "cpu":
        return name, False, "on a CPU learning takes much longer than decoding"
    side = USUAL_SIDE if recipe.image.size == "auto" else int(recipe.image.size)
    scale = 1.0 if recipe.augment.crop_scale == "auto" else float(recipe.augment.crop_scale)
    smallest = smallest_crop(scale, (1000, 1000))[0] / 1000
    size = expected_bytes(facts.images, facts.short_side, facts.aspect_ratio, side / smallest)
    gigabytes = f"{size / 2**30:.1f} GiB of decoded images"
    room = min(LIMIT, free_bytes(default_cache()) / 4)
    if size > room:
        return name, False, f"{gigabytes} are more than the {room / 2**30:.0f} GiB that are free"
    return name, True, f"{gigabytes} are read faster than the files are decoded"


def _stress(recipe: Recipe) -> tuple[str, bool, str]:
    budget = recipe.search.time_budget
    if budget is not None and budget < TIME_FOR_STRESS:
        reason = f"a search of {budget:g} seconds has better use for its time"
        return "evaluation.stress", False, reason
    return "evaluation.stress", True, "the monitor learns how far to trust its estimates"


def _computing(facts: Facts, model: nn.Module) -> list[tuple[str, Any, str]]:
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    # Every vision transformer has one, which cuts the image into patches.
    convolutional = len(convolutions) > 1
    # On a CPU the bfloat16 kernels of grouped convolutions cost what the others gain.
    grouped = facts.device == "cpu" and any(m.groups > 1 for m in convolutions)
    if not facts.bf16:
        precision = ("fp32", f"this {facts.device} has no fast bfloat16")
    elif grouped:
        precision = ("fp32", "bfloat16 gains nothing with depthwise convolutions on a CPU")
    else:
        precision = ("bf16", f"this {facts.device} computes bfloat16 in hardware")
    return [
        ("training.precision", *precision),
        (
            "training.channels_last",
            convolutional,
            "convolutions run faster with the channels last in memory"
            if convolutional
            else "nothing to gain without convolutions",
        ),
    ]


def _adapters(recipe: Recipe, model: nn.Module) -> list[tuple[str, Any, str]]:
    if recipe.model.lora is None or recipe.model.lora.target != "auto":
        return []
    targets = short_targets(model, recipe.model.lora.r)
    reason = "the layers of the blocks that carry their weights"
    if uncalled := uncalled_layers(model):
        reason += (
            f", without {', '.join(uncalled)}: the forward pass reads their weights and does not "
            "call them, so an adapter there would not learn"
        )
    return [("model.lora.target", targets, reason)]


def _strength(facts: Facts) -> tuple[str, str]:
    if facts.images < MANY_IMAGES:
        return "light", (
            f"{facts.images} training images make few steps, too few for stronger changes to "
            "pay; and crops can cut off what matters"
        )
    return "medium", f"{facts.images} training images make enough steps for stronger changes"
