"""Decodes every picture once, before training, and remembers what it found."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hf_vft.data.images import decode_image, read_image_bytes
from hf_vft.errors import DataError
from hf_vft.run import write_text

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and the number of all."""

_BATCH = 64  # pictures in memory at a time
_CACHE_FILE = "verified-images-2.json"  # the number changes with what is kept


@dataclass(frozen=True)
class Check:
    """What decoding one picture showed.

    Attributes:
        sha256: Hash of its file.
        reason: Why it is unusable.
        width: Of the picture as the model sees it, turned upright, in pixels.
        height: The same.
    """

    sha256: str | None
    reason: str | None = None
    width: int | None = None
    height: int | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height; None where the picture is unusable."""
        return None if self.width is None or self.height is None else (self.width, self.height)


def verify_images(
    images: datasets.Dataset,
    *,
    max_pixels: int,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> list[Check]:
    """Decode every picture of the column ``image``.

    Args:
        images: Has the column ``image``, not decoded.
        max_pixels: See :func:`hf_vft.data.images.decode_image`.
        cache_dir: Where results are kept, by path, size and time of change of the file, so
            that an unchanged folder is not decoded again.
        progress: Told how far it is.

    Returns:
        One check per row.
    """
    cache = _Cache(cache_dir, max_pixels)
    checks: list[Check] = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for batch in _batches(images):
            checks += pool.map(lambda image: cache.check(image, max_pixels), batch)
            if progress is not None:
                progress(len(checks), len(images))
    cache.save()
    return checks


def _batches(images: datasets.Dataset) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(images), _BATCH):
        yield images[start : start + _BATCH]["image"]


def _check(image: dict[str, Any] | None, max_pixels: int) -> Check:
    try:
        data = image_bytes(image)
        digest = hashlib.sha256(data).hexdigest()
        picture = decode_image(data, max_pixels=max_pixels)
    except DataError as error:
        return Check(None, str(error))
    return Check(digest, None, picture.width, picture.height)


def image_bytes(image: dict[str, Any] | None) -> bytes:
    """The file content behind one row of a column ``datasets.Image(decode=False)``.

    Raises:
        DataError: With a short reason, if there is none.
    """
    if image is None or (image["bytes"] is None and image["path"] is None):
        raise DataError("no picture in this row")
    return image["bytes"] if image["bytes"] is not None else read_image_bytes(image["path"])


class _Cache:
    """Checks of picture files by path, size and time of change."""

    def __init__(self, folder: Path | None, max_pixels: int) -> None:
        self.file = folder / _CACHE_FILE if folder is not None else None
        self.max_pixels = max_pixels
        self.known: dict[str, list[Any]] = {}
        self.changed = False
        if self.file is not None and self.file.is_file():
            self.known = _read_json(self.file)

    def check(self, image: dict[str, Any] | None, max_pixels: int) -> Check:
        key = self._key(image)
        if key is not None and key in self.known:
            return Check(*self.known[key])
        check = _check(image, max_pixels)
        if key is not None:
            self.known[key] = [check.sha256, check.reason, check.width, check.height]
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
        return f"{self.max_pixels}|{status.st_size}|{status.st_mtime_ns}|{path}"


def _read_json(file: Path) -> dict[str, list[Any]]:
    """An unreadable cache is as good as none: everything is decoded again."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
