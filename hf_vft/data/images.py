"""The one decoder: whatever a picture file holds becomes 8-bit RGB by fixed rules.

Training, evaluation and serving all come through :func:`decode_image`, so a model never meets
a picture that was converted in another way than those it learned from. No rule looks at the
range of values of the single picture, because then two photographs of the same thing could be
scaled differently.
"""

from __future__ import annotations

import io
import stat
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from hf_vft.errors import DataError

MAX_PIXELS = 100_000_000
"""Pictures with more pixels than this are refused before they are decoded."""

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
    ".qoi", ".heic", ".heif",
})  # fmt: skip
"""File name endings of pictures; used only to tell people about pictures lying astray."""

_NOT_AN_IMAGE = "not an image that Pillow can read"
_BROKEN_FILE = (
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


def decode_image(
    source: bytes | str | Path | Image.Image, *, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Decode a picture to RGB, 8 bits per channel.

    The rules, the same for every picture:

    * the orientation in the EXIF data is applied;
    * of an animation or a multi-page file the first picture is taken;
    * 16 bits per channel: the high byte, which is what Pillow does for colour and is done here
      for grey too. Integer pixels outside 0..65535 are refused;
    * floating point: 0..1 becomes 0..255. Values outside, or NaN, are refused;
    * transparency, in whatever form, is laid on white;
    * palette, grey, 1-bit, CMYK, YCbCr and the like through Pillow's ``convert("RGB")``; colour
      profiles are not applied.

    Args:
        source: The bytes of a file, its path, or a Pillow image (which is left unchanged).
        max_pixels: Limit on width × height, checked before anything is decoded.

    Returns:
        A new image of mode ``RGB``.

    Raises:
        DataError: With a short reason that does not name the file: empty, truncated, not an
            image, too many pixels, unusable pixel values.
    """
    if isinstance(source, Image.Image):
        return _to_rgb(source, max_pixels)
    data = source if isinstance(source, bytes) else read_image_bytes(source)
    if not data:
        raise DataError("the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=_formats()) as image:
            return _to_rgb(image, max_pixels)
    except UnidentifiedImageError:
        raise DataError(_NOT_AN_IMAGE + _hint(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        # Pillow's own limit belongs to the whole process, so it is not ours to move.
        limit = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))
        raise DataError(f"too many pixels (the limit is {limit:,})") from None
    except _BROKEN_FILE as error:
        raise DataError(_broken(error)) from None


def read_image_bytes(path: str | Path, *, max_bytes: int | None = None) -> bytes:
    """The content of a picture file.

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
        raise DataError(f"cannot be read: {_one_line(error)}") from None


@cache
def _formats() -> tuple[str, ...]:
    """The formats that this build of Pillow has."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _to_rgb(image: Image.Image, max_pixels: int) -> Image.Image:
    width, height = image.size
    if width * height > max_pixels:
        raise DataError(f"too many pixels ({width} × {height}; the limit is {max_pixels:,})")
    if width == 0 or height == 0:
        raise DataError(f"no pixels ({width} × {height})")
    try:
        image.load()
    except _BROKEN_FILE as error:
        raise DataError(_broken(error)) from None
    try:
        return _flatten(_upright(image))
    except _BROKEN_FILE as error:
        raise DataError(f"mode {image.mode} cannot be converted: {_one_line(error)}") from None


def _upright(image: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation wants it; unreadable EXIF data says nothing."""
    try:
        return ImageOps.exif_transpose(image)
    except _BROKEN_FILE:
        return image.copy()


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _from_integers(np.asarray(image))
    if image.mode == "F":
        return _from_floats(np.asarray(image))
    if image.has_transparency_data:
        overlay = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), overlay).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_integers(pixels: np.ndarray) -> Image.Image:
    low, high = int(pixels.min()), int(pixels.max())
    if low < 0 or high > 65535:
        raise DataError(f"pixel values from {low} to {high}, outside 0..65535")
    return Image.fromarray((pixels.astype(np.uint16) >> 8).astype(np.uint8)).convert("RGB")


def _from_floats(pixels: np.ndarray) -> Image.Image:
    low, high = float(pixels.min()), float(pixels.max())  # NaN if any pixel is
    if not (low >= 0.0 and high <= 1.0):
        raise DataError(f"floating-point pixel values from {low:g} to {high:g}, outside 0..1")
    return Image.fromarray(np.rint(pixels * 255.0).astype(np.uint8)).convert("RGB")


def _broken(error: BaseException) -> str:
    text = _one_line(error)
    truncated = isinstance(error, EOFError) or "truncated" in text.lower()
    return "the file is truncated" if truncated else f"the file is damaged ({text})"


def _hint(data: bytes) -> str:
    """What the file seems to be, for the kinds people often meet."""
    head = data[:512].lstrip().lower()
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return " (HEIC: convert it to JPEG or PNG)"
    if head.startswith(b"%pdf"):
        return " (a PDF)"
    if head.startswith((b"<svg", b"<?xml")) and b"<svg" in head:
        return " (an SVG drawing)"
    if head.startswith((b"<!doctype html", b"<html")):
        return " (a web page)"
    return ""


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
