"""Folders written from a few lines, in the shapes that people really have."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Content = str | bytes | tuple[int, int] | Callable[[int], str]
IMAGE = (16, 12)
"""As the content of a file: an image of so many pixels, each one different."""


@dataclass(frozen=True)
class Shape:
    """A source in some shape, and what it has to be read as.

    Attributes:
        kind: What the shape is about.
        name: Which one.
        files: Path to content; ``{0..4}`` in a path makes several, and a function gets the number.
        open: What is opened, from the folder.
        labels: The classes, in their order; None where it has to be refused.
        splits: Images of each split in the source; empty where it is not divided.
        what: ``class``, ``classes`` or ``boxes``.
        says: Parts of the statement or of a note.
        error: Part of the one line that refuses it.
        config: Settings of the recipe's data part.
        first: A file, and its label for people or its first box.
        tool: Whose export or download has this shape.
    """

    kind: str
    name: str
    files: Mapping[str, Content]
    open: str = "."
    labels: tuple[str, ...] | None = None
    splits: Mapping[str, int] = field(default_factory=dict)
    what: str = "class"
    says: tuple[str, ...] = ()
    error: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    first: tuple[str, Any] | None = None
    tool: str = ""


def write(root: Path, files: Mapping[str, Content]) -> Path:
    """Write the files below a folder; names with ``.zip/`` go into an archive."""
    seed = 0
    for pattern, content in files.items():
        for number, name in _names(pattern):
            seed += 1
            _write_one(root, name, content(number) if callable(content) else content, seed)
    return root


def _names(pattern: str) -> list[tuple[int, str]]:
    found = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if found is None:
        return [(0, pattern)]
    numbers = range(int(found[1]), int(found[2]) + 1)
    return [(n, pattern[: found.start()] + str(n) + pattern[found.end() :]) for n in numbers]


def _write_one(root: Path, name: str, content: str | bytes | tuple[int, int], seed: int) -> None:
    archive, marker, inside = name.partition(".zip/")
    target = root / (inside if marker else name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, tuple):
        width, height = content
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(target)
    elif isinstance(content, bytes):
        target.write_bytes(content)
    else:
        target.write_text(content, encoding="utf-8")
    if marker:
        with zipfile.ZipFile(root / f"{archive}.zip", "a") as packed:
            packed.write(target, inside)
        target.unlink()


def lines(*rows: str) -> str:
    """Rows of a text file."""
    return "\n".join(rows) + "\n"


def numbered(header: str, count: int, row: Callable[[int], str]) -> str:
    """A table with a row for each number."""
    return lines(header, *(row(n) for n in range(count)))
