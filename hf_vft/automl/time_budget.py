"""How much of the time budget is left, kept over kills and resumes."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import psutil

from hf_vft.run import write_json
from hf_vft.training.processes import from_main


def process_started() -> float:
    """``time.monotonic()`` when this process began: half a minute of imports is time as well."""
    return time.monotonic() - (time.time() - float(psutil.Process().create_time()))


class Clock:
    """Counts the seconds of a run; those before a kill count as well.

    Args:
        budget: Seconds of the whole run; None is without end.
        file: Where the seconds that were spent, and those reserved, are kept.
        started: ``time.monotonic()`` when this process began with the run.

    Attributes:
        reserve: Seconds that the end of the run takes; 0 until it was measured.
        soup: Seconds that averaging the best trials may take before it; 0 once it may begin.
        line: Seconds that comparing the winner with its probe may take after that; as above.
    """

    def __init__(self, budget: float | None, file: Path, started: float) -> None:
        self.budget = budget
        self._file = file
        self._started = started
        known = json.loads(file.read_text()) if file.is_file() else {}
        self.reserve = float(known.get("reserve", 0.0))
        self.soup = float(known.get("soup", 0.0))
        self.line = float(known.get("line", 0.0))
        self._before = float(known.get("spent", 0.0))

    def now(self) -> float:
        """A monotonic time in seconds."""
        return time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds spent so far, including those before a resume."""
        return self._before + self.now() - self._started

    @property
    def left(self) -> float:
        """Seconds until what they are reserved for has to begin."""
        if self.budget is None:
            return math.inf
        return self.budget - self.reserve - self.soup - self.line - self.spent

    def over(self) -> bool:
        """Whether nothing may be begun any more; one answer for all processes."""
        return from_main(lambda: self.left <= 0)

    def save(self) -> None:
        """Keep what was spent; to be called by one process."""
        state = {
            "spent": self.spent,
            "reserve": self.reserve,
            "soup": self.soup,
            "line": self.line,
        }
        write_json(self._file, {name: round(seconds, 3) for name, seconds in state.items()})
