"""Finds the folders that users edit, in a checkout or in the installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).resolve().parents[1]

BundledFolder = Literal["recipes", "monitoring", "spaces"]


def bundled(name: BundledFolder) -> Path:
    """The folder ``name`` of the checkout, or its copy in the installed package."""
    packaged = PACKAGE / "_bundled" / name
    return packaged if packaged.is_dir() else PACKAGE.parent / name
