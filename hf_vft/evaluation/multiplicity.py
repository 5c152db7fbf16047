"""Corrections for having made many tests.

statsmodels has these too, but its ``multipletests`` runs Python's garbage collector on every
call (0.3 s in a large process); the tests hold ours against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control

from hf_vft.evaluation.intervals import Floats


def holm(p_values: Iterable[float | None]) -> Floats:
    """Adjusted p-values (Holm 1979): holds the chance of even one false alarm.

    Args:
        p_values: None or NaN where nothing was tested; they do not count as tests.

    Returns:
        As long as ``p_values``, NaN where nothing was tested.
    """
    return _adjusted(p_values, _holm)


def benjamini_hochberg(p_values: Iterable[float | None]) -> Floats:
    """Adjusted p-values (Benjamini & Hochberg 1995): holds the share of false findings.

    Args and returns as for `holm`.
    """
    return _adjusted(p_values, false_discovery_control)


def _adjusted(
    p_values: Iterable[float | None], adjust: Callable[[Floats], npt.ArrayLike]
) -> Floats:
    raw = np.array([np.nan if p is None else p for p in p_values], dtype=np.float64)
    adjusted = np.full(len(raw), np.nan)
    tested = ~np.isnan(raw)
    if tested.any():
        adjusted[tested] = adjust(raw[tested])
    return adjusted


def _holm(p: Floats) -> Floats:
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
