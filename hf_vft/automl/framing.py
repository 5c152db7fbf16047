"""How images are framed, decided by what a probe makes of each way.

Squeezing shows the whole image and was right for defects at its edge; on ordinary photographs a
checkpoint's own crop, which is what it was trained on, is often better. Probes of the features of
each framing answer the same held-out images, so the differences are paired; another framing than
squash is taken only where its gain is credible.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from accelerate.utils import broadcast_object_list
from scipy.special import log_softmax
from scipy.stats import norm

from hf_vft.automl.environment import Facts
from hf_vft.data.groups import groups_of
from hf_vft.data.load import ImageData
from hf_vft.errors import ModelError
from hf_vft.models.load import LoadedModel
from hf_vft.models.processors import Fit, reframe, settings_text
from hf_vft.models.transferability import paired_gain
from hf_vft.recipe.schema import Choice, Recipe
from hf_vft.training.model_on_data import ModelOnData
from hf_vft.training.stages import StageContext
from hf_vft.utils.grouping import number_groups

FIRST: Fit = "squash"
"""Taken unless another is credibly better: nothing is cut off, and no input is margin."""

LIMIT = 500
"""Training images that are looked at."""

FEWEST = 60
"""Below so many a difference would have to be larger than any that is seen."""

A_SECOND = 0.5
"""Images that are looked at for each second of a time budget: at 20 ms for an image and a framing
that is two hundredths of it."""

REPEATS = 2
"""Cross-validations with other folds, over which each image's loss is averaged."""

LEVEL = 0.05
"""Chance of taking a framing that is no better, over all that are tried."""


@dataclass(frozen=True)
class Framed:
    """Features of the same images, framed in several ways.

    Attributes:
        features: ``[N, D]``, by framing.
        labels: Class ids ``[N]``.
        first: Taken unless another is credibly better.
        groups: One an image; images of one group count as one when the gain is judged.
        n_classes: C.
    """

    features: Mapping[Fit, np.ndarray]
    labels: np.ndarray
    first: Fit
    groups: Sequence[Any] | None
    n_classes: int


@dataclass(frozen=True)
class Tried:
    """The probe's result for one framing.

    Attributes:
        losses: Log loss of held-out images in nats ``[M]``.
        score: The metric of the recipe.
    """

    losses: np.ndarray
    score: float


def decide_framing(
    recipe: Recipe, facts: Facts, context: StageContext, loaded: LoadedModel, data: ImageData
) -> tuple[Recipe, list[Choice]]:
    """Set ``image.fit`` if it is on auto, and give ``loaded`` the processor that frames so.

    Args:
        recipe: Resolved but for the framing and what follows from it.
        facts: About the data.
        context: What the stages share.
        loaded: Loaded with the checkpoint's own framing, where the recipe leaves it open.
        data: Divided images.
    """
    if recipe.image.fit != "auto":
        return recipe, []
    if not context.task.probes:
        return recipe.replaced({"image.fit": FIRST}), [_choice(FIRST, _UNTRIED.format(facts))]
    processors = _processors(loaded, int(recipe.image.size))
    first = FIRST if FIRST in processors else next(iter(processors))
    framings = {
        fit: ModelOnData(context, replace(loaded, processor=processor), data)
        for fit, processor in processors.items()
    }
    chosen, reason = _judged(framings, first, facts) if _can_be_tried(framings) else (first, "")
    # In place: timm keeps its processing in the model's configuration.
    size = int(recipe.image.size)
    loaded.processor = reframe(loaded.processor, loaded.model.config, size, chosen)
    choice = _choice(chosen, reason or _UNTRIED.format(facts))
    return recipe.replaced({"image.fit": chosen}), [choice]


_UNTRIED = (
    "the whole image is seen: a centre crop can cut off what matters, and the median image is "
    "{0.aspect_ratio:.1f} times as long as wide"
)


def _choice(fit: Fit, reason: str) -> Choice:
    return Choice("image.fit", "auto", fit, reason)


def _processors(loaded: LoadedModel, size: int) -> dict[Fit, Any]:
    """Distinct processors by framing, without those that the checkpoint's cannot do.

    Raises:
        ModelError: If it can do none.
    """
    processors: dict[Fit, Any] = {}
    seen: set[str] = set()
    refused: ModelError | None = None
    for fit in (FIRST, *(fit for fit in get_args(Fit) if fit != FIRST)):
        try:
            processor = reframe(loaded.processor, copy.deepcopy(loaded.model.config), size, fit)
        except ModelError as error:
            refused = error
            continue
        if (text := settings_text(processor)) not in seen:
            seen.add(text)
            processors[fit] = processor
    if not processors and refused is not None:
        raise refused
    return processors


def _can_be_tried(framings: Mapping[Fit, ModelOnData]) -> bool:
    pretrained = next(iter(framings.values()))
    probed = (
        pretrained.has_one_head
        and pretrained.data.kind.exclusive
        and pretrained.recipe.probe.enabled
    )
    return len(framings) > 1 and probed and _images(pretrained) >= FEWEST


def _images(pretrained: ModelOnData) -> int:
    """How many training images are looked at."""
    budget = pretrained.recipe.search.time_budget
    bound = LIMIT if budget is None else min(LIMIT, int(budget * A_SECOND))
    return min(bound, len(pretrained.data.splits["train"]))


def _judged(framings: Mapping[Fit, ModelOnData], first: Fit, facts: Facts) -> tuple[Fit, str]:
    pretrained = framings[first]
    split, count = pretrained.data.splits["train"], _images(pretrained)
    content = "train"
    if count < len(split):
        rows = np.random.default_rng(pretrained.recipe.seed).permutation(len(split))[:count]
        split = split.select(np.sort(rows))
        content = f"train, {count} of seed {pretrained.recipe.seed}"
    features = {
        fit: framed.probe_features(framed.images(split), content)
        for fit, framed in framings.items()
    }
    labels, n_classes = np.asarray(split["label"]), len(facts.class_counts)
    answer = judge(Framed(features, labels, first, groups_of(split), n_classes), pretrained)
    # One process's word, so that no two train differently.
    judgement: tuple[Fit, str] = broadcast_object_list([answer])[0]
    return judgement


def judge(framed: Framed, pretrained: ModelOnData) -> tuple[Fit, str]:
    """The framing to take, and why.

    Args:
        framed: What a probe is fitted to.
        pretrained: Has the task and the recipe.
    """
    first, labels, groups = framed.first, framed.labels, framed.groups
    tried, rows = _tried(framed, pretrained)
    if not tried:
        return first, ""
    units = rows if groups is None else number_groups(groups)[rows]
    # Each class weighs the same, as in the probe.
    weights = 1.0 / np.bincount(labels[rows], minlength=framed.n_classes)[labels[rows]]
    z = float(norm.isf(LEVEL / max(len(tried) - 1, 1)))
    gains = {
        fit: paired_gain(tried[first].losses - attempt.losses, weights, units)
        for fit, attempt in tried.items()
        if fit != first
    }
    credible = [
        fit
        for fit, (gain, error) in gains.items()
        if gain - z * error > 0 and tried[fit].score >= tried[first].score
    ]
    chosen = max(credible, key=lambda fit: gains[fit][0], default=first)
    metric = pretrained.recipe.training.metric
    losses = "; ".join(
        f"{fit} {np.average(attempt.losses, weights=weights):.3f} ({metric} {attempt.score:.3f}"
        + (f", gain {gains[fit][0]:+.3f} ± {z * gains[fit][1]:.3f})" if fit in gains else ")")
        for fit, attempt in tried.items()
    )
    reason = f"log loss of cross-validated probes on {len(rows)} training images: {losses}"
    if chosen == first:
        return first, f"no other framing is credibly better; {reason}"
    return chosen, f"it is credibly better than {first}; {reason}"


def _tried(framed: Framed, pretrained: ModelOnData) -> tuple[dict[Fit, Tried], np.ndarray]:
    """Results by framing, and the held-out images ``[M]``; empty where folds are impossible."""
    recipe, task = pretrained.recipe, pretrained.context.task
    shared: dict[str, Any] = {
        "num_classes": framed.n_classes,
        "folds": recipe.probe.folds,
        "groups": framed.groups,
        "balanced": recipe.probe.class_weights == "balanced",
    }
    features, labels = framed.features, framed.labels
    # Chosen for the first framing and kept for all: that takes nothing from the first.
    penalty = task.fit_probe(
        features[framed.first], labels.tolist(), **shared, seed=recipe.seed
    ).penalty
    attempts: dict[Fit, Tried] = {}
    rows = np.empty(0, dtype=int)
    for fit, values in features.items():
        losses, scores = [], []
        for repeat in range(REPEATS):
            held, logits = task.held_out_probe(
                values, labels.tolist(), **shared, penalty=penalty, seed=recipe.seed + repeat
            )
            if not len(held):
                return {}, held
            order = np.argsort(held)
            if repeat and not np.array_equal(held[order], rows):
                continue  # a fold without a class was left out, and with it its images
            rows, logits = held[order], logits[order]
            losses.append(-log_softmax(logits, axis=1)[np.arange(len(rows)), labels[rows]])
            scores.append(_score(pretrained, logits, labels[rows]))
        attempts[fit] = Tried(np.mean(losses, axis=0), float(np.mean(scores)))
    return attempts, rows


def _score(pretrained: ModelOnData, logits: np.ndarray, labels: np.ndarray) -> float:
    metric, seed = pretrained.recipe.training.metric, pretrained.recipe.seed
    task = pretrained.context.task
    value = task.ranking_score(
        logits, labels.tolist(), metric=metric, n_bootstrap=0, seed=seed
    ).value
    return value if value is not None else 0.0
