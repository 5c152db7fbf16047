"""Questions to a person at a terminal; without one an error says what to set."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import typer

from hf_vft.errors import AmbiguousSourceError
from hf_vft.recipe.edit import parse_change

Result = TypeVar("Result")
_MOST_QUESTIONS = 5


def asking(work: Callable[[dict[str, Any]], Result]) -> Result:
    """Do the work; where the data could be read in several ways, ask which and do it again.

    Args:
        work: What is done, with the answers so far: dotted names of the recipe to values.

    Raises:
        AmbiguousSourceError: Without a terminal.
    """
    answers: dict[str, Any] = {}
    for _ in range(_MOST_QUESTIONS):
        try:
            return work(answers)
        except AmbiguousSourceError as error:
            if not (sys.stdin.isatty() and sys.stderr.isatty()):
                raise
            setting = choose(error)
            typer.echo(f"--set {setting}", err=True)
            answers |= dict([parse_change(setting)])
    return work(answers)


def choose(error: AmbiguousSourceError) -> str:
    """Ask which of the plausible readings is meant; returns its setting."""
    typer.echo(str(error).partition(" Choose with ")[0], err=True)
    for number, (title, setting) in enumerate(error.options, start=1):
        typer.echo(f"  [{number}] {title} ({setting})", err=True)
    numbers = [str(number) for number in range(1, len(error.options) + 1)]
    answer = ""
    while answer not in numbers:
        answer = typer.prompt(f"Which one ({numbers[0]} to {numbers[-1]})", err=True).strip()
    return error.options[int(answer) - 1][1]
