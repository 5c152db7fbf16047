"""docs/reference/errors.md, from the error classes and from what bad input really leads to."""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import datasets

from hf_vft import errors
from hf_vft.errors import VftError
from tests.data.zoo import told_of_image, told_of_source
from tests.data.zoo_files import CONVERTED, REJECTED
from tests.data.zoo_sources import CASES
from tests.docs.markdown import cell
from tests.docs.mistakes import MISTAKES

HEAD = """# Errors

An error that you can act on is one line, which says what is wrong and what to do; the exit
status is 1. In Python it is a `VftError`. A traceback appears only with `--debug`. The tables
below are what the tests of bad input are really told: `DATA` stands for the path of the data.

| Class | Raised when |
| --- | --- |"""


def page() -> str:
    """The whole page; takes some seconds, since every kind of bad input is made and read."""
    datasets.disable_progress_bars()
    lines = [HEAD, *_classes()]
    lines += ["", "## Recipes, runs, logs and policies", "", *_head("Mistake")]
    lines += [_row(kind, _told(make)) for kind, make in MISTAKES.items()]
    lines += ["", "## Data", "", *_head("Kind of data")]
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(_row(case.kind, _placeless(told_of_source(case, Path(folder)), folder)))
    lines += ["", "## Image files", "", *_head("Kind of file")]
    for odd in CONVERTED + REJECTED:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(_row(odd.kind, _placeless(told_of_image(odd, Path(folder)), folder)))
    return "\n".join(lines) + "\n"


def _classes() -> Iterator[str]:
    for name, member in inspect.getmembers(errors, inspect.isclass):
        if issubclass(member, VftError):
            first = inspect.cleandoc(member.__doc__ or "").split("\n\n")[0]
            yield f"| `{name}` | {cell(first)} |"


def _head(first: str) -> list[str]:
    return [f"| {first} | What you are told |", "| --- | --- |"]


def _row(kind: str, text: str) -> str:
    lines = [cell(line) for line in text.splitlines() if line.strip()]
    return f"| {cell(kind)} | {'<br>'.join(lines) or 'nothing: it is read'} |"


def _told(make: Callable[[Path], object]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        try:
            make(Path(folder))
        except VftError as error:
            return _placeless(f"{type(error).__name__}: {error}", folder)
    raise AssertionError("this mistake is no error")


def _placeless(text: str, folder: str) -> str:
    return re.sub(
        r"/tmp/[\w./-]*", "DATA", text.replace(f"{folder}/", "DATA/").replace(folder, "DATA")
    )
