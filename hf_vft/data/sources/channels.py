"""Images of which each channel or band is a file of its own."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict

from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.reading import refuse
from hf_vft.utils.text import few

_ENDING = re.compile(
    r"(?P<base>.+)[_.-](?P<channel>b\d{1,2}a?|band[_-]?\d{1,2}|vv|vh|nir|swir\d?|"
    r"red|green|blue|yellow|(?:w|ch|channel)[_-]?\d{1,2})",
    re.IGNORECASE,
)
_COLOURS = {"red", "green", "blue"}
_MOSTLY = 0.5


def refuse_channels(listing: Listing) -> None:
    """Stop where most images are one channel of several of the same scene.

    Each of them would count as an image, so that one scene is learned from and tested on, and none
    is seen as a whole: satellites' bands (``S2A_..._B04.tif``) and microscopes' stains
    (``1f_green.png``).

    Raises:
        DataError: Says which files belong together.
    """
    channels: dict[str, set[str]] = defaultdict(set)
    files: dict[str, list[str]] = defaultdict(list)
    for image in listing.images:
        found = _ENDING.fullmatch(posixpath.splitext(image)[0])
        if found is not None:
            channels[found["base"]].add(found["channel"].casefold())
            files[found["base"]].append(image)
    torn = [base for base, held in channels.items() if _belong_together(held)]
    number = sum(len(files[base]) for base in torn)
    if len(torn) < 2 or number < _MOSTLY * len(listing.images):
        return
    together = sorted(map(posixpath.basename, files[torn[0]]))
    raise refuse(
        listing.name,
        f"{few(together, 3)} seem to be the channels of one image: write three of them as red, "
        "green and blue into one file an image, and give those, in class folders or with a table "
        "that names them.",
    )


def _belong_together(channels: set[str]) -> bool:
    """Three colours, two numbered channels of a microscope, or two bands."""
    words = {channel for channel in channels if channel.isalpha() and len(channel) > 2}
    colours = words & (_COLOURS | {"yellow"})
    if colours:
        return colours >= _COLOURS
    return len(channels) > 1
