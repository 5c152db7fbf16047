"""OIDv4 ToolKit: a text file for each image, with the class, which may have blanks, and corners."""

from __future__ import annotations

from hf_vft.data.annotated_boxes import Box, from_corners
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.data.sources.tools.text_lines import read_lines
from hf_vft.data.sources.unread_formats import first_text, is_number

_CORNERS = 4


def is_oidv4(words: list[str]) -> bool:
    """Whether these are the words of a line of such a file: a class and four corners in pixels."""
    names, corners = words[:-_CORNERS], words[-_CORNERS:]
    named = bool(names) and not any(is_number(name) or "." in name for name in names)
    return (
        named
        and ":" not in names[0]
        and all(map(is_number, corners))
        and max(map(float, corners)) > 1
    )


def oidv4_files(listing: Listing, how: ReadOptions) -> str | None:
    """The first file of the format, if it is called like an image."""
    del how
    file = first_text(is_oidv4)(listing)
    return file if file is not None and listing.named(file[: -len(".txt")]) else None


def read_oidv4(listing: Listing, first: str, how: ReadOptions) -> Table:
    """Read every text file in the folder of the first, and in its sisters of the same name.

    Raises:
        DataError: If a line is not a class and four corners.
    """
    return read_lines(listing, first, how, "OIDv4 ToolKit", is_oidv4, _object)


def _object(words: list[str], shapes: Shapes) -> tuple[Box, str]:
    del shapes
    return from_corners(*map(float, words[-_CORNERS:])), " ".join(words[:-_CORNERS])
