"""Columns of a data set beside image and label that more than one part of the package knows."""

from __future__ import annotations

DEFECT = "defect"
"""Which class an anomaly was of."""

MASK = "mask"
"""The file that marks where an anomaly is."""
