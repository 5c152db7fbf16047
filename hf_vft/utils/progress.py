"""Where progress is shown. Nothing heavy is imported: commands that need no model use it, too."""

from __future__ import annotations

from typing import Any, Protocol


class Display(Protocol):
    """A receiver of progress; the command line draws it, a script may count it or ignore it."""

    def start(self, stage: str, total: int) -> None:
        """A part of the work with ``total`` steps begins."""

    def advance(self, done: int, note: str = "", total: int | None = None) -> None:
        """So many steps are done; ``total`` corrects how many there are."""

    def epoch(self, record: dict[str, Any]) -> None:
        """An epoch was evaluated."""

    def say(self, text: str) -> None:
        """A line for the user."""

    def warn(self, text: str) -> None:
        """A warning for the user."""


class Silent:
    """Shows nothing."""

    def start(self, stage: str, total: int) -> None:
        """Nothing."""

    def advance(self, done: int, note: str = "", total: int | None = None) -> None:
        """Nothing."""

    def epoch(self, record: dict[str, Any]) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""
