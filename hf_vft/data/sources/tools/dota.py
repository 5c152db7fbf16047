"""DOTA: a text file for each image, with the four corners of turned boxes."""

from __future__ import annotations

from collections.abc import Iterator

from hf_vft.data.boxes import Box
from hf_vft.data.sources.how import How
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.drawn import Drawn, drawn_table
from hf_vft.data.sources.tools.shapes import Shapes, around
from hf_vft.data.sources.unread_formats import first_text, is_number
from hf_vft.errors import DataError

_HEAD = ("imagesource", "gsd")


def is_dota(words: list[str]) -> bool:
    """Whether these are the words of a line of such a file: corners, class, difficulty."""
    eight = len(words) in (9, 10) and all(map(is_number, words[:8]))
    return eight and not is_number(words[8])


def dota_files(listing: Listing, how: How) -> str | None:
    """The first file of the format."""
    del how
    return first_text(lambda words: is_dota(words) or _is_head(words[0]))(listing)


def read_dota(listing: Listing, first: str, how: How) -> Table:
    """Read every text file in the folder of the first, and in its sisters of the same name.

    Raises:
        DataError: If a line has not the columns of DOTA.
    """
    shapes = Shapes()
    folder = first.rpartition("/")[0].rpartition("/")[2]
    return drawn_table(listing, _images(listing, folder, shapes), shapes, how, "DOTA")


def _images(listing: Listing, folder: str, shapes: Shapes) -> Iterator[Drawn]:
    for file in listing.ending(".txt"):
        above, _, name = file.rpartition("/")
        if above.rpartition("/")[2] != folder:
            continue
        objects = []
        text = listing.path(file).read_text(encoding="utf-8-sig", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.split()
            if not words or _is_head(words[0]):
                continue
            if not is_dota(words):
                raise DataError(f"{file}: line {number} has not the columns of DOTA.")
            objects.append((_upright(list(map(float, words[:8])), shapes), words[8]))
        yield Drawn(file, name[: -len(".txt")], tuple(objects))


def _is_head(word: str) -> bool:
    return word.partition(":")[0].casefold() in _HEAD and ":" in word


def _upright(numbers: list[float], shapes: Shapes) -> Box:
    """The box around four corners; it is counted where they are not those of an upright box."""
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    box = around(points) or (0.0, 0.0, 0.0, 0.0)
    if len({x for x, _ in points}) > 2 or len({y for _, y in points}) > 2:
        shapes.boxed["turned box"] += 1
    return box
