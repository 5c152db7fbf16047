"""Clones whose large files were never fetched."""

from __future__ import annotations

from pathlib import Path

from hf_vft.data.decoding.files import is_pointer
from hf_vft.data.sources.listing import Listing
from hf_vft.errors import DataError


def refuse_pointers(listing: Listing) -> None:
    """Stop where a clone holds what Git LFS or git-annex put in the place of its large files.

    Raises:
        DataError: If the first image or Parquet file is such a pointer.
    """
    for file in (listing.images[:1], listing.ending(".parquet")[:1]):
        if file and is_pointer(_head(listing.path(file[0]))):
            raise DataError(
                f"{listing.name}: {file[0]} is a pointer of Git LFS or git-annex, not the file "
                "itself: run `git lfs pull` or `git annex get .` there, or give the dataset's Hub "
                "id."
            )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            return opened.read(32)
    except OSError:
        return b""
