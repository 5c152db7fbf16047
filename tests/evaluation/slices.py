"""Answers of a made-up model that is right more often in some groups than in others."""

from __future__ import annotations

from typing import Any

import numpy as np

NAMES = ["ok", "scratch", "stain", "crack"]


def answers(seed: int, groups: dict[str, float], n: int) -> dict[str, Any]:
    """``n`` rows a group, as arguments of `measure_bias`.

    Args:
        seed: Of everything.
        groups: Value of the column ``camera`` to the share of right answers there.
        n: Rows in each.
    """
    rng = np.random.default_rng(seed)
    total = n * len(groups)
    labels = rng.choice(len(NAMES), total, p=[0.4, 0.2, 0.2, 0.2])
    right = rng.random(total) < np.repeat(list(groups.values()), n)
    wrong = (labels + rng.integers(1, len(NAMES), total)) % len(NAMES)
    return {
        "predicted": [NAMES[c] for c in np.where(right, labels, wrong)],
        "confidence": 0.5 + 0.5 * rng.beta(4, 2, total),
        "slices": {"camera": np.repeat(list(groups), n).tolist()},
        "labels": [NAMES[c] for c in labels],
    }
