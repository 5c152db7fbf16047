"""What the folders of named files tell: a class, a split."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hf_vft.data.sources.class_folders import places_of
from hf_vft.data.sources.listing import Listing
from hf_vft.errors import DataError


@dataclass(frozen=True)
class FolderRoles:
    """The class or split that the folder of each file stands for.

    Attributes:
        labels: The class of each file; None where not all of them have one.
        splits: The split of each file; None where not all of them have one, or they are of
            one split, or none is train.
    """

    labels: list[str] | None
    splits: list[str] | None

    @property
    def classes(self) -> list[str]:
        """The different classes, sorted."""
        return sorted(set(self.labels or []))


def roles_of(files: Sequence[str]) -> FolderRoles | None:
    """The roles of the folders of some files, from a common root; None where there are none."""
    folders = {posixpath.dirname(file): file for file in files}
    if list(folders) == [""] or any(folder.startswith(("..", "/")) for folder in folders):
        return None
    listing = Listing(Path(), tuple(folders.values()))
    try:
        places = places_of(listing)
    except DataError:
        return None
    at = [places.get(posixpath.dirname(file), ("", None)) for file in files]
    labels = [label for label, _ in at]
    splits = [split for _, split in at]
    divided = "train" in splits and all(splits) and len(set(splits)) > 1
    return FolderRoles(
        labels if all(labels) else None,
        [str(split) for split in splits] if divided else None,
    )
