"""Images decoded once and kept at the size that training needs, as 8-bit levels.

Each image is a file of its own, written whole or not at all, so any number of loaders and processes
share the cache, and what a killed one left out is decoded by the next that wants it. A file holds
the size of the whole image, the reduction, and a checksum: what is damaged is made again. Whether
an image comes from the cache or was just decoded for it, the levels are the same.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL
import xxhash
from PIL import Image

from hf_vft._version import __version__
from hf_vft.data.decoding.reduced import REDUCTIONS, ImageFile
from hf_vft.data.images import Decoder
from hf_vft.utils.cache import default_cache

if TYPE_CHECKING:
    from hf_vft.data.transforms.images import TrainTransform

LIMIT = 20 * 2**30
"""Bytes of decoded images that are kept, of all data sets together."""

RESERVE = 2 * 2**30
"""Bytes of the disk that are left free."""

_HEADER = struct.Struct("<8sIIIIIIQ")
_MAGIC = b"hf-vft 1"


class DecodedImages:
    """The decoded images of one split, for one transform.

    Args:
        content: What the images are: the fingerprint of the data and the name of the split.
        transform: Says how many pixels it needs.
        decoder: From a file to an image.
        cache_dir: By default the user's cache folder.
    """

    def __init__(
        self,
        content: str,
        transform: TrainTransform,
        decoder: Decoder,
        cache_dir: Path | None = None,
    ) -> None:
        self._transform = transform
        self._decoder = decoder
        parts = (content, transform.needs, decoder, __version__, PIL.__version__)
        key = hashlib.sha256(repr(parts).encode()).hexdigest()[:40]
        self.folder = (cache_dir or default_cache()) / "decoded" / key

    def open(self, index: int, source: bytes | str) -> ImageFile:
        """An image of the split, from the cache or decoded and kept.

        Args:
            index: Its row.
            source: Its file.

        Raises:
            DataError: As by the decoder.
        """
        path = self.folder / f"{index // 1000:05d}" / f"{index % 1000:03d}.levels"
        found = _read(path, self._decoder)
        if found is None:
            found = reduced(ImageFile.open(source, self._decoder), self._transform)
            self._write(path, found)
        return found

    def _write(self, path: Path, image: ImageFile) -> None:
        """Keep it, unless the disk is nearly full: then the next epoch decodes it again."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free > RESERVE:
                # Not waiting for the disk, as the checksum tells what a power cut has left.
                temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
                _fill(temporary, image)
                temporary.replace(path)
        except OSError:
            return

    def make_room(self, limit: int = LIMIT) -> None:
        """Remove the splits that were not used for longest, down to ``limit`` bytes; never this."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.touch()
        others = [path for path in self.folder.parent.iterdir() if path != self.folder]
        total = _bytes(self.folder)
        for folder in sorted(others, key=lambda path: path.stat().st_mtime_ns, reverse=True):
            total += _bytes(folder)
            if total > limit:
                shutil.rmtree(folder, ignore_errors=True)


def expected_bytes(images: int, short_side: float, aspect_ratio: float, needed: float) -> float:
    """About what so many images take.

    Args:
        images: How many.
        short_side: Of a usual one, in pixels.
        aspect_ratio: Its long over its short side.
        needed: Pixels along its short side that training needs.
    """
    by = next((step for step in REDUCTIONS if step * needed <= short_side), 1)
    side = short_side / by
    return images * 3 * side * side * aspect_ratio


def reduced(file: ImageFile, transform: TrainTransform) -> ImageFile:
    """An image at the greatest reduction that leaves the transform the pixels that it needs."""
    most = transform.most_reduction(file)
    by = file.reduction(most)
    pixels = file.pixels(by)
    if file.whole is not None:  # what is no JPEG was decoded whole
        by = next((step for step in REDUCTIONS if step <= most), 1)
        pixels = np.array(Image.fromarray(pixels).reduce(by))
    return ImageFile(
        file.width, file.height, file.orientation, file.decoder, whole=pixels, reduced=by
    )


def _fill(path: Path, image: ImageFile) -> None:
    levels = np.ascontiguousarray(image.pixels(image.reduced))
    height, width = levels.shape[:2]
    digest = xxhash.xxh3_64_intdigest(levels.data)
    size = (image.width, image.height, image.orientation, image.reduced)
    path.write_bytes(_HEADER.pack(_MAGIC, *size, width, height, digest) + levels.tobytes())


def _read(path: Path, decoder: Decoder) -> ImageFile | None:
    """What is kept, or None where there is nothing, or nothing whole."""
    try:
        content = np.fromfile(path, np.uint8)
        header = _HEADER.unpack(content[: _HEADER.size].tobytes())
        magic, whole_width, whole_height, orientation, by, width, height, digest = header
        levels = content[_HEADER.size :].reshape(height, width, 3)
    except (OSError, struct.error, ValueError):
        return None
    if magic != _MAGIC or xxhash.xxh3_64_intdigest(levels.data) != digest:
        return None
    return ImageFile(whole_width, whole_height, orientation, decoder, whole=levels, reduced=by)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.levels"))
