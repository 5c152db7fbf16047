"""DOTA: a text file for each image, with the four corners of turned boxes."""

from __future__ import annotations

from hf_vft.data.annotated_boxes import Box
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.shapes import Shapes, around
from hf_vft.data.sources.tools.text_lines import read_lines
from hf_vft.data.sources.unread_formats import first_text, is_number

_HEAD = ("imagesource", "gsd")


def is_dota(words: list[str]) -> bool:
    """Whether these are the words of a line of such a file: corners, class, difficulty."""
    eight = len(words) in (9, 10) and all(map(is_number, words[:8]))
    return (eight and not is_number(words[8])) or _is_head(words[0])


def dota_files(listing: Listing, how: ReadOptions) -> str | None:
    """The first file of the format."""
    del how
    return first_text(is_dota)(listing)


def read_dota(listing: Listing, first: str, how: ReadOptions) -> Table:
    """Read every text file in the folder of the first, and in its sisters of the same name.

    Raises:
        DataError: If a line does not have the columns of DOTA.
    """
    return read_lines(listing, first, how, "DOTA", is_dota, _object)


def _object(words: list[str], shapes: Shapes) -> tuple[Box, str] | None:
    if _is_head(words[0]):
        return None
    return _upright(list(map(float, words[:8])), shapes), words[8]


def _is_head(word: str) -> bool:
    return word.partition(":")[0].casefold() in _HEAD and ":" in word


def _upright(numbers: list[float], shapes: Shapes) -> Box:
    """The box around four corners; it is counted where they are not those of an upright box."""
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    box = around(points) or (0.0, 0.0, 0.0, 0.0)
    if len({x for x, _ in points}) > 2 or len({y for _, y in points}) > 2:
        shapes.boxed["turned box"] += 1
    return box
