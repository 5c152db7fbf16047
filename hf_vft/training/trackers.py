"""Experiment trackers that the Trainer of transformers reports to."""

from __future__ import annotations

from collections.abc import Iterable

from hf_vft.errors import MissingDependencyError
from hf_vft.utils.imports import is_available


def check_trackers(names: Iterable[str]) -> None:
    """Make sure, before the work begins, that the packages of trackers are installed.

    Args:
        names: As in ``training.report_to``; the package is called like the tracker.

    Raises:
        MissingDependencyError: If one is missing.
    """
    for name in names:
        if not is_available(name):
            raise MissingDependencyError(
                f"training.report_to: the package {name!r} is not installed; pip install {name}, "
                "or leave it out of training.report_to."
            )
