"""docs/assets/layers.svg: the layers of the package, from the contract in pyproject.toml."""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
ROW, GAP, WIDTH, LEFT = 34, 6, 860, 12
COLOURS = ("#3949ab", "#5c6bc0", "#7986cb")


def layers() -> list[list[str]]:
    """Packages by layer, the highest first; those of a layer do not import one another."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    (contract,) = [
        one
        for one in project["tool"]["importlinter"]["contracts"]
        if one["name"] == "Imports only go down"
    ]
    return [[name.strip().strip("()") for name in layer.split("|")] for layer in contract["layers"]]


def svg() -> str:
    """A row per layer; imports only go down."""
    rows = layers()
    height = len(rows) * (ROW + GAP) + 2 * LEFT + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 2 * LEFT} {height}" '
        'font-family="system-ui, sans-serif" font-size="15" role="img">',
        "<title>The layers of hf_vft: imports only go down</title>",
        f'<rect width="100%" height="{height}" rx="8" fill="#f5f6fb"/>',
    ]
    for number, names in enumerate(rows):
        y = LEFT + number * (ROW + GAP)
        width = (WIDTH - GAP * (len(names) - 1)) / len(names)
        for place, name in enumerate(names):
            x = LEFT + place * (width + GAP)
            colour = COLOURS[min(2, number * 3 // len(rows))]
            parts += [
                f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{ROW}" rx="5" '
                f'fill="{colour}"/>',
                f'<text x="{x + width / 2:.0f}" y="{y + 22}" text-anchor="middle" fill="#fff">'
                f"{escape(name)}</text>",
            ]
    parts += [
        f'<text x="{LEFT}" y="{height - 14}" fill="#37474f">Imports only go down; '
        "packages of one row do not import one another.</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
