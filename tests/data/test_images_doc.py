"""docs/images.md says what is so: each row of its table is tried on a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from hf_vft.data.decoding.files import FORMATS
from hf_vft.data.images import Decoder, decode_image
from hf_vft.errors import DataError
from tests.data.decoding.test_colour import P3
from tests.data.decoding.test_heif import heic
from tests.data.deep_images import dicom, pgm, png, tiff
from tests.data.zoo_files import encoded

DOC = Path(__file__).parents[2] / "docs" / "images.md"
RAMP = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (16, 1))
GREY = Image.fromarray(RAMP)
DEEP = RAMP.astype(np.uint16) << 4


def near(data: bytes, expected: np.ndarray = RAMP, within: int = 8, bits: int = 12) -> bool:
    found = np.asarray(Decoder(bit_depth=bits)(data)).astype(int)
    wanted = expected if expected.ndim == 3 else np.stack([expected] * 3, axis=-1)
    return found.shape == wanted.shape and int(np.abs(found - wanted).max()) <= within


def refused(data: bytes, reason: str) -> bool:
    with pytest.raises(DataError, match=reason):
        decode_image(data)
    return True


def every_format() -> bool:
    kinds = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "ICO", "QOI")
    assert set(FORMATS) - set(kinds) == {"DIB"}
    image = GREY.convert("RGB")
    return all(near(encoded(image, kind)) for kind in kinds)


def transparent() -> bool:
    hidden = np.stack([DEEP << 4, np.zeros_like(DEEP)], axis=-1)
    return near(png(hidden, alpha=True), np.full_like(RAMP, 255))


def pages() -> bool:
    data = encoded(GREY, "TIFF", save_all=True, append_images=[ImageOps.invert(GREY)])
    return near(data) and Decoder().read(data).pages == 2


def turned() -> bool:
    exif = Image.Exif()
    exif[0x0112] = 6
    return near(encoded(GREY, "PNG", exif=exif), np.rot90(RAMP, -1))


def converted() -> bool:
    image = Image.new("RGB", (4, 4), (200, 100, 50))
    found = decode_image(encoded(image, "PNG", icc_profile=P3))
    return found.getpixel((0, 0))[0] > 210  # type: ignore[index]


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
ANNEX = b"/annex/objects/SHA256E-s1--00.jpg\n"
ROWS: dict[str, Callable[[], bool]] = {
    "JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP, PPM, JPEG 2000, ICO, QOI of 8 bits a channel": (
        every_format
    ),
    "grey, palette, 1-bit, CMYK": lambda: all(
        near(encoded(GREY.convert(mode), "TIFF")) for mode in ("L", "P", "CMYK")
    ),
    "transparency": transparent,
    "animation or several pages": pages,
    "EXIF orientation": turned,
    "colour profile (Display P3, Adobe RGB, CMYK, grey)": converted,
    "9 to 16 bits a channel, grey or colour: PNG, TIFF, PGM, PPM; JPEG 2000 in grey": lambda: all(
        near(data)
        for pixels in (DEEP, np.stack([DEEP] * 3, axis=-1))
        for data in (png(pixels), tiff(pixels), pgm(pixels, 4095))
    ),
    "TIFF of separate planes": lambda: near(tiff(np.stack([DEEP] * 3, axis=-1), planar=True)),
    "TIFF whose zero is white": lambda: (
        near(tiff(4095 - DEEP, photometric=0))
        and near(tiff(1 - RAMP.astype(np.float32) / 255, photometric=0))
    ),
    "floating point from 0 to 1": lambda: near(tiff(RAMP.astype(np.float32) / 255)),
    "floating point beyond 0 to 1": lambda: refused(tiff(RAMP.astype(np.float32)), "0 to 240"),
    "integers beyond 65,535": lambda: refused(
        encoded(Image.fromarray(RAMP.astype(np.int32) << 12), "TIFF"), "outside"
    ),
    "DICOM": lambda: near(
        dicom(4095 - DEEP, BitsStored=12, PhotometricInterpretation="MONOCHROME1")
    ),
    "HEIC, HEIF": lambda: near(
        heic(GREY.convert("RGB").resize((64, 64), Image.Resampling.NEAREST)),
        np.kron(RAMP, np.ones((4, 4), np.uint8)),
        within=16,
    ),
    "raw photographs: DNG, NEF, CR2, ARW": lambda: all(
        refused(tiff(np.stack([DEEP] * 3, axis=-1), extra=tags), "a raw photograph")
        for tags in ({254: 1, 330: 8}, {50706: 1})
    ),
    "TIFF of more channels than RGB and transparency": lambda: refused(
        tiff(np.stack([DEEP] * 5, axis=-1)), "with many channels"
    ),
    "PDF, SVG, EPS, web pages, pointers of Git LFS or git-annex": lambda: all(
        refused(data, "not an image")
        for data in (b"%PDF-1.7\n", b"<svg/>", encoded(GREY, "EPS"), b"<html>", LFS, ANNEX)
    ),
}


def documented() -> dict[str, str]:
    rows = [line.split("|") for line in DOC.read_text(encoding="utf-8").splitlines()]
    cells = [[cell.strip() for cell in row[1:-1]] for row in rows if len(row) == 5]
    return {first: second for first, second, _ in cells[2:]}


def test_every_row_is_tried() -> None:
    assert list(documented()) == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_file_of_the_row_is_read_or_refused(row: str) -> None:
    if row == "DICOM":
        pytest.importorskip("pydicom")
    assert ROWS[row]()
