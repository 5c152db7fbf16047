"""Logistic regression fitted to convergence: what the probes of one and of several labels share.

Scikit-learn is imported where it is used: it takes seconds, and a model that answers needs none.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

# Inverse strength of the L2 penalty on standardised features, weakest last.
PENALTIES = tuple(10.0**exponent for exponent in (-4, -3.5, -3, -2.5, -2, -1.5, -1, 0))
UNTESTED_PENALTY = 1e-2
# Cross-validation looks at no more images than this: the best penalty varies slowly.
CV_LIMIT = 5000

Fold = tuple[np.ndarray, np.ndarray]
"""Indices to learn from and to test on."""

Fit = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]
"""From standardised features ``[N, D]`` and a penalty to weights ``[C, D]`` and biases ``[C]``."""


@dataclass(frozen=True)
class LinearHead:
    """A last layer, in the units of the features themselves.

    Attributes:
        weight: ``[C, D]``.
        bias: ``[C]``.
    """

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Features ``[N, D]`` to logits ``[N, C]``."""
        return np.asarray(features @ self.weight.T + self.bias)

    def copy_to(self, linear: nn.Linear | nn.Conv2d) -> None:
        """Make ``linear``, which has a bias, compute the same logits."""
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(self.weight).reshape(linear.weight.shape))
            linear.bias.copy_(torch.from_numpy(self.bias))  # type: ignore[union-attr]


@dataclass(frozen=True)
class LinearProbe(LinearHead):
    """Logistic regression on features.

    Attributes:
        penalty: The chosen inverse regularisation strength.
        cv_log_loss: Mean log loss in cross-validation, nats; None if there were too few
            images to cross-validate, and the penalty is a usual one.
    """

    penalty: float
    cv_log_loss: float | None


def converged_probe(
    features: np.ndarray, fit: Fit, cv_loss: Callable[[np.ndarray, float], float] | None
) -> LinearProbe:
    """The probe at the penalty of least cross-validated loss.

    Args:
        features: ``[N, D]``.
        fit: To all images.
        cv_loss: Of a penalty, on standardised features; None where nothing can be held out.

    Returns:
        The probe, with the standardisation folded into its weights.
    """
    mean, scale = standardisation(features)
    standard = ((features - mean) / scale).astype(np.float64)
    # The products are small: on busy cores several threads wait for each other most of the time.
    with threadpool_limits(1):
        penalty, loss = best_penalty(standard, cv_loss)
        weight, bias = fit(standard, penalty)
    weight = weight / scale
    return LinearProbe(
        weight=weight.astype(np.float32),
        bias=(bias - weight @ mean).astype(np.float32),
        penalty=penalty,
        cv_log_loss=loss,
    )


def best_penalty(
    x: np.ndarray, cv_loss: Callable[[np.ndarray, float], float] | None
) -> tuple[float, float | None]:
    """The penalty of least cross-validated loss, and that loss."""
    if cv_loss is None:
        return UNTESTED_PENALTY, None
    losses = {penalty: cv_loss(x, penalty) for penalty in PENALTIES}
    best = min(losses, key=lambda penalty: losses[penalty])
    return best, losses[best]


def fit_logistic(
    x: np.ndarray, y: np.ndarray, penalty: float, balanced: bool
) -> LogisticRegression:
    """Scikit-learn's, to convergence with L-BFGS; classes weigh the same if ``balanced``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=penalty, class_weight="balanced" if balanced else None, max_iter=2000, tol=1e-5
    )
    with warnings.catch_warnings():
        # Seen only with next to no penalty, which cross-validation then does not choose.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y)


def standardisation(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale ``[D]``; what does not vary is scaled to nothing."""
    mean, scale = features.mean(0), features.std(0)
    return mean, np.where(scale > 1e-8 * max(float(scale.max()), 1e-12), scale, np.inf)
