"""What a person sees in a folder: no hidden files, and none that systems leave behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hf_vft.data.images import IMAGE_SUFFIXES

_SYSTEM_FILES = frozenset({
    "thumbs.db", "desktop.ini", "__macosx",
    "@eadir", "#recycle", "@recycle", "@recently-snapshot", "#snapshot",  # network disks
    "$recycle.bin", "system volume information", "lost+found", "__pycache__",
})  # fmt: skip


def visible_entries(folder: Path) -> list[Path]:
    """The visible entries of a folder, sorted by name."""
    return sorted(entry for entry in folder.iterdir() if is_visible(entry.name))


def visible_folders(folder: Path) -> list[Path]:
    """The folders that a person sees in a folder, sorted by name."""
    return [entry for entry in visible_entries(folder) if entry.is_dir()]


def visible_files(folder: Path) -> Iterator[Path]:
    """All visible files below a folder; links are followed, but no folder is entered twice."""
    for here, _, files in visible_walk(folder):
        yield from (Path(here, name) for name in files)


def visible_walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Like ``os.walk``, but without hidden entries and without loops."""
    entered: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if is_visible(name))
        yield here, folders, [name for name in files if is_visible(name)]


def is_visible(name: str) -> bool:
    """False for hidden files and for those that operating systems leave behind."""
    return not name.startswith(".") and name.casefold() not in _SYSTEM_FILES


def is_image_name(path: Path) -> bool:
    """Whether the name ends like that of an image."""
    return path.suffix.casefold() in IMAGE_SUFFIXES
