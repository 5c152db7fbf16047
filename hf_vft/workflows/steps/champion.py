"""The run in use, the run that challenges it, and how the two compare in words."""

from __future__ import annotations

from pathlib import Path

from hf_vft.evaluation.comparison import Comparison
from hf_vft.run import RunDirectory

TOLERANCE = 0.05
"""Accuracy on the old test images that the challenger must not be able to have lost."""


def pointer_of(given: Path, before: RunDirectory, champion: str | Path | None) -> Path:
    """The file that says which run is in use."""
    if champion is not None:
        return Path(champion)
    return given if given.is_file() else before.path.absolute().parent / "champion"


def next_free(before: RunDirectory) -> Path:
    """The next of ``NAME-2``, ``NAME-3``, ... beside a run that is not there yet."""
    path = before.path.absolute()
    stem, _, number = path.name.rpartition("-")
    base = stem if stem and number.isdigit() else path.name
    tries = (path.with_name(f"{base}-{n}") for n in range(2, 10_000))
    return next(one for one in tries if not one.exists())


def old_sentence(old: Comparison, tolerance: float) -> str:
    """How the two compare on the champion's own test images."""
    verdict = "worse, or may be" if old.loses(tolerance) else "no loss"
    return sentence("old test images", old, verdict)


def sentence(where: str, found: Comparison, verdict: str) -> str:
    """Scores of champion and challenger on the images ``where``, and what they prove."""
    gap = found.accuracy.difference
    low, high = (100 * (end or 0.0) for end in (gap.low, gap.high))
    return (
        f"{found.n} {where}: accuracy {found.accuracy.champion:.3f} champion, "
        f"{found.accuracy.challenger:.3f} challenger ({100 * (gap.value or 0.0):+.1f} points, "
        f"{low:+.1f} to {high:+.1f}), macro F1 {found.f1_macro.champion:.3f} and "
        f"{found.f1_macro.challenger:.3f}: {verdict}."
    )
