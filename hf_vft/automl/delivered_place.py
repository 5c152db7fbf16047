"""Which place on the line from the probe to the fine-tuned weights is delivered.

Answers for held-out images, as they are and disturbed, decide.

The line itself: `hf_vft.models.weight_line`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hf_vft.models.transferability import paired_gain


@dataclass(frozen=True)
class Evidence:
    """The answers of the networks at several places on held-out images.

    Each figure is the mean over an image as it is and disturbed.

    Attributes:
        places: On the line ``[K]``, ascending, from 0 to 1.
        merits: How good the answers for each image are, more is better ``[K, N]``: the share that
            is right, or the negative log loss where an image has several labels.
        losses: Log loss in nats ``[K, N]``; decides between places of the same merit.
        weights: Of the images ``[N]``: each class weighs the same.
        groups: Number of each image's group ``[N]``.
        fewest: Images of the class that has the fewest.
    """

    places: np.ndarray
    merits: np.ndarray
    losses: np.ndarray
    weights: np.ndarray
    groups: np.ndarray
    fewest: int

    def at(self, place: float) -> int:
        """The number of the nearest place that was looked at."""
        return int(np.argmin(np.abs(self.places - place)))


ENOUGH = 20
"""Held-out images of the rarest class from which on one split decides. With fewer, the place that
is best on it is best by chance (arXiv 2603.00478), so the places of resamples are averaged."""

RESAMPLES = 200


def best_place(evidence: Evidence, seed: int) -> float:
    """The place of the best answers, or with few images the mean of the places of many resamples.

    Args:
        evidence: On all places.
        seed: Of the resamples.

    Returns:
        With enough images one of the places; else a place between them, in steps of a twentieth.
    """
    if evidence.fewest >= ENOUGH:
        return _best(evidence, evidence.weights)
    rng = np.random.default_rng(seed)
    ids = np.unique(evidence.groups, return_inverse=True)[1]
    count = int(ids.max()) + 1
    places = []
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(count, size=count), minlength=count)[ids]
        weights = evidence.weights * times
        if weights.any():
            places.append(_best(evidence, weights))
    return round(20 * float(np.mean(places))) / 20


def _best(evidence: Evidence, weights: np.ndarray) -> float:
    share = weights / weights.sum()
    # Rounded, since sums of equal merits differ in their last digits.
    merits, losses = np.round(evidence.merits @ share, 9), evidence.losses @ share
    return float(evidence.places[np.lexsort((losses, -merits))[0]])


def harms(evidence: Evidence, place: float) -> bool:
    """Whether the answers at a place are worse than the probe's beyond noise.

    Noise is one standard error of the paired difference, each class weighing the same.
    """
    differences = evidence.merits[evidence.at(place)] - evidence.merits[0]
    gain, error = paired_gain(differences, evidence.weights, evidence.groups)
    return gain < 0 and gain < -error


def safe_place(evidence: Evidence, place: float) -> float:
    """The place, or the next one towards the probe that does no harm; the probe never does."""
    below = [float(p) for p in evidence.places[evidence.places <= place][::-1]]
    return next((p for p in below if not harms(evidence, p)), 0.0)
