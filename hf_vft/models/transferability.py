"""How much features know of the labels, without training: k nearest neighbours, and LogME.

Both are cheap second opinions beside the linear probe. LogME is advisory: over many backbones and
data sets it agrees with what fine-tuning brings less well than the size of a backbone does.
"""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

NEIGHBOURS = 10
_ROUNDS = 20
_CLOSE = 1e-3


def knn_shares(
    features: np.ndarray,
    marks: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    k: int = NEIGHBOURS,
) -> np.ndarray:
    """Share of the nearest other images that hold each class, leaving each image out once.

    Neighbours vote by cosine similarity; images of the same group do not vote, since they
    show the same thing.

    Args:
        features: ``[N, D]``.
        marks: Whether each image holds each class ``[N, C]``.
        groups: One per image.
        k: Votes, fewer where there are not as many images.

    Returns:
        Shares of the votes ``[N, C]``; similarity settles draws.
    """
    n = len(marks)
    own = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    centred = features - features.mean(0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    # As many more as an image's own group may fill.
    wanted = min(n, k + int(np.bincount(own).max()))
    with threadpool_limits(1):
        distance, near = NearestNeighbors(n_neighbors=wanted).fit(unit).kneighbors(unit)
    similarity = 1 - distance**2 / 2
    others = own[near] != own[:, None]
    voting = others & (np.cumsum(others, axis=1) <= k)
    # Similarities may be negative: votes are counted, and similarity settles a draw.
    weight = np.where(voting, 1 + 1e-3 * similarity, 0.0)
    votes: np.ndarray = np.einsum("nk,nkc->nc", weight, marks[near].astype(np.float64))
    return votes / k


def paired_gain(
    differences: np.ndarray, weights: np.ndarray, groups: np.ndarray
) -> tuple[float, float]:
    """Weighted mean of paired differences, and its standard error.

    The error is that of a ratio of sums over groups (Cochran 1977, section 6.3): images of one
    group are no independent witnesses.

    Args:
        differences: One an image ``[N]``, such as of two losses.
        weights: Of the images ``[N]``.
        groups: Number of each image's group ``[N]``.

    Returns:
        Mean and standard error; the error is infinite with fewer than two groups.
    """
    mean = float(np.average(differences, weights=weights))
    ids = np.unique(groups, return_inverse=True)[1]
    count = int(ids.max()) + 1
    if count < 2:
        return mean, np.inf
    sums = np.bincount(ids, weights=weights * (differences - mean))
    return mean, float(np.sqrt(count / (count - 1) * (sums**2).sum()) / weights.sum())


def log_maximum_evidence(features: np.ndarray, marks: np.ndarray) -> float:
    """LogME (You et al. 2021): evidence of a Bayesian linear model of the labels, an image.

    The mean over classes of the log evidence of one against the rest, each with its own noise
    and prior precision found by fixed-point iteration (You et al. 2021, algorithm 3).

    Args:
        features: ``[N, D]``.
        marks: Whether each image holds each class ``[N, C]``.

    Returns:
        The higher, the better the features explain the labels; comparable on the same labels.
    """
    with threadpool_limits(1):
        left, values, _ = np.linalg.svd(features.astype(np.float64), full_matrices=False)
    squares = values**2
    evidences = [
        _evidence(left, squares, target, features.shape[1])
        for target in marks.astype(np.float64).T
        if target.any()
    ]
    return float(np.mean(evidences))


def _evidence(left: np.ndarray, squares: np.ndarray, target: np.ndarray, width: int) -> float:
    """Log evidence of one target ``[N]``, from singular vectors and squared singular values."""
    n = len(target)
    along = (left.T @ target) ** 2
    beside = max(float(target @ target - along.sum()), 0.0)
    alpha, beta = 1.0, 1.0
    for _ in range(_ROUNDS):
        ratio = alpha / beta
        size, error = _fit(squares, along, beside, ratio)
        gamma = float((squares / (squares + ratio)).sum())
        alpha = gamma / max(size, 1e-12)
        beta = (n - gamma) / max(error, 1e-12)
        if abs(alpha / beta - ratio) <= _CLOSE * ratio:
            break
    return _log_evidence(squares, along, beside, width, n, alpha, beta) / n


def _fit(
    squares: np.ndarray, along: np.ndarray, beside: float, ratio: float
) -> tuple[float, float]:
    """Squared length of the weights, and squared error, of ridge regression."""
    size = float((squares * along / (squares + ratio) ** 2).sum())
    error = float((along * ratio**2 / (squares + ratio) ** 2).sum()) + beside
    return size, error


def _log_evidence(
    squares: np.ndarray,
    along: np.ndarray,
    beside: float,
    width: int,
    n: int,
    alpha: float,
    beta: float,
) -> float:
    """Log density of the targets, weights of precision alpha and noise of precision beta."""
    size, error = _fit(squares, along, beside, alpha / beta)
    determinant = float(np.log(alpha + beta * squares).sum())
    determinant += (width - len(squares)) * float(np.log(alpha))
    twice = (
        width * np.log(alpha)
        + n * np.log(beta)
        - n * np.log(2 * np.pi)
        - beta * error
        - alpha * size
        - determinant
    )
    return float(twice) / 2
