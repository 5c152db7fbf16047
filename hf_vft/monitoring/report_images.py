"""What production looks like beside the reference: rows of images, where a report may show them.

Nothing here is called unless images were asked for: a report without them may be passed on.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hf_vft.data.images import Decoder
from hf_vft.errors import DataError
from hf_vft.reporting.pages import image_uri

IN_A_ROW = 8

Row = tuple[str, list[str]]
"""A title, and images as ``data:`` addresses."""


def row_of_images(
    title: str, paths: Iterable[Path | None], decoder: Decoder, most: int = IN_A_ROW
) -> Row:
    """The first ``most`` images that are there and can be read."""
    shown: list[str] = []
    for path in paths:
        if path is None or not path.is_file():
            continue
        try:
            shown.append(image_uri(decoder(path)))
        except DataError:
            continue
        if len(shown) == most:
            break
    return title, shown
