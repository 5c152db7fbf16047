"""Heads that are one linear layer, each fitted in one step: prototypes and their relatives.

Every function takes features that were centred and scaled, and class ids of which none is missing,
and returns a head for features of that kind. Classes weigh the same however many images they have.
"""

from __future__ import annotations

import numpy as np

from hf_vft.models.logistic import LinearHead


def class_means(features: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """The prototype of each class, ``[C, D]``: the mean of its features ``[N, D]``."""
    marks = np.eye(num_classes)[labels]
    means: np.ndarray = (marks / marks.sum(0)).T @ features
    return means


def prototypes(features: np.ndarray, labels: np.ndarray, num_classes: int) -> LinearHead:
    """Prototypes at squared Euclidean distance (Snell et al. 2017).

    ``-|x - c|² = 2 c·x - |c|² - |x|²``, and the last term is the same for all classes, so the
    head is the layer of weight 2c and bias -|c|².

    Args:
        features: ``[N, D]``.
        labels: ``[N]``.
        num_classes: C.
    """
    means = class_means(features, labels, num_classes)
    return LinearHead(2 * means, -(means**2).sum(1))


def cosine_prototypes(features: np.ndarray, labels: np.ndarray, num_classes: int) -> LinearHead:
    """Prototypes of unit length, compared by the cosine with the centred features.

    The cosine divides by the length of the image's features, which is the same for all classes:
    the layer without it gives the same answers, and its logits are the more decided the longer
    the features are.

    Args:
        features: ``[N, D]``.
        labels: ``[N]``.
        num_classes: C.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    means = class_means(features / np.maximum(lengths, 1e-12), labels, num_classes)
    unit = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return LinearHead(unit, np.zeros(num_classes))


def discriminant(
    features: np.ndarray, labels: np.ndarray, num_classes: int, *, shrinkage: float
) -> LinearHead:
    """Linear discriminant analysis: prototypes at the Mahalanobis distance within classes.

    With fewer images than features their covariance says nothing of most directions, so it is
    shrunk towards a multiple of the identity. At a shrinkage of 1 these are `prototypes`.

    Args:
        features: ``[N, D]``.
        labels: ``[N]``.
        num_classes: C.
        shrinkage: In (0, 1].
    """
    means = class_means(features, labels, num_classes)
    counts = np.bincount(labels, minlength=num_classes)
    weights = np.sqrt(len(labels) / (num_classes * counts[labels]))[:, None]
    within = (features - means[labels]) * weights
    n, width = within.shape
    spread = float((within**2).sum()) / (n * width)
    if spread == 0.0:
        return prototypes(features, labels, num_classes)
    # (a I + b W'W)^-1 by Woodbury, since there are fewer images than features.
    a, b = shrinkage * spread, (1 - shrinkage) / n
    inner = np.eye(n) + b * (within @ within.T) / a
    turned = means / a - b * (np.linalg.solve(inner, within @ means.T / a).T @ within) / a
    return LinearHead(turned, -0.5 * (turned * means).sum(1))
