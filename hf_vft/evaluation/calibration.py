"""Whether confidence means what it says: ECE, reliability diagram, temperature scaling.

Guo et al. 2017, "On Calibration of Modern Neural Networks".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from hf_vft.evaluation.counts import sum_by
from hf_vft.evaluation.intervals import Bools, Floats, Ints, percentile_interval
from hf_vft.evaluation.results import Bin, Estimate

BINS = 15
TEMPERATURES = (0.05, 20.0)


def probabilities(logits: npt.ArrayLike, temperature: float = 1.0) -> Floats:
    """Softmax of ``logits [N, C] / temperature`` in double precision."""
    probs: Floats = softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)
    return probs


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The temperature that makes the probabilities fit the labels best.

    Minimises the negative log-likelihood over log T, T in [0.05, 20]. Fit it on images
    that neither trained the model nor test it. The labels are smoothed as if one image
    more had a label drawn at random (after Platt 1999): a small set without a mistake
    would otherwise ask for boundless confidence. The effect vanishes as N grows.

    Args:
        logits: ``[N, C]``.
        labels: Class ids ``[N]``.

    Returns:
        T; above 1 when the model is overconfident, below 1 when it is underconfident.
    """
    scores = np.asarray(logits, dtype=np.float64)
    ids = np.asarray(labels, dtype=np.int64)
    n = len(ids)
    random_share = 1.0 / (n + 1)

    def loss(log_t: float) -> float:
        log_p = log_softmax(scores / np.exp(log_t), axis=1)
        true = log_p[np.arange(n), ids].mean()
        return -float((1.0 - random_share) * true + random_share * log_p.mean())

    low, high = np.log(TEMPERATURES)
    optimum = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(optimum.x))


def expected_calibration_error(
    probs: npt.ArrayLike, labels: npt.ArrayLike, bins: int = BINS
) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of the top confidence.

    Args:
        probs: ``[N, C]``, rows sum to one.
        labels: Class ids ``[N]``.
        bins: How many; 15 as in Guo et al.

    Returns:
        In [0, 1]; 0 is calibrated.
    """
    p = np.asarray(probs, dtype=np.float64)
    return float(weighted_ece(p, np.asarray(labels), np.ones((len(p), 1)), bins)[0])


def weighted_ece(probs: Floats, labels: Ints, weights: Floats, bins: int = BINS) -> Floats:
    """`expected_calibration_error` for each column of ``weights [N, B]``: ``[B]``."""
    confidence, right = _top(probs, labels)
    gap = sum_by(bin_of(confidence, bins), bins, weights, right - confidence)
    ece: Floats = np.abs(gap).sum(0) / weights.sum(0)
    return ece


def ece_estimate(
    confidence: Floats, right: Bools, *, deff: float = 1.0, n_bootstrap: int = 200, seed: int = 0
) -> Estimate:
    """ECE with its 95 % interval, from what each bin holds: fast at any number of images.

    Images are redrawn over the bins and right answers within each; the mean confidence of a
    bin, which hardly varies, is kept. As noise only ever adds to ECE, the draws are moved back
    by their mean excess.

    Args:
        confidence: Top probability ``[N]``.
        right: Whether the answer was right ``[N]``.
        deff: Design effect; N / deff images are redrawn.
        n_bootstrap: Resamples.
        seed: Of the resamples.
    """
    index = bin_of(confidence)
    n = np.bincount(index, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean = np.nan_to_num(np.bincount(index, confidence, BINS) / n)
        accuracy = np.nan_to_num(np.bincount(index, right, BINS) / n)
    value = float((n * np.abs(accuracy - mean)).sum() / n.sum())
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(max(1, round(n.sum() / deff)), n / n.sum(), size=n_bootstrap)
    hits = rng.binomial(drawn, accuracy)
    draws = np.abs(hits - drawn * mean).sum(1) / drawn.sum(1)
    low, high = percentile_interval(np.maximum(draws - (draws.mean() - value), 0.0))
    return Estimate(value=value, low=float(low), high=float(high))


def reliability_bins(probs: npt.ArrayLike, labels: npt.ArrayLike, bins: int = BINS) -> list[Bin]:
    """The bars of a reliability diagram, from low to high confidence.

    Args:
        probs: ``[N, C]``, rows sum to one.
        labels: Class ids ``[N]``.
        bins: How many bars of equal width.
    """
    confidence, right = _top(np.asarray(probs, dtype=np.float64), np.asarray(labels))
    index = bin_of(confidence, bins)
    n = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(index, confidence, bins) / n
        accuracy = np.bincount(index, right, bins) / n
    return [
        Bin(
            low=k / bins,
            high=(k + 1) / bins,
            n=int(n[k]),
            confidence=mean_confidence[k],
            accuracy=accuracy[k],
        )
        for k in range(bins)
    ]


def _top(probs: Floats, labels: Ints) -> tuple[Floats, Floats]:
    return probs.max(1), (probs.argmax(1) == labels).astype(np.float64)


def bin_of(confidence: Floats, bins: int = BINS) -> Ints:
    """The bin of each confidence; open below and closed above, so that 1 has a place."""
    index: Ints = np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1).astype(np.int64)
    return index
