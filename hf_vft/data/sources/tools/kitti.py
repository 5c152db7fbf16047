"""KITTI: a text file for each image, with the box in columns 5 to 8."""

from __future__ import annotations

from hf_vft.data.annotated_boxes import Box, from_corners
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.data.sources.tools.text_lines import read_lines
from hf_vft.data.sources.unread_formats import first_text, is_number

_IGNORED = "DontCare"


def is_kitti(words: list[str]) -> bool:
    """Whether these are the words of a line of such a file."""
    return len(words) in (15, 16) and not is_number(words[0]) and all(map(is_number, words[1:15]))


def kitti_files(listing: Listing, how: ReadOptions) -> str | None:
    """The first file of the format."""
    del how
    return first_text(is_kitti)(listing)


def read_kitti(listing: Listing, first: str, how: ReadOptions) -> Table:
    """Read every text file in the folder of the first, and in its sisters of the same name.

    Raises:
        DataError: If a line does not have the columns of KITTI.
    """
    return read_lines(listing, first, how, "KITTI", is_kitti, _object)


def _object(words: list[str], shapes: Shapes) -> tuple[Box, str] | None:
    if words[0] == _IGNORED:
        shapes.unused[_IGNORED] += 1
        return None
    return from_corners(*map(float, words[4:8])), words[0]
