"""What Pillow leaves to its users in a TIFF: planes of 16 bits, white that is zero, bits in use."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image, TiffImagePlugin, TiffTags

from hf_vft.errors import DataError

_PHOTOMETRIC, _PLANAR, _SAMPLES = 262, 284, 277
_MAX_SAMPLE_VALUE, _S_MAX_SAMPLE_VALUE = 281, 341
_SUBFILE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706
_PLANE_TAGS = (256, 257, 259, 266, 278, 317, 322, 323, 339)
"""Width, length, compression, fill order, rows a strip, predictor, tile sizes, sample format."""
_PIECES = (273, 279, 324, 325)
"""Offsets and byte counts, of strips and of tiles."""


def is_planar(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether the channels lie one after the other, 16 bits each; Pillow would mix them up."""
    tags = image.tag_v2
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
    return bool(tags.get(_PLANAR) == 2 and len(bits) > 1 and max(bits) == 16)


def is_raw_photo(image: Image.Image, data: bytes) -> bool:
    """Whether a camera wrote it raw (DNG, NEF, ARW, CR2): a TIFF that begins with a preview."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    tags = image.tag_v2
    preview = tags.get(_SUBFILE) == 1 and _SUB_IFDS in tags
    return bool(preview or _DNG_VERSION in tags or data[8:10] == b"CR")


def plane_files(image: TiffImagePlugin.TiffImageFile, data: bytes) -> Iterator[Image.Image]:
    """Each plane as a grey TIFF: the same file with a directory at its end that knows one plane.

    Raises:
        DataError: If it is no classic TIFF of RGB.
    """
    if image.mode not in ("RGB", "RGBA") or data[2:4] not in (b"*\0", b"\0*"):
        raise DataError("a TIFF of separate 16-bit planes that are not RGB; save it as one plane")
    tags, count = image.tag_v2, len(image.getbands())
    channels = int(tags.get(_SAMPLES, count))
    at = len(data) + len(data) % 2
    for number in range(count):
        plane = {tag: _integers(tags[tag])[:1] for tag in _PLANE_TAGS if tag in tags}
        plane |= {TiffImagePlugin.BITSPERSAMPLE: (16,), _PHOTOMETRIC: (1,), _SAMPLES: (1,)}
        for tag in _PIECES:
            if tag in tags:
                pieces = _integers(tags[tag])
                share = len(pieces) // channels
                plane[tag] = pieces[number * share : (number + 1) * share]
        order = "<" if data[:2] == b"II" else ">"
        moved = data[:4] + struct.pack(order + "L", at) + data[8:].ljust(at - 8, b"\0")
        file = moved + _directory(plane, at, order)
        with Image.open(io.BytesIO(file), formats=("TIFF",)) as opened:
            yield opened


def _integers(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (int(value),)


def _directory(tags: Mapping[int, tuple[int, ...]], at: int, order: str) -> bytes:
    """A directory that lies ``at`` bytes into its file, all its values of 32 bits."""
    entries, beside = b"", b""
    beside_at = at + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}L", *values)
        if len(values) > 1:
            beside, packed = beside + packed, struct.pack(order + "L", beside_at + len(beside))
        entries += struct.pack(order + "HHL", tag, TiffTags.LONG, len(values)) + packed
    return struct.pack(order + "H", len(tags)) + entries + b"\0" * 4 + beside


def white_is_zero(image: Image.Image) -> bool:
    """Whether the smallest value of a TIFF is white; Pillow turns only those of 8 bits round."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return bool(image.tag_v2.get(_PHOTOMETRIC, 1) == 0)


def stated_bits(image: TiffImagePlugin.TiffImageFile) -> int | None:
    """Bits that the values use according to the file, 9 to 16; None if it does not say."""
    tags = image.tag_v2
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))
    if 8 < max(bits) < 16:
        return int(max(bits))
    for tag in (_S_MAX_SAMPLE_VALUE, _MAX_SAMPLE_VALUE):
        value = tags.get(tag)
        highest = max(value) if isinstance(value, tuple) and value else value
        if isinstance(highest, int) and 255 < highest < 1 << 16:
            return highest.bit_length()
    return None
