"""``compare.html``: two runs on the same test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hf_vft._version import __version__
from hf_vft.evaluation.paired import PairedScores
from hf_vft.reporting.box_mistakes import SIDE
from hf_vft.reporting.pages import image_uri, render_page
from hf_vft.reporting.verdict import metric_name
from hf_vft.run import write_text

_PARTS = 20


@dataclass(frozen=True)
class Disagreement:
    """An image that one run alone has right.

    Attributes:
        images: One of any size; with boxes two, what the first and what the second run found.
        file: Its name.
        truth: Its label, or labels.
        first: Answer of the first run.
        second: Answer of the second run.
        right: ``first`` or ``second``.
    """

    images: tuple[Image.Image, ...]
    file: str
    truth: str
    first: str
    second: str
    right: str


def comparison_sentence(scores: PairedScores, primary: str, first: str, second: str) -> str:
    """The better run, by a rule: the interval of the difference excludes zero.

    Args:
        scores: Of both.
        primary: The score that is decided by; the first one if it was not compared.
        first: Name of the first run.
        second: Name of the second run.
    """
    name = primary if primary in scores.scores else next(iter(scores.scores))
    pair = scores.scores[name]
    gap = pair.difference
    numbers = (
        f"{metric_name(name)} {pair.first:.3f} for {first} and {pair.second:.3f} for {second}, a "
        f"difference of {gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}) on {scores.n:,} images"
    )
    if gap.low is not None and gap.low > 0:
        return f"{second} is better than {first}: {numbers}."
    if gap.high is not None and gap.high < 0:
        return f"{first} is better than {second}: {numbers}."
    return f"Neither run is proven better: {numbers}."


def render_comparison(
    page: Path,
    *,
    names: tuple[str, str],
    scores: PairedScores,
    sentence: str,
    seen: Sequence[Disagreement],
    primary: str,
    alone: int,
) -> None:
    """Write the page.

    Args:
        page: The file; it fetches nothing.
        names: Of the runs.
        scores: Of both.
        sentence: The result in words.
        seen: Images that one run alone has right.
        primary: The score that decides.
        alone: How many images one run alone has right.
    """
    write_text(
        page,
        render_page(
            "compare.html",
            version=__version__,
            first=names[0],
            second=names[1],
            found=scores,
            sentence=sentence,
            scores=[(metric_name(k), k == primary, v) for k, v in scores.scores.items()],
            parts=scores.parts[:_PARTS],
            more_parts=scores.parts[_PARTS:],
            seen={
                side: [
                    ([image_uri(image, SIDE) for image in case.images], case)
                    for case in seen
                    if case.right == side
                ]
                for side in ("first", "second")
            },
            alone=alone,
        ),
    )
