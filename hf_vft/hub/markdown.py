"""Markdown in which nothing from outside means anything but itself."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from hf_vft.evaluation.results import Estimate
from hf_vft.reporting.numbers import score


def plain(text: object) -> str:
    """Text that means nothing in Markdown or HTML, on one line."""
    one_line = " ".join(str(text).split())
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", html.escape(one_line, quote=False))


def code(text: object) -> str:
    """Text in code type, in a table too."""
    one_line = " ".join(str(text).replace("`", "'").split()).replace("|", "\\|")
    return f"`{one_line}`"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the cells are Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def said(estimate: Estimate | None) -> str:
    """``0.81 (0.76–0.86)``, a dash where it is undefined."""
    if estimate is None or estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return score(estimate.value)
    return f"{score(estimate.value)} ({score(estimate.low)}–{score(estimate.high)})"
