"""Files of more than 8 bits a channel, written byte by byte where Pillow cannot write them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np


def png(
    pixels: np.ndarray,
    *,
    alpha: bool = False,
    sbit: Sequence[int] = (),
    trns: bytes = b"",
    icc: bytes = b"",
) -> bytes:
    """``uint16 [H, W]`` or ``[H, W, C]``; the last channel is opacity where ``alpha``."""
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    height, width, channels = pixels.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    assert alpha == (channels in (2, 4))
    rows = pixels.astype(">u2").reshape(height, -1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))]
    parts += [(b"sBIT", bytes(sbit))] if sbit else []
    parts += [(b"iCCP", b"icc\0\0" + zlib.compress(icc))] if icc else []
    parts += [(b"tRNS", trns)] if trns else []
    parts += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def tiff(
    pixels: np.ndarray,
    *,
    order: str = "<",
    planar: bool = False,
    deflate: bool = False,
    photometric: int | None = None,
    extra: dict[int, int] | None = None,
) -> bytes:
    """``uint16`` or ``float32``, ``[H, W]`` or ``[H, W, 3 or 4]``, in two strips a plane."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    bits, kind = pixels.dtype.itemsize * 8, 3 if pixels.dtype.kind == "f" else 1
    pixels = pixels.astype(pixels.dtype.newbyteorder(order))
    planes = [pixels[..., c] for c in range(channels)] if planar else [pixels]
    rows = -(-height // 2)
    strips = [
        part.tobytes() for plane in planes for part in (plane[:rows], plane[rows:]) if len(part)
    ]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    shown = (2 if channels > 1 else 1) if photometric is None else photometric
    tags: dict[int, tuple[int, ...]] = {
        256: (width,), 257: (height,), 258: (bits,) * channels, 259: (8 if deflate else 1,),
        262: (shown,), 277: (channels,), 278: (rows,), 284: (2 if planar else 1,),
        339: (kind,) * channels, 279: tuple(map(len, strips)),
    }  # fmt: skip
    tags |= {338: (2,)} if channels == 4 else {}
    tags |= {tag: (value,) for tag, value in (extra or {}).items()}
    start = 8
    tags[273] = tuple(start + sum(map(len, strips[:n])) for n in range(len(strips)))
    body = b"".join(strips)
    body += b"\0" * (len(body) % 2)
    directory, beside = b"", b""
    at = start + len(body) + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        short = tag not in (273, 279)
        packed = struct.pack(order + ("H" if short else "L") * len(values), *values)
        entry = struct.pack(order + "HHL", tag, 3 if short else 4, len(values))
        if len(packed) <= 4:
            directory += entry + packed.ljust(4, b"\0")
        else:
            directory += entry + struct.pack(order + "L", at + len(beside))
            beside += packed + b"\0" * (len(packed) % 2)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    count = struct.pack(order + "H", len(tags))
    head = mark + struct.pack(order + "L", start + len(body))
    return head + body + count + directory + b"\0" * 4 + beside


def pgm(pixels: np.ndarray, maximum: int) -> bytes:
    """Binary, grey or colour."""
    kind = b"P6" if pixels.ndim == 3 else b"P5"
    head = b"%s %d %d %d\n" % (kind, *pixels.shape[1::-1], maximum)
    return head + pixels.astype(">u2").tobytes()


def plain_pgm(pixels: np.ndarray, maximum: int) -> bytes:
    """As text."""
    head = "P2 {} {} {}\n".format(*pixels.shape[1::-1], maximum)
    return (head + " ".join(map(str, pixels.flat)) + "\n").encode()


def dicom(pixels: np.ndarray, **attributes: object) -> bytes:
    """Grey, uncompressed, 16 bits allocated."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    made = Dataset()
    made.file_meta = meta
    made.SOPClassUID, made.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    signed = pixels.dtype.kind == "i"
    frames = pixels.shape[0] if pixels.ndim == 3 else 1
    made.Rows, made.Columns = pixels.shape[-2:]
    made.NumberOfFrames = frames
    made.SamplesPerPixel, made.PixelRepresentation = 1, int(signed)
    made.BitsAllocated = 8 * pixels.dtype.itemsize
    made.BitsStored, made.PhotometricInterpretation = made.BitsAllocated, "MONOCHROME2"
    for name, value in attributes.items():
        setattr(made, name, value)
    made.HighBit = made.BitsStored - 1
    made.PixelData = pixels.tobytes()
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, made, enforce_file_format=True)
    return buffer.getvalue()
