"""Samples of more than 8 bits, as the file holds them.

Pillow keeps 16 bits of a grey image alone; of colour it returns the high byte. Its decoders are
therefore run twice where needed, once for the high and once for the low byte.
"""

from __future__ import annotations

import io
import struct
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from hf_vft.data.decoding.tiff import is_planar, plane_files, stated_bits, white_is_zero
from hf_vft.errors import DataError

HIGHEST = 65535


@dataclass(frozen=True)
class Samples:
    """The stored values of an image with more than 8 bits a channel.

    Attributes:
        values: ``uint16 [H, W]`` (grey) or ``[H, W, 3]`` (RGB), on the scale of `stated`.
        alpha: Opacity, ``uint8 [H, W]``; None where everything is opaque.
        stated: How many bits the file says that it uses; None where it says nothing.
        white_is_zero: Whether the smallest value is white.
    """

    values: np.ndarray
    alpha: np.ndarray | None = None
    stated: int | None = None
    white_is_zero: bool = False

    @property
    def highest(self) -> int:
        """The greatest stored value."""
        return int(self.values.max(initial=0))

    def above(self, bit_depth: int) -> float:
        """The share of the values in [0, 1] that ``bit_depth`` bits cannot hold."""
        return float(np.mean(self.values >= 1 << bit_depth)) if bit_depth < 16 else 0.0

    def to_image(self, bit_depth: int) -> Image.Image:
        """The upper 8 of the ``bit_depth`` bits; greater values become the greatest.

        Returns:
            An image of mode L or RGB; RGBA where there is an alpha channel.
        """
        levels = np.minimum(self.values >> (bit_depth - 8), 255).astype(np.uint8)
        image = Image.fromarray(255 - levels if self.white_is_zero else levels)
        if self.alpha is not None:
            image = image.convert("RGBA")
            image.putalpha(Image.fromarray(self.alpha))
        return image


def may_be_deep(image: Image.Image) -> bool:
    """Whether an image that was opened and not loaded may have more than 8 bits a channel."""
    tile = next(iter(getattr(image, "tile", ())), None)
    deep = image.mode.startswith(("I", "F")) or image.format == "PPM"
    return deep or (tile is not None and ";16" in _raw_mode(tile))


def read_samples(image: Image.Image, data: bytes | None) -> Samples | None:
    """The deep samples of an image.

    Args:
        image: Just opened, and loaded here where it is deep; loaded before where ``data`` is None.
        data: The file that it was opened from.

    Returns:
        None for an image of 8 bits a channel.

    Raises:
        DataError: If there are values outside 0..65535.
    """
    tile = next(iter(getattr(image, "tile", ())), None)
    if data is not None and tile is not None:
        raw, colour = _raw_mode(tile), image.mode in ("RGB", "RGBA")
        if image.format == "PPM":
            return _netpbm(image, data, tile)
        if image.format == "JPEG2000" and image.mode == "I;16":
            return _jpeg2000(image, data)
        if image.format == "PNG" and raw.endswith(";16B"):
            return _png(image, data, raw)
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            if is_planar(image):
                return _planes(image, data)
            if colour and ";16" in raw:
                values, alpha = _two_bytes(image, data, raw)
                return Samples(values, alpha, stated_bits(image))
            if image.mode.startswith("I"):
                stated, inverted = stated_bits(image), white_is_zero(image)
                return Samples(_within_range(image), stated=stated, white_is_zero=inverted)
    return Samples(_within_range(image)) if image.mode.startswith("I") else None


def _raw_mode(tile: ImageFile._Tile) -> str:
    """How Pillow calls the layout of the bytes of a pixel."""
    first = tile.args[0] if isinstance(tile.args, tuple) and tile.args else tile.args
    return first if isinstance(first, str) else ""


def _within_range(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    low, high = int(pixels.min()), int(pixels.max())
    if low < 0 or high > HIGHEST:
        raise DataError(f"pixel values from {low} to {high}, outside 0..65535")
    return pixels.astype(np.uint16)


def _netpbm(image: Image.Image, data: bytes, tile: ImageFile._Tile) -> Samples | None:
    """Values as the file has them; Pillow spreads them over 16 bits, or over 8 where coloured."""
    maximum = tile.args[-1] if isinstance(tile.args, tuple) else HIGHEST
    if image.mode == "I" and tile.codec_name != "ppm":  # 16 bits as they are, or a text file
        values = _within_range(image)
        if tile.codec_name == "ppm_plain":
            values = _scaled(values, maximum, HIGHEST)
    elif tile.codec_name == "ppm" and maximum > 255:
        if image.mode == "RGB":
            values, _ = _two_bytes(image, data, "RGB;16B", codec="raw")
        else:
            values = _pixels(image, "I;16B", codec="raw").astype(np.uint16)
    else:
        return None
    bits = int(maximum).bit_length()
    if maximum != (1 << bits) - 1:
        values = _scaled(values, (1 << bits) - 1, maximum)
    # Who does not know how many bits are in use writes the greatest maximum that there is.
    return Samples(values, stated=None if maximum == HIGHEST else bits)


def _scaled(values: np.ndarray, factor: int, divisor: int) -> np.ndarray:
    scaled = (values.astype(np.uint32) * factor + divisor // 2) // divisor
    return np.minimum(scaled, HIGHEST).astype(np.uint16)


def _jpeg2000(image: Image.Image, data: bytes) -> Samples:
    """Pillow shifts what the file holds to the upper end of 16 bits."""
    start = data.find(b"\xff\x4f\xff\x51")  # start of the codestream, then its sizes
    stated = min((data[start + 42] & 0x7F) + 1, 16)
    return Samples(_within_range(image) >> (16 - stated), stated=stated)


def _png(image: Image.Image, data: bytes, raw: str) -> Samples:
    stated, alpha = _significant_bits(data), None
    if raw == "LA;16B":  # the four bytes of a pixel, as they are
        pixels = _pixels(image, "RGBA")
        values, alpha = _joined(pixels[..., 0], pixels[..., 1]), pixels[..., 2]
    elif image.mode == "I;16":
        values = _within_range(image)
    else:
        values, alpha = _two_bytes(image, data, raw)
    hidden = image.info.get("transparency")
    if hidden is not None and alpha is None:
        seen = values != np.asarray(hidden, np.uint16)
        alpha = np.where(seen if seen.ndim == 2 else seen.any(axis=-1), 255, 0).astype(np.uint8)
    return Samples(_unspread(values, stated), alpha, stated)


def _two_bytes(
    image: Image.Image, data: bytes, raw: str, codec: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Colour of 16 bits a channel, and its opacity where there is any."""
    order = raw[-1]
    low = raw[:-1] + (_OTHER_ENDIAN if order == "N" else {"B": "L", "L": "B"}[order])
    premultiplied = raw.startswith("RGBa")
    raw, low = (name.replace("RGBa", "RGBA") for name in (raw, low))
    with Image.open(io.BytesIO(data), formats=(str(image.format),)) as again:
        values = _joined(_pixels(image, raw, codec), _pixels(again, low, codec))
    if values.shape[-1] == 3:
        return values, None
    colour, opacity = values[..., :3], values[..., 3]
    if premultiplied:
        opaque = np.maximum(opacity, 1)[..., None].astype(np.uint32)
        colour = np.minimum(colour.astype(np.uint32) * HIGHEST // opaque, HIGHEST).astype(np.uint16)
    return colour, (opacity >> 8).astype(np.uint8)


_OTHER_ENDIAN = "B" if sys.byteorder == "little" else "L"


def _pixels(image: Image.Image, raw: str, codec: str | None = None) -> np.ndarray:
    """The pixels of an image, its bytes taken for those of another raw mode of Pillow."""
    tiles: list[Any] = image.tile  # type: ignore[attr-defined]
    for at, tile in enumerate(tiles):
        args = (raw, *tile.args[1:]) if isinstance(tile.args, tuple) and not codec else raw
        tiles[at] = tile._replace(codec_name=codec or tile.codec_name, args=args)
    return np.asarray(image)


def _joined(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    joined: np.ndarray = high.astype(np.uint16) << 8 | low
    return joined


def _planes(image: TiffImagePlugin.TiffImageFile, data: bytes) -> Samples:
    """One plane after the other, each opened as a grey TIFF of its own."""
    planes = [_within_range(plane) for plane in plane_files(image, data)]
    alpha = (planes[3] >> 8).astype(np.uint8) if len(planes) > 3 else None
    return Samples(np.stack(planes[:3], axis=-1), alpha, stated_bits(image))


def _significant_bits(data: bytes) -> int | None:
    """What the chunk sBIT of a PNG says; alpha does not count."""
    at, end = 8, len(data)
    while at + 8 <= end:
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"sBIT" and at + 8 + length <= end:
            chunk = data[at + 8 : at + 8 + length]
            bits = max(chunk[: 3 if length >= 3 else 1], default=0)
            return bits if 8 <= bits < 16 else None
        if name in (b"IDAT", b"IEND"):
            return None
        at += 12 + length
    return None


def _unspread(values: np.ndarray, bits: int | None) -> np.ndarray:
    """Values of ``bits`` bits that a PNG has spread over 16, as its specification asks.

    Some programs write sBIT beside values that they have not spread. Those are told by their low
    bits, which are neither zero nor a repetition of the high ones; such values stay.
    """
    if bits is None:
        return values
    upper = values >> (16 - bits)
    low = values & ((1 << (16 - bits)) - 1)
    repeated = upper >> (2 * bits - 16)
    # One more or less where a program has multiplied instead.
    spread = (low == 0) | (np.abs(low.astype(int) - repeated) <= 1)
    return upper if bool(spread.all()) else values
