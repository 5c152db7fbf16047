"""The one decoder: whatever an image file holds becomes 8-bit RGB by fixed rules.

Training, evaluation and serving all come through `Decoder`, so a model never meets an image that
was converted in another way than those it learned from. No rule looks at the range of values of a
single image, because then two photographs of the same thing could be scaled differently: how many
bits are in use is decided for a whole data set, see `hf_vft.data.bit_depth`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps

from hf_vft.data.decoding.colour import to_srgb
from hf_vft.data.decoding.dicom import dicom_size, is_dicom, read_dicom
from hf_vft.data.decoding.files import (
    BROKEN_FILE,
    IMAGE_SUFFIXES,
    broken,
    one_line,
    open_image,
    read_image_bytes,
)
from hf_vft.data.decoding.samples import Samples, read_samples
from hf_vft.data.decoding.tiff import white_is_zero
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "Decoded",
    "Decoder",
    "decode_image",
    "image_header",
    "read_image_bytes",
]

MAX_PIXELS = 100_000_000
"""Images with more pixels than this are refused before they are decoded."""

_STRIP = 32
"""Rows that are laid on white at a time."""


@dataclass(frozen=True)
class Decoded:
    """An image and what was seen while it was decoded.

    Attributes:
        image: RGB, 8 bits a channel, upright.
        highest: The greatest stored value; None for files of 8 bits a channel.
        stated_bits: How many bits such a file says that it uses; None where it does not.
        above: Share of its values, in [0, 1], that were too great for the bit depth and were cut
            off there.
        pages: How many images the file holds, at least: 2 where there are several.
        orientation: Of its EXIF data, by which it was turned upright; 1 where it was not.
    """

    image: Image.Image
    highest: int | None = None
    stated_bits: int | None = None
    above: float = 0.0
    pages: int = 1
    orientation: int = 1

    @property
    def note(self) -> str:
        """A remark for people; empty for nearly every image."""
        if not self.above:
            return ""
        return (
            f"{self.above:.1%} of its values are above the bit depth that the model has learned "
            f"from (the greatest is {self.highest:,}); they were cut off"
        )


@dataclass(frozen=True)
class Decoder:
    """Decoder for the image files of one data set, and of what is learned from it.

    The rules, the same for every image:

    * the orientation in the EXIF data is applied;
    * of an animation or a file of several pages the first image is taken;
    * more than 8 bits a channel: the upper 8 of the ``bit_depth`` bits in use, for grey and colour
      alike; what the values mean is read from the file where its format says it (the greatest
      value of a PGM, sBIT of a PNG, white-is-zero of a TIFF). Greater values are cut off and
      counted. Values outside 0..65535 are refused;
    * floating point: 0..1 becomes 0..255. Values outside, or NaN, are refused;
    * colour profiles: converted to sRGB;
    * transparency, in whatever form, is laid on white;
    * palette, grey, 1-bit, CMYK, YCbCr and the like become RGB;
    * DICOM and HEIC where their extras are installed.

    Attributes:
        max_pixels: Limit on width × height, checked before anything is decoded.
        bit_depth: How many bits the values of deep files use, 8 to 16.
    """

    max_pixels: int = MAX_PIXELS
    bit_depth: int = 16

    @classmethod
    def of(cls, config: DataConfig) -> Decoder:
        """The decoder of a recipe; a bit depth that was never decided is all 16 bits."""
        return cls(config.max_pixels, 16 if config.bit_depth == "auto" else config.bit_depth)

    def __call__(self, source: bytes | str | Path | Image.Image) -> Image.Image:
        """The image alone; see `read`."""
        return self.read(source).image

    def read(self, source: bytes | str | Path | Image.Image) -> Decoded:
        """Decode an image.

        Args:
            source: The bytes of a file, its path, or a Pillow image (which is left unchanged).

        Raises:
            DataError: With a short reason that does not name the file: empty, truncated, not an
                image, too many pixels, unusable pixel values, a package that is missing.
        """
        if isinstance(source, Image.Image):
            data = _unread_file(source)
            if data is None:
                return self._decoded(source, None)
        else:
            data = source if isinstance(source, bytes) else read_image_bytes(source)
        if not data:
            raise DataError("the file is empty")
        if is_dicom(data):
            return self._dicom(data)
        try:
            with open_image(data) as image:
                return self._decoded(image, data)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            # Pillow's own limit belongs to the whole process, so it is not ours to move.
            limit = min(self.max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or self.max_pixels))
            raise DataError(f"too many pixels (the limit is {limit:,})") from None
        except BROKEN_FILE as error:
            raise DataError(broken(error)) from None

    def _decoded(self, image: Image.Image, data: bytes | None) -> Decoded:
        width, height = image.size
        if width * height > self.max_pixels:
            limit = f"the limit is {self.max_pixels:,}"
            raise DataError(f"too many pixels ({width} × {height}; {limit})")
        if width == 0 or height == 0:
            raise DataError(f"no pixels ({width} × {height})")
        pages = 2 if image.format == "TIFF" and getattr(image, "is_animated", False) else 1
        profile = image.info.get("icc_profile")
        try:
            samples = read_samples(image, data)
            if samples is None:
                image.load()
        except BROKEN_FILE as error:
            raise DataError(broken(error)) from None
        try:
            if samples is None:
                plain = image if image.mode != "F" else _from_floats(image)
                upright, turned = _upright(plain, image, own=data is not None)
                return Decoded(_to_rgb(upright, profile), pages=pages, orientation=turned)
            upright, turned = _upright(samples.to_image(self.bit_depth), image, own=True)
            decoded = self._of_samples(samples, _to_rgb(upright, profile), pages)
            return replace(decoded, orientation=turned)
        except BROKEN_FILE as error:
            reason = f"mode {image.mode} cannot be converted: {one_line(error)}"
            raise DataError(reason) from None

    def _dicom(self, data: bytes) -> Decoded:
        frame, pages = read_dicom(data, self.max_pixels)
        if isinstance(frame, Samples):
            return self._of_samples(frame, _to_rgb(frame.to_image(self.bit_depth)), pages)
        return Decoded(_to_rgb(frame), pages=pages)

    def _of_samples(self, samples: Samples, image: Image.Image, pages: int) -> Decoded:
        above = samples.above(self.bit_depth)
        return Decoded(image, samples.highest, samples.stated, above, pages)


def decode_image(
    source: bytes | str | Path | Image.Image, *, max_pixels: int = MAX_PIXELS, bit_depth: int = 16
) -> Image.Image:
    """Decode an image to RGB, 8 bits a channel, by the rules of `Decoder`.

    Args:
        source: The bytes of a file, its path, or a Pillow image (which is left unchanged).
        max_pixels: Limit on width × height, checked before anything is decoded.
        bit_depth: How many bits the values of deep files use, 8 to 16.

    Returns:
        A new image of mode ``RGB``.

    Raises:
        DataError: With a short reason that does not name the file.
    """
    return Decoder(max_pixels, bit_depth)(source)


def image_header(source: bytes | str | Path) -> tuple[str | None, tuple[int, int]]:
    """The format of an image file, and its width and height as stored; nothing is decoded.

    Raises:
        DataError: If it is no image.
    """
    data = source if isinstance(source, bytes) else read_image_bytes(source)
    if is_dicom(data):
        return "DICOM", dicom_size(data)
    with open_image(data) as image:
        return image.format, image.size


def _unread_file(image: Image.Image) -> bytes | None:
    """The bytes behind a Pillow image that was opened and not yet loaded."""
    stream = getattr(image, "fp", None)
    if not isinstance(image, ImageFile.ImageFile) or not image.tile or stream is None:
        return None
    if image.tell() != 0 or not stream.seekable():
        return None
    place = stream.tell()
    stream.seek(0)
    data: bytes = stream.read()
    stream.seek(place)
    return data


def _upright(pixels: Image.Image, opened: Image.Image, *, own: bool) -> tuple[Image.Image, int]:
    """An image turned as the EXIF data of the file want it; unreadable EXIF data say nothing.

    Args:
        pixels: What is turned.
        opened: The file.
        own: Whether nobody else has ``pixels``: then no copy is made of what is upright, which of
            a large image would take as much memory again.

    Returns:
        The image, and the orientation that was undone, 1 where none was.
    """
    try:
        turned = opened.getexif().get(ExifTags.Base.Orientation, 1)
        known = isinstance(turned, int) and 1 <= turned <= 8
        if own and (not known or turned == 1):
            return pixels._new(pixels.im), 1  # the pixels themselves, no longer as of a file
        if pixels is not opened:
            pixels.getexif()[ExifTags.Base.Orientation] = turned
        upright = ImageOps.exif_transpose(pixels)
        if own:
            pixels.close()  # or a large image is in memory twice until the answer
        return upright, turned if known else 1
    except BROKEN_FILE:
        return pixels.copy(), 1


def _to_rgb(image: Image.Image, profile: bytes | None = None) -> Image.Image:
    if image.has_transparency_data:
        return _on_white(image, profile)
    if image.mode == "P":
        image = image.convert("RGB")
    image = to_srgb(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    """In strips: each step makes an image anew, and a large one would be in memory five times."""
    shown = Image.new("RGB", image.size)
    for top in range(0, image.height, _STRIP):
        strip = image.crop((0, top, image.width, min(top + _STRIP, image.height)))
        overlay = to_srgb(strip.convert("RGBA"), profile)
        white = Image.new("RGBA", overlay.size, "white")
        shown.paste(Image.alpha_composite(white, overlay).convert("RGB"), (0, top))
    return shown


def _from_floats(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image)
    low, high = float(pixels.min()), float(pixels.max())  # NaN if any pixel is
    if not (low >= 0.0 and high <= 1.0):
        raise DataError(
            f"floating-point pixel values from {low:g} to {high:g}, outside 0..1; write 0 to 1, or "
            "whole numbers of 8 or 16 bits"
        )
    levels = np.rint(pixels * 255.0).astype(np.uint8)
    return Image.fromarray(255 - levels if white_is_zero(image) else levels)
