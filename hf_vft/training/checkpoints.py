"""Which checkpoints are whole.

The Trainer writes a checkpoint file by file. A run killed in between leaves a folder that
looks like a checkpoint; a marker, written last, tells the two apart.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from hf_vft.run import write_text

MARKER = "complete"


def mark_complete(checkpoint: Path) -> None:
    """Say that every file of ``checkpoint`` has been written."""
    write_text(checkpoint / MARKER, "")


def last_complete(folder: Path) -> Path | None:
    """The newest whole ``checkpoint-<step>`` in ``folder``."""
    complete = [path for path in _checkpoints(folder) if (path / MARKER).is_file()]
    return max(complete, key=_step, default=None)


def discard_incomplete(folder: Path) -> None:
    """Remove what a killed run left half written."""
    for path in _checkpoints(folder):
        if not (path / MARKER).is_file():
            shutil.rmtree(path)


def drop_old(folder: Path, limit: int | None, best: str | None) -> None:
    """Remove the oldest checkpoints but ``limit``; never the newest, nor the best.

    To be called when the newest has been marked. Each is unmarked before it is removed, so that
    a run killed meanwhile does not take what is left of it for whole.
    """
    if not limit or limit < 1:
        return
    newest_last = sorted(_checkpoints(folder), key=_step)
    kept = {
        path
        for path in newest_last
        if path == newest_last[-1] or path.name == Path(best or "").name
    }
    old = [path for path in newest_last if path not in kept]
    for path in old[: len(newest_last) - max(limit, len(kept))]:
        (path / MARKER).unlink(missing_ok=True)
        shutil.rmtree(path)


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.glob("checkpoint-*") if _step(path) >= 0]


def _step(path: Path) -> int:
    match = re.fullmatch(r"checkpoint-(\d+)", path.name)
    return int(match[1]) if match else -1
