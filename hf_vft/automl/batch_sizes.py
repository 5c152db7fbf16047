"""Which batch sizes a run takes where the recipe names none.

A search looks for larger ones that fit in memory, too: `hf_vft.automl.fitting_batches`.
"""

from __future__ import annotations

from typing import Any

from hf_vft.automl.environment import Facts

FEW_IMAGES, MANY_IMAGES = 1000, 5000
"""Training images below and above which a batch is small and large."""


def batch_sizes(facts: Facts) -> list[tuple[str, Any, str]]:
    """Name, value and reason of the batch sizes of training and of evaluation.

    A batch divides evenly over the processes.
    """
    size = 16 if facts.images < FEW_IMAGES else 32 if facts.images < MANY_IMAGES else 64
    rounded = max(facts.processes, size // facts.processes * facts.processes)
    steps = facts.images // rounded
    return [
        (
            "training.batch_size",
            rounded,
            f"{facts.images} training images make {steps} steps an epoch",
        ),
        (
            "training.eval_batch_size",
            64 // facts.processes * facts.processes or facts.processes,
            "evaluation keeps no gradients",
        ),
    ]
