"""Reads folders of images by a plan that says what each folder is."""

from __future__ import annotations

from hf_vft.data.sources.class_folders import FolderPlan
from hf_vft.data.sources.listing import Listing, has_image_suffix
from hf_vft.data.sources.reading import Reading
from hf_vft.data.sources.table import Table, image_rows
from hf_vft.errors import DataError


def read_class_folders(listing: Listing, plan: FolderPlan) -> Table:
    """The files of every folder that the plan names, with its class and split.

    Every visible file in a class folder counts as an image, whatever its ending, so that a broken
    one is reported and not overlooked.

    Raises:
        DataError: If the folders hold no file.
    """
    files: list[str] = []
    labels: list[str] = []
    splits: list[str] = []
    outer: list[str | None] = []
    for place in plan.places:
        for file in listing.by_folder.get(place.folder, []):
            if file in plan.skipped or not (place.folder or has_image_suffix(file)):
                continue
            files.append(file)
            labels.append(place.label)
            splits.append(place.split or "")
            outer.append(place.outer)
    if not files:
        raise DataError(f"{listing.name} holds no images in class folders.")
    return Table(
        images=image_rows([listing.path(file) for file in files]),
        files=files,
        labels=labels,
        splits=splits if any(splits) else None,
        extras={"folder": outer} if any(outer) else {},
        notes=list(plan.notes),
        reading=Reading(
            "class folders",
            plan.labels,
            plan.splits,
            left_out=plan.left_out,
            guesses=plan.guesses,
        ),
    )
