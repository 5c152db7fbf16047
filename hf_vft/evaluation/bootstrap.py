"""Values with their intervals, from any function that scores weighted images."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from hf_vft.evaluation.intervals import (
    Floats,
    Ints,
    flawless_low,
    percentile_interval,
    resamples,
)
from hf_vft.evaluation.results import Estimate

# Overall scores [B] and scores per class [C, B], by name; B columns of weights went in.
Scores = tuple[dict[str, Floats], dict[str, Floats]]
Measure = Callable[[Floats], Scores]

# Shares of images that are right: where all are, the exact bound replaces the bootstrap.
_COUNTED = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")

# Interpolated average precision takes the highest precision to come, which few images put too
# high, and a resample of them twice so.
INTERPOLATED = ("map", "map50", "map75", "ap", "ap50")


def estimate_scores(
    measure: Measure,
    labels: Ints,
    n_classes: int,
    units: Ints,
    n_bootstrap: int,
    seed: int,
    *,
    too_high: Collection[str] = (),
) -> tuple[dict[str, Estimate], dict[str, list[Estimate]]]:
    """Run ``measure`` on the images and on their resamples.

    Args:
        measure: Takes weights ``[N, B]``.
        labels: True class ids ``[N]``, or 0 and 1 for each class ``[N, C]``.
        n_classes: C.
        units: What is resampled together ``[N]``, from `units_of`.
        n_bootstrap: Resamples; 0 gives values without intervals.
        seed: Of the resamples.
        too_high: Scores that few images put too high; their intervals are moved down by the bias
            of the resamples, twice, since the value has it too (Efron & Tibshirani 1993, 10.6).

    Returns:
        Overall estimates, and lists of C estimates per class.
    """
    overall, per_class = measure(np.ones((len(labels), 1)))
    draws = [measure(weights) for weights in resamples(units, n_bootstrap, seed)]
    marks = labels if labels.ndim == 2 else labels[:, None] == np.arange(n_classes)
    n_units = [len(np.unique(units[marks[:, c] > 0])) for c in range(n_classes)]

    def moved(name: str, value: float, column: Floats) -> Floats:
        return _without_bias(value, column) if name in too_high else column

    return (
        {
            name: _estimate(
                name,
                value[0],
                moved(name, value[0], _joined([o[name] for o, _ in draws])),
                _floor(name, n_units),
            )
            for name, value in overall.items()
        },
        {
            name: [
                _estimate(name, value, moved(name, value, column), flawless_low(max(n, 1)))
                for value, column, n in zip(
                    values[:, 0],
                    _joined([c[name] for _, c in draws], n_classes),
                    n_units,
                    strict=True,
                )
            ]
            for name, values in per_class.items()
        },
    )


def _without_bias(value: float, draws: Floats) -> Floats:
    """The draws around the value without its bias, which the draws tell."""
    defined = draws[~np.isnan(draws)]
    if not defined.size:
        return draws
    moved: Floats = np.clip(draws - 2.0 * (defined.mean() - value), 0.0, 1.0)
    return moved


def _joined(pieces: list[Floats], *shape: int) -> Floats:
    return np.concatenate(pieces, axis=-1) if pieces else np.empty((*shape, 0))


def _floor(name: str, n_units: list[int]) -> float:
    """Lower end for a flawless overall score."""
    present = [n for n in n_units if n]
    if name.endswith("_macro") or name == "balanced_accuracy":
        # The cheapest way for a macro average to be worse lies in the class with the
        # fewest images, of which the average takes a share.
        return 1.0 - (1.0 - flawless_low(min(present))) / len(present)
    return flawless_low(sum(present))


def _estimate(name: str, value: float, draws: Floats, floor: float) -> Estimate:
    if np.isnan(value):
        return Estimate(value=None)
    if name.startswith("ece") and draws.size:
        # Noise only ever adds to ECE, so resamples of a calibrated model all lie above the
        # value that was measured; move them back by that bias.
        draws = np.maximum(draws - (draws.mean() - value), 0.0)
    low, high = (float(end) for end in percentile_interval(draws))
    if np.isnan(low) and draws.size and name.startswith(_COUNTED):
        if value == 1.0:
            low, high = floor, 1.0
        elif value == 0.0:
            low, high = 0.0, 1.0 - floor
    return Estimate(value=value, low=low, high=high)
