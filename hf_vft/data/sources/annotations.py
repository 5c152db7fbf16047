"""What all formats of annotation tools share: finding images, and one table of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from hf_vft.data.label_types import KINDS, LabelKind
from hf_vft.data.sources.listing import Listing, Match, split_of_path
from hf_vft.data.sources.reading import Guess, LeftOut, Reading
from hf_vft.data.sources.table import Table, image_rows
from hf_vft.errors import DataError
from hf_vft.utils.text import counted


@dataclass(frozen=True)
class AnnotatedImage:
    """The annotation of one image.

    Attributes:
        file: Of the image, from the root.
        label: `Objects` that are marked in it, a class, several classes, or None.
        split: Train, validation or test; None where nothing says so.
    """

    file: str
    label: Any
    split: str | None = None


def image_named(
    listing: Listing,
    name: str,
    annotation: str,
    hints: Sequence[str] = (),
    split: str | None = None,
) -> Match:
    """The image that an annotation file means.

    Args:
        listing: The folder.
        name: As written there.
        annotation: The file, from the root.
        hints: Folders that it may be in, from the root or the folder of the file.
        split: Of the file, which distinguishes images of the same name.

    Raises:
        DataError: If several images could be meant.
    """
    folder = annotation.rpartition("/")[0]
    match = listing.find(name, folder, hints)
    if match.how == "several" and split is not None:
        among = [file for file in listing.named(name) if split_of_path(file.split("/")) == split]
        if len(among) == 1:
            return Match(among[0], "tail")
    if match.how == "several":
        raise DataError(f"{annotation}: {match.others} images could be {name!r}; name the folder.")
    return match


class Missing:
    """Counts the images that annotations name and that are not there."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.names: list[tuple[str, str]] = []

    def add(self, annotation: str, name: str) -> None:
        """One more that is not there."""
        self.names.append((annotation, name))

    def left_out(self, images: int) -> list[LeftOut]:
        """The missing images as parts that were left out, with the reason.

        Raises:
            DataError: If no image at all was found.
        """
        if not self.names:
            return []
        annotation, name = self.names[0]
        if not images:
            raise DataError(
                f"{annotation}: there is no image {name!r} in {self.listing.name}, nor any "
                f"other of the {len(self.names)} it names."
                if len(self.names) > 1
                else f"{annotation}: there is no image {name!r}."
            )
        return [LeftOut(f"{name!r} of {annotation} and the like", "not there", len(self.names))]


def marked_table(
    listing: Listing,
    marked: Iterable[AnnotatedImage],
    class_names: list[str] | None,
    notes: list[str],
    reading: Reading,
    kind: LabelKind = KINDS["boxes"],
) -> Table:
    """The one form of a table, from what an annotation format says.

    Raises:
        DataError: If an image is named twice, or only some of them have a split.
    """
    rows = sorted(marked, key=lambda image: image.file)
    if not rows:
        raise DataError(f"{listing.name} holds annotations, but they name no image.")
    twice = next((a.file for a, b in pairwise(rows) if a.file == b.file), None)
    if twice is not None:
        raise DataError(
            f"{twice} is annotated twice: leave one of the files out with data.leave_out."
        )
    splits = [row.split for row in rows if row.split is not None]
    if splits and len(splits) < len(rows):
        without = next(row.file for row in rows if row.split is None)
        number = counted(len(rows) - len(splits), "image")
        raise DataError(
            f"{number} without a split, e.g. {without}, though others have one: "
            "set data.split_column to 'none' to divide anew."
        )
    notes = notes + [
        f"Not used: {part.what} ({counted(part.count, part.noun)}: {part.reason})."
        for part in reading.left_out
    ]
    return Table(
        images=image_rows([listing.path(row.file) for row in rows]),
        files=[row.file for row in rows],
        labels=[row.label for row in rows],
        splits=splits or None,
        class_names=class_names,
        notes=notes,
        kind=kind,
        reading=reading,
    )


def without_unmarked_splits(
    marked: Sequence[AnnotatedImage], labelled: set[str]
) -> tuple[list[AnnotatedImage], list[LeftOut]]:
    """Leave out the splits in which not one image has a file of labels.

    Args:
        marked: All images.
        labelled: Those that have one.
    """
    total = Counter(image.split for image in marked)
    labelled_splits = {image.split for image in marked if image.file in labelled}
    gone = [split for split in total if split not in labelled_splits] if len(total) > 1 else []
    left_out = [
        LeftOut(split or "images without a split", "not one has a label file", total[split])
        for split in gone
    ]
    return [image for image in marked if image.split not in gone], left_out


def with_guesses(reading: Reading, *guesses: Guess) -> Reading:
    """The same reading with more that was concluded."""
    return replace(reading, guesses=(*reading.guesses, *guesses))
