"""HEIC and HEIF, which phones write: through pillow-heif, without changing Pillow for others."""

from __future__ import annotations

import io

from PIL import Image

from hf_vft.errors import DataError, MissingDependencyError
from hf_vft.utils.imports import require_package

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2")


def is_heif(data: bytes) -> bool:
    """Whether this is an HEIF file that Pillow does not open; AVIF it does."""
    box = data[: min(int.from_bytes(data[:4], "big"), 256)]
    return box[4:8] == b"ftyp" and box[8:12] in _BRANDS and b"avif" not in box


def open_heif(data: bytes) -> Image.Image:
    """The primary image, not yet decoded; 10 and 12 bits become 8.

    Its orientation is applied when it is decoded, and is then no longer in its EXIF data.

    Raises:
        DataError: If pillow-heif is not installed, or the file is damaged.
    """
    try:
        pillow_heif = require_package("pillow_heif", "heic")
    except MissingDependencyError:
        raise DataError(
            "a HEIC image; reading it needs the package 'pillow-heif': pip install 'hf-vft[heic]'"
        ) from None
    try:
        image: Image.Image = pillow_heif.HeifImageFile(io.BytesIO(data))
    except (SyntaxError, OSError, ValueError, RuntimeError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"the HEIC file is damaged ({reason})") from None
    return image
