"""Stress tests of a finished model: what estimates without labels are worth once images change.

Some held-out images are disturbed and answered again; with the others they are compared as the
monitor will compare a window of production with all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image

from hf_vft.answers.one_label import one_label_columns
from hf_vft.data.transforms.disturbances import DISTURBANCES, SEVERITIES
from hf_vft.data.transforms.images import input_size
from hf_vft.data.verify import image_bytes
from hf_vft.evaluation.calibration import probabilities
from hf_vft.inference.log_rows import reduce_embeddings
from hf_vft.inference.predictor import Predictor
from hf_vft.monitoring.answer_checks import checks_of
from hf_vft.monitoring.embeddings import LEAST_ROWS
from hf_vft.monitoring.estimate_error import StressTest
from hf_vft.monitoring.estimated_accuracy import consensus
from hf_vft.monitoring.log_sample import Sample, independent, unit_numbers
from hf_vft.monitoring.profile import Reference
from hf_vft.utils.progress import Display

MOST = 120
"""Images that are disturbed; each is answered for once a kind and severity."""

STRENGTHS = (0, 1)
"""Places in `SEVERITIES`. Past the clear ones no estimate has been seen to hold."""

BATCH = 32


def stress_tests(
    predictor: Predictor, reference: Reference, image_at: Callable[[int], Any], display: Display
) -> list[StressTest]:
    """Measure estimates of accuracy on disturbed images against the truth.

    Args:
        predictor: Of the model, which answers with one label.
        reference: Of the run, all of its rows.
        image_at: The image of a row, as `image_bytes` takes it.
        display: Where progress is shown.

    Returns:
        One for each kind and strength; none where held-out images are too few.
    """
    seed = predictor.recipe.seed
    chosen, others = _divided(reference, np.random.default_rng(seed))
    plain = reference.sample.take(chosen)
    if plain.embeddings is None or min(len(chosen), len(others)) < LEAST_ROWS:
        return []
    against = replace(reference, sample=reference.sample.take(others))
    images = [predictor.decode(image_bytes(image_at(row))) for row in chosen]
    side = max(input_size(predictor.processor))
    display.start("stress tests", len(DISTURBANCES))
    tests = []
    for number, (kind, disturbance) in enumerate(DISTURBANCES.items()):
        for place in STRENGTHS:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                changed = [disturbance.applied(image, place, side) for image in images]
            answered = _answered(predictor, changed, plain)
            tests.append(
                StressTest(
                    kind=kind,
                    severity=SEVERITIES[place],
                    rows=len(chosen),
                    shift=checks_of(against).shift(answered, seed) or 0.0,
                    estimated=_estimated(reference, answered) - _estimated(reference, plain),
                    measured=_accuracy(answered) - _accuracy(plain),
                )
            )
        display.advance(number + 1, total=len(DISTURBANCES))
    return tests


def _divided(
    reference: Reference, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows to disturb, one of each unit, and the rows of all other units."""
    sample, group = reference.sample, reference.profile.group_column
    numbered = Sample(sample.frame.assign(_row=np.arange(len(sample))))
    alone = independent(numbered, group, rng).frame["_row"].to_numpy()
    chosen = np.sort(rng.choice(alone, min(MOST, len(alone) // 2), replace=False))
    units = unit_numbers(sample.frame, group)
    return chosen, np.flatnonzero(~np.isin(units, units[chosen]))


def _answered(predictor: Predictor, images: Sequence[Image.Image], plain: Sample) -> Sample:
    """The same rows with other answers."""
    rows, embeddings = [], []
    for start in range(0, len(images), BATCH):
        outputs = predictor.outputs(images[start : start + BATCH])
        probs = probabilities(outputs.logits, predictor.temperature)
        rows += one_label_columns(probs, outputs.logits, predictor.labels)
        embeddings.append(reduce_embeddings(np.asarray(outputs.embeddings)))
    answers = pd.DataFrame(rows, index=plain.frame.index)
    return Sample(plain.frame.assign(**answers), np.concatenate(embeddings).astype(np.float16))


def _estimated(reference: Reference, sample: Sample) -> float:
    held_out = reference.sample.frame
    right = (held_out["predicted"] == held_out["label"]).to_numpy().astype(np.float64)
    sure, now = (frame["confidence"].to_numpy(dtype=float) for frame in (held_out, sample.frame))
    return float(consensus(sure, right, now))


def _accuracy(sample: Sample) -> float:
    return float((sample.frame["predicted"] == sample.frame["label"]).mean())
