"""Which way a score is better: one place for all who compare, order or draw scores."""

from __future__ import annotations

_LOWER_IS_BETTER = frozenset({"loss", "log_loss", "brier", "ece", "ece_calibrated"})


def lower_is_better(metric: str) -> bool:
    """Whether a small value of this score is good."""
    return metric in _LOWER_IS_BETTER
