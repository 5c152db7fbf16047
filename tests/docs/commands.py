"""The commands and the Python examples of the documentation, as its readers find them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`(hf-vft [^`]+)`")
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
PROGRAMS = ("hf-vft", "python", "make", "accelerate", "pip", "hf")


@dataclass(frozen=True)
class Example:
    """Something that a page tells its reader to run.

    Attributes:
        page: File relative to the project.
        text: One command, or one block of Python.
    """

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        """Of a command, without variables in front, and without a file or a comment behind."""
        words = shlex.split(self.text.partition(" > ")[0], comments=True)
        while words and _ASSIGNMENT.fullmatch(words[0]):
            words.pop(0)
        return words


def pages() -> list[Path]:
    """Every page that a user reads."""
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")]
    return [path for path in (*found, *sorted((ROOT / "docs").rglob("*.md"))) if path.is_file()]


def commands() -> list[Example]:
    """The commands of all blocks without a language, each once."""
    found = {}
    for page, language, block in _blocks():
        if not language:
            for line in re.split(r"\n| && ", block):
                example = Example(page, line.strip())
                if _is_command(line) and example.words:
                    found.setdefault(tuple(example.words), example)
    return list(found.values())


def programs() -> list[Example]:
    """The blocks of Python."""
    return [Example(page, block) for page, language, block in _blocks() if language == "python"]


def mentions() -> list[Example]:
    """Commands that stand in a sentence; often without their arguments."""
    return [
        Example(page.relative_to(ROOT).as_posix(), text)
        for page in pages()
        for text in _INLINE.findall(page.read_text(encoding="utf-8"))
    ]


def _is_command(line: str) -> bool:
    words = line.split()
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words.pop(0)
    return len(words) > 1 and words[0] in PROGRAMS and words[1] not in ("=", "·")


def _blocks() -> Iterator[tuple[str, str, str]]:
    for page in pages():
        for language, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            yield page.relative_to(ROOT).as_posix(), language, block
