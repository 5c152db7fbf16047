"""Reads a folder of class folders, with or without train, validation and test folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hf_vft.data.images import IMAGE_SUFFIXES
from hf_vft.data.sources.table import Table, canonical_split, image_rows
from hf_vft.data.wording import counted
from hf_vft.errors import DataError

_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def read_class_folders(root: Path) -> Table:
    """Read ``root/<class>/**`` or ``root/<split>/<class>/**``.

    Every visible file inside a class folder counts as a picture, so that a broken one is
    reported and not overlooked. The folder right below the root (or the split) is the class,
    however deep the file lies.

    Raises:
        DataError: If there are no class folders, or a split folder twice or without ``train``.
    """
    notes: list[str] = []
    split_folders = find_split_folders(root)
    tops = list(split_folders.items()) if split_folders else [(None, root)]
    if split_folders:
        others = [f.name for f in visible_folders(root) if f not in split_folders.values()]
        if others:
            notes.append(f"Not used, because they are no split: folders {', '.join(others)}.")
    files: list[Path] = []
    labels: list[str | None] = []
    splits: list[str] = []
    for split, top in tops:
        for folder in visible_folders(top):
            found = sorted(visible_files(folder))
            if not found:
                notes.append(f"Folder {_relative(folder, root)} is empty.")
            files += found
            labels += [folder.name] * len(found)
            splits += [split or ""] * len(found)
        stray = [f for f in visible_entries(top) if is_picture_name(f) and f.is_file()]
        if stray:
            notes.append(
                f"Not used, because in no class folder: {counted(len(stray), 'picture')}, e.g. "
                f"{_relative(stray[0], root)}."
            )
    if not files:
        raise DataError(_nothing_found(root, notes))
    return Table(
        images=image_rows(files),
        files=[_relative(file, root) for file in files],
        labels=labels,
        splits=splits if split_folders else None,
        notes=notes,
    )


def find_split_folders(root: Path) -> dict[str, Path]:
    """Split name to folder, in the order train, validation, test; empty if not laid out so."""
    found: dict[str, Path] = {}
    folders = visible_folders(root)
    for folder in folders:
        split = canonical_split(folder.name)
        if split is None:
            continue
        if split in found:
            raise DataError(
                f"Folders {found[split].name!r} and {folder.name!r} both mean {split}: keep one."
            )
        found[split] = folder
    trains = "train" in found and visible_folders(found["train"])
    if len(found) < len(folders) and not trains:
        return {}  # classes that happen to be called "train", "test" or "dev"
    return {split: found[split] for split in ("train", "validation", "test") if split in found}


def visible_entries(folder: Path) -> list[Path]:
    """What a person sees in a folder, sorted by name."""
    return sorted(entry for entry in folder.iterdir() if is_visible(entry.name))


def visible_folders(folder: Path) -> list[Path]:
    """The folders that a person sees in a folder, sorted by name."""
    return [entry for entry in visible_entries(folder) if entry.is_dir()]


def visible_files(folder: Path) -> Iterator[Path]:
    """All visible files below a folder; links are followed, but no folder is entered twice."""
    entered: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if is_visible(name))
        yield from (Path(here, name) for name in files if is_visible(name))


def is_visible(name: str) -> bool:
    """False for hidden files and for those that operating systems leave behind."""
    return not name.startswith(".") and name.casefold() not in _SYSTEM_FILES


def is_picture_name(path: Path) -> bool:
    """Whether the name ends like that of a picture."""
    return path.suffix.casefold() in IMAGE_SUFFIXES


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _nothing_found(root: Path, notes: list[str]) -> str:
    if not visible_entries(root):
        return f"{root} is empty."
    hint = f" {notes[0]}" if notes else ""
    return f"{root} holds no pictures in class folders (one folder per class).{hint}"
