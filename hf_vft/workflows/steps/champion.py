"""The run in use, the run that challenges it, how the two compare, and which one is used next."""

from __future__ import annotations

from pathlib import Path

from hf_vft.evaluation.comparison import Comparison
from hf_vft.run import RunDirectory
from hf_vft.utils.text import counted

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
    return next(candidate for candidate in tries if not candidate.exists())


def judge_retrained(
    recent: Comparison, old: Comparison, tolerance: float
) -> tuple[bool, str, list[str]]:
    """Decide whether the challenger takes over, with a sentence and the reasons."""
    reasons = [
        sentence("newest labels", recent, "better" if recent.wins else "not proven better"),
        old_sentence(old, tolerance),
    ]
    if not recent.wins:
        more = "" if recent.loses(1.0) else "; more labels may prove it"
        return False, f"The champion stays: the challenger is not proven better{more}.", reasons
    if old.loses(tolerance):
        lost = "The champion stays: the challenger loses, or may lose, on the old test images."
        return False, lost, reasons
    return True, "The challenger takes over: better on the newest labels, no loss before.", reasons


def judge_added_class(
    found: int, tested: int, old: Comparison, name: str, tolerance: float
) -> tuple[bool, str, list[str]]:
    """Whether the new run takes over, in a sentence, and why."""
    reasons = [
        f"{found} of {counted(tested, 'test image')} of {name!r} recognised.",
        old_sentence(old, tolerance),
    ]
    if 2 * found < tested:
        stays = f"The champion stays: too few images of {name!r} are recognised; add more of them."
        return False, stays, reasons
    if old.loses(tolerance):
        stays = (
            "The champion stays: the old classes lose, or their test images are too few to tell."
        )
        return False, stays, reasons
    return True, f"The new run takes over: it knows {name!r}, and no old class lost.", reasons


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
