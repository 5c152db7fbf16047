"""Decodes every image once, before training, and remembers what it found."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import datasets

from hf_vft.data.images import Decoder, read_image_bytes
from hf_vft.errors import DataError
from hf_vft.run import write_text
from hf_vft.utils.cores import cores

Progress = Callable[[int, int], None]
"""Called with the number of images done and the number of all."""

_BATCH = 64  # images in memory at a time
_CACHE_FILE = "verified-images-4.json"  # the number changes with what is kept


@dataclass(frozen=True)
class DecodeCheck:
    """The result of decoding one image.

    Attributes:
        sha256: Hash of its file.
        reason: Why it is unusable.
        width: Of the image as the model sees it, turned upright, in pixels.
        height: The same.
        highest: The greatest stored value; None for files of 8 bits a channel.
        stated_bits: How many bits such a file says that it uses.
        pages: How many images the file holds; 2 stands for several.
        orientation: Of its EXIF data, by which it was turned upright.
    """

    sha256: str | None
    reason: str | None = None
    width: int | None = None
    height: int | None = None
    highest: int | None = None
    stated_bits: int | None = None
    pages: int = 1
    orientation: int = 1

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height; None where the image is unusable."""
        return None if self.width is None or self.height is None else (self.width, self.height)


def verify_images(
    images: datasets.Dataset,
    *,
    decoder: Decoder,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> list[DecodeCheck]:
    """Decode every image of the column ``image``.

    Args:
        images: Has the column ``image``, not decoded.
        decoder: Of which only the limit on pixels matters here.
        cache_dir: Where results are kept, by path, size and time of change of the file, so
            that an unchanged folder is not decoded again.
        progress: Told how far it is.

    Returns:
        One check per row.
    """
    cache = _Cache(cache_dir, decoder)
    checks: list[DecodeCheck] = []
    with ThreadPoolExecutor(max_workers=min(8, cores().usable)) as pool:
        for batch in _batches(images):
            checks += pool.map(cache.check, batch)
            if progress is not None:
                progress(len(checks), len(images))
    cache.save()
    return checks


def _batches(images: datasets.Dataset) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(images), _BATCH):
        yield images[start : start + _BATCH]["image"]


def _check(image: dict[str, Any] | None, decoder: Decoder) -> DecodeCheck:
    try:
        data = image_bytes(image)
        digest = hashlib.sha256(data).hexdigest()
        decoded = decoder.read(data)
    except DataError as error:
        return DecodeCheck(None, str(error))
    return DecodeCheck(
        digest,
        None,
        *decoded.image.size,
        highest=decoded.highest,
        stated_bits=decoded.stated_bits,
        pages=decoded.pages,
        orientation=decoded.orientation,
    )


def image_bytes(image: dict[str, Any] | None) -> bytes:
    """The file content behind one row of a column ``datasets.Image(decode=False)``.

    Raises:
        DataError: With a short reason, if there is none.
    """
    if image is None or (image["bytes"] is None and image["path"] is None):
        raise DataError("no image in this row")
    return image["bytes"] if image["bytes"] is not None else read_image_bytes(image["path"])


class _Cache:
    """Checks of usable image files by path, size and time of change.

    What is unusable is looked at again: a package that was missing may be installed by then.
    """

    def __init__(self, folder: Path | None, decoder: Decoder) -> None:
        self.file = folder / _CACHE_FILE if folder is not None else None
        self.decoder = decoder
        self.known: dict[str, list[Any]] = {}
        self.changed = False
        if self.file is not None and self.file.is_file():
            self.known = _read_json(self.file)

    def check(self, image: dict[str, Any] | None) -> DecodeCheck:
        key = self._key(image)
        if key is not None and key in self.known:
            return DecodeCheck(*self.known[key])
        check = _check(image, self.decoder)
        if key is not None and check.reason is None:
            self.known[key] = list(astuple(check))
            self.changed = True
        return check

    def save(self) -> None:
        if self.file is None or not self.changed:
            return
        write_text(self.file, json.dumps(self.known))

    def _key(self, image: dict[str, Any] | None) -> str | None:
        if self.file is None or image is None or image["bytes"] is not None or not image["path"]:
            return None
        try:
            status = Path(image["path"]).stat()
        except (OSError, ValueError):
            return None
        path = os.path.abspath(image["path"])  # noqa: PTH100 - a link is not followed
        return f"{self.decoder.max_pixels}|{status.st_size}|{status.st_mtime_ns}|{path}"


def _read_json(file: Path) -> dict[str, list[Any]]:
    """An unreadable cache is as good as none: everything is decoded again."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}
