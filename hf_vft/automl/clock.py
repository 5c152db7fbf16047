"""How much of the time budget is left, kept over kills and resumes."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

from hf_vft.run import write_json
from hf_vft.training.processes import from_main


class Clock:
    """Counts the seconds of a run; those before a kill count as well.

    Args:
        budget: Seconds of the whole run; None is without end.
        file: Where the seconds that were spent are kept.
        started: ``time.monotonic()`` when this process began with the run.
    """

    def __init__(self, budget: float | None, file: Path, started: float) -> None:
        self.budget = budget
        self.reserve = 0.0
        self._file = file
        self._started = started
        self._before = float(json.loads(file.read_text())) if file.is_file() else 0.0

    @property
    def spent(self) -> float:
        """Seconds so far."""
        return self._before + time.monotonic() - self._started

    @property
    def left(self) -> float:
        """Seconds until the proof of the result has to begin."""
        return math.inf if self.budget is None else self.budget - self.reserve - self.spent

    def over(self) -> bool:
        """Whether nothing may be begun any more; one answer for all processes."""
        return from_main(lambda: self.left <= 0)

    def save(self) -> None:
        """Keep what was spent; to be called by one process."""
        write_json(self._file, round(self.spent, 3))
