"""Formats with a text file for each image and a line for each object: KITTI, DOTA, OIDv4."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hf_vft.data.annotated_boxes import Box
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.drawn import Drawn, drawn_table
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.errors import DataError

Words = list[str]
ReadLine = Callable[[Words, Shapes], tuple[Box, str] | None]
"""The box and class in a line; None where it holds none that is to be learned."""


def read_lines(
    listing: Listing,
    first: str,
    how: ReadOptions,
    title: str,
    fits: Callable[[Words], bool],
    read: ReadLine,
) -> Table:
    """Read every text file in the folder of the first, and in its sisters of the same name.

    Args:
        listing: The folder.
        first: The file by which the format was recognised.
        how: The kind of label that is wanted.
        title: Of the format, for people.
        fits: Whether a line is one of the format.
        read: See `ReadLine`.

    Raises:
        DataError: If a line is not one of the format.
    """
    shapes = Shapes()
    folder = _last(first.rpartition("/")[0])
    files = [f for f in listing.ending(".txt") if _last(f.rpartition("/")[0]) == folder]
    drawn = (_image(listing, file, title, shapes, fits, read) for file in files)
    return drawn_table(listing, drawn, shapes, how, title)


def _image(
    listing: Listing,
    file: str,
    title: str,
    shapes: Shapes,
    fits: Callable[[Words], bool],
    read: ReadLine,
) -> Drawn:
    objects = []
    for number, words in _lines(listing, file):
        if not fits(words):
            raise DataError(f"{file}: line {number} does not have the columns of {title}.")
        drawn_object = read(words, shapes)
        if drawn_object is not None:
            objects.append(drawn_object)
    above, _, name = file.rpartition("/")
    stem = name[: -len(".txt")]
    beside = f"{above.rpartition('/')[0]}/{stem}".lstrip("/")  # the folder of texts lies in theirs
    return Drawn(file, beside if _is_inside(listing, beside) else stem, tuple(objects))


def _is_inside(listing: Listing, stem: str) -> bool:
    return any(f"{stem}{suffix}" in listing.image_set for suffix in (".jpg", ".png", ".jpeg"))


def _lines(listing: Listing, file: str) -> Iterator[tuple[int, Words]]:
    text = listing.path(file).read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words:
            yield number, words


def _last(folder: str) -> str:
    return folder.rpartition("/")[2]
