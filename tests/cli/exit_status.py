"""The command line, called as a person calls it."""

from __future__ import annotations

from pathlib import Path

from hf_vft.cli.main import main


def status_of(*words: str | Path) -> int:
    """The exit status of ``hf-vft`` with these words."""
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0
