"""Folders of pictures with the files of annotation tools: which format it is, and reading it."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from hf_vft.data.boxes import Objects
from hf_vft.data.kinds import KINDS
from hf_vft.data.sources.folders import is_picture_name, visible_files
from hf_vft.data.sources.table import Table, canonical_split, image_rows
from hf_vft.data.wording import counted
from hf_vft.errors import DataError


@dataclass(frozen=True)
class Marked:
    """What an annotation file says of one picture.

    Attributes:
        path: Of the picture.
        objects: What is marked in it.
        split: Train, validation or test; None where nothing says so.
    """

    path: Path
    objects: Objects
    split: str | None = None


class Folder:
    """The files below a folder, to be found by the names that annotations call them.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = sorted(visible_files(root))

    def ending(self, *suffixes: str) -> list[Path]:
        """The files whose names end so."""
        return [file for file in self.files if file.suffix.casefold() in suffixes]

    @cached_property
    def pictures(self) -> list[Path]:
        """The files whose names end like those of pictures."""
        return [file for file in self.files if is_picture_name(file)]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = defaultdict(list)
        for file in self.pictures:
            found[file.name].append(file)
            found[file.stem].append(file)
        return found

    def picture(self, name: str, annotation: Path, hints: Sequence[str] = ()) -> Path:
        """The picture that an annotation file means.

        Args:
            name: As written there.
            annotation: The file.
            hints: Folders that it may be in, from the root or the folder of the file.

        Raises:
            DataError: If there is none below the root, or several that could be meant.
        """
        plain = posixpath.normpath(name.strip().replace("\\", "/"))
        for folder in (annotation.parent, self.root):
            for hint in ("", *hints):
                path = folder / hint / plain
                if ".." not in Path(plain).parts and not plain.startswith("/") and path.is_file():
                    return path
        found = self._by_name.get(posixpath.basename(plain), [])
        if len(found) == 1:
            return found[0]
        where = annotation.relative_to(self.root).as_posix()
        if found:
            raise DataError(f"{where}: {len(found)} pictures could be {name!r}; name the folder.")
        raise DataError(f"{where}: there is no picture {name!r}.")


def split_in_name(name: str) -> str | None:
    """The split that a file's name tells of, such as ``instances_val2017``."""
    words = "".join(c if c.isalpha() else " " for c in name).split()
    found = {split for word in words if (split := canonical_split(word)) is not None}
    return found.pop() if len(found) == 1 else None


def split_in_path(path: Path, root: Path) -> str | None:
    """The split that the folders of a file tell of, the outermost first."""
    parts = path.relative_to(root).parts[:-1]
    return next((s for part in parts if (s := canonical_split(part)) is not None), None)


def marked_table(
    root: Path, marked: Iterable[Marked], class_names: list[str] | None, notes: list[str]
) -> Table:
    """The one form of a table, from what an annotation format says.

    Raises:
        DataError: If a picture is named twice, or only some of them have a split.
    """
    rows = sorted(marked, key=lambda one: one.path)
    if not rows:
        raise DataError(f"{root} holds annotations, but they name no picture.")
    twice = next((a.path for a, b in pairwise(rows) if a.path == b.path), None)
    if twice is not None:
        raise DataError(f"{_relative(twice, root)} is annotated twice: keep one.")
    splits = [row.split for row in rows if row.split is not None]
    if splits and len(splits) < len(rows):
        without = next(row.path for row in rows if row.split is None)
        number = counted(len(rows) - len(splits), "picture")
        raise DataError(
            f"{number} without a split, e.g. {_relative(without, root)}, though others have one: "
            "set data.split_column to 'none' to divide anew."
        )
    return Table(
        images=image_rows([row.path for row in rows]),
        files=[_relative(row.path, root) for row in rows],
        labels=[row.objects for row in rows],
        splits=splits or None,
        class_names=class_names,
        notes=notes,
        kind=KINDS["boxes"],
    )


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
