"""Image files: which are opened, how they are read, and what is wrong with them."""

from __future__ import annotations

import io
import stat
import struct
import zlib
from functools import cache
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from hf_vft.data.decoding.heif import is_heif, open_heif
from hf_vft.data.decoding.tiff import is_raw_photo
from hf_vft.errors import DataError

MAX_FILE_BYTES = 1 << 30
"""Files larger than this are refused before they are read."""

FORMATS = (
    "JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "DIB", "PPM", "JPEG2000", "ICO", "QOI",
)  # fmt: skip
"""What is opened. Formats that start other programs (EPS) or that accept nearly any file (TGA)
are left out on purpose."""

IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jfif", ".jpe", ".mpo", ".png", ".apng", ".webp", ".avif", ".gif", ".tif",
    ".tiff", ".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".jp2", ".j2k", ".ico",
    ".qoi", ".heic", ".heif", ".dcm", ".dicom",
})  # fmt: skip
"""File name endings of images."""

_NOT_AN_IMAGE = "not an image that Pillow can read"
BROKEN_FILE = (
    OSError,
    EOFError,
    SyntaxError,  # Pillow raises it for broken PNG chunks
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What the decoders of Pillow raise for files that are not whole."""


def open_image(source: bytes | str | Path) -> Image.Image:
    """A file opened with Pillow, for its size and format; not decoded. Not for DICOM.

    Raises:
        DataError: If it is no image.
    """
    data = source if isinstance(source, bytes) else read_image_bytes(source)
    if is_heif(data):
        return open_heif(data)
    try:
        image = Image.open(io.BytesIO(data), formats=_formats())
    except UnidentifiedImageError:
        raise DataError(_NOT_AN_IMAGE + _hint(data)) from None
    if is_raw_photo(image, data):
        raise DataError("a raw photograph of a camera; develop it into TIFF, PNG or JPEG")
    return image


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation of an opened file, 1 to 8; 1 if its EXIF data say nothing."""
    if not any(name == "exif" or "xmp" in name for name in image.info):
        return 1  # Pillow would look into neither, but takes its time
    turned = image.getexif().get(ExifTags.Base.Orientation, 1)
    return turned if isinstance(turned, int) and 1 <= turned <= 8 else 1


def read_image_bytes(path: str | Path, *, max_bytes: int | None = None) -> bytes:
    """The content of an image file.

    Raises:
        DataError: With a short reason: missing, a folder, not a regular file, too large, not
            readable.
    """
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise DataError("a folder, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise DataError("not a regular file")
        limit = MAX_FILE_BYTES if max_bytes is None else max_bytes
        if status.st_size > limit:
            raise DataError(f"the file is too large ({status.st_size:,} bytes)")
        return Path(path).read_bytes()
    except FileNotFoundError:
        broken_link = Path(path).is_symlink()
        raise DataError("a link to a missing file" if broken_link else "no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise DataError(f"cannot be read: {one_line(error)}") from None


@cache
def _formats() -> tuple[str, ...]:
    """The formats that this build of Pillow has."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def broken(error: BaseException) -> str:
    """The message of a decoder's exception, in a line."""
    text = one_line(error)
    truncated = isinstance(error, EOFError) or "truncated" in text.lower()
    return "the file is truncated" if truncated else f"the file is damaged ({text})"


def _hint(data: bytes) -> str:
    """What the file seems to be, for the kinds people often meet."""
    head = data[:512].lstrip().lower()
    if head.startswith(b"%pdf"):
        return " (a PDF)"
    if head.startswith((b"<svg", b"<?xml")) and b"<svg" in head:
        return " (an SVG drawing)"
    if head.startswith((b"<!doctype html", b"<html")):
        return " (a web page)"
    if is_pointer(data):
        return " (a pointer of Git LFS or git-annex: fetch the file itself)"
    if head.startswith((b"ii*\0", b"mm\0*")):
        return " (a TIFF of another kind, such as one with many channels; write three of them)"
    return ""


def is_pointer(data: bytes) -> bool:
    """Whether a file only names the content that Git LFS or git-annex keep elsewhere."""
    return data.startswith((b"version https://git-lfs", b"/annex/objects/"))


def one_line(error: BaseException) -> str:
    """The message without line breaks, or the name of an exception that has none."""
    return " ".join(str(error).split())[:200] or type(error).__name__
