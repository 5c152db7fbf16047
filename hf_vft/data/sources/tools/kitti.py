"""KITTI: a text file for each image, with the box in columns 5 to 8."""

from __future__ import annotations

from collections.abc import Iterator

from hf_vft.data.boxes import from_corners
from hf_vft.data.sources.how import How
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.drawn import Drawn, drawn_table
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.data.sources.unread_formats import first_text, is_number
from hf_vft.errors import DataError

_IGNORED = "DontCare"


def is_kitti(words: list[str]) -> bool:
    """Whether these are the words of a line of such a file."""
    return len(words) in (15, 16) and not is_number(words[0]) and all(map(is_number, words[1:15]))


def kitti_files(listing: Listing, how: How) -> str | None:
    """The first file of the format."""
    del how
    return first_text(is_kitti)(listing)


def read_kitti(listing: Listing, first: str, how: How) -> Table:
    """Read every text file in the folder of the first, and in its sisters of the same name.

    Raises:
        DataError: If a line has not the columns of KITTI.
    """
    shapes = Shapes()
    folder = first.rpartition("/")[0].rpartition("/")[2]
    return drawn_table(listing, _images(listing, folder, shapes), shapes, how, "KITTI")


def _images(listing: Listing, folder: str, shapes: Shapes) -> Iterator[Drawn]:
    for file in listing.ending(".txt"):
        above, _, name = file.rpartition("/")
        if above.rpartition("/")[2] != folder:
            continue
        objects = []
        text = listing.path(file).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.split()
            if not words:
                continue
            if not is_kitti(words):
                raise DataError(f"{file}: line {number} has not the columns of KITTI.")
            if words[0] == _IGNORED:
                shapes.unused[_IGNORED] += 1
                continue
            objects.append((from_corners(*map(float, words[4:8])), words[0]))
        yield Drawn(file, name.removesuffix(".txt"), tuple(objects))
