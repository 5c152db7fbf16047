"""A model on disturbed images: every disturbance at every severity, one pass each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import datasets
import numpy as np
from PIL import Image

from hf_vft.data.images import Decoder
from hf_vft.data.transforms.disturbances import DISTURBANCES, SEVERITIES
from hf_vft.data.transforms.images import input_size
from hf_vft.evaluation.results import Estimate
from hf_vft.evaluation.robustness import Robustness
from hf_vft.recipe.schema import Recipe
from hf_vft.tasks import Calibration, Task
from hf_vft.training.predict import predict_split, score_split
from hf_vft.utils.progress import Display

if TYPE_CHECKING:
    from torch import nn
    from transformers import BaseImageProcessor

MOST = 500
"""Images that are measured; of more, so many are drawn: each is answered for 25 times."""

_RESAMPLES = 300


def measure_robustness(
    model: nn.Module,
    processor: BaseImageProcessor,
    task: Task,
    images: datasets.Dataset,
    names: Sequence[str],
    *,
    recipe: Recipe,
    metric: str,
    calibration: Calibration,
    source: str,
    display: Display,
) -> Robustness:
    """Score a model on images as they are and as they could be; all processes work on it.

    Args:
        model: As it answers.
        processor: Its own.
        task: What the labels mean.
        images: With ``image``, ``label`` and perhaps ``group``, whose members are drawn together.
        names: Of the classes.
        recipe: Resolved.
        metric: The score; one of those that the task evaluates.
        calibration: Of the run: it is applied as it is, since production cannot fit it anew.
        source: Which images these are, in words.
        display: Where progress is shown.
    """
    if len(images) > MOST:
        chosen = np.random.default_rng(recipe.seed).choice(len(images), MOST, replace=False)
        images = images.select(np.sort(chosen))

    def scored(disturb: Callable[[Image.Image], Image.Image] | None) -> Estimate:
        data = task.dataset(
            images,
            task.plain(processor),
            seed=recipe.seed,
            decoder=Decoder.of(recipe.data),
            disturb=disturb,
        )
        result = score_split(
            predict_split(model, data, task, recipe),
            images,
            names,
            task,
            recipe,
            calibration=calibration,
            n_bootstrap=min(_RESAMPLES, recipe.evaluation.bootstrap),
        )
        return result.metrics[metric]

    display.start("disturbing images", len(DISTURBANCES))
    side, clean = max(input_size(processor)), scored(None)
    disturbed = {}
    for number, (name, disturbance) in enumerate(DISTURBANCES.items()):
        disturbed[name] = [
            scored(partial(disturbance.applied, severity=place, side=side))
            for place in range(len(SEVERITIES))
        ]
        display.advance(number + 1, total=len(DISTURBANCES))
    return Robustness(
        metric=metric,
        source=source,
        n=len(images),
        severities=list(SEVERITIES),
        clean=clean,
        disturbed=disturbed,
    )
