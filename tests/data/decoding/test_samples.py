from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hf_vft.data.images import Decoder, decode_image
from tests.data.deep_images import pgm, plain_pgm, png, tiff
from tests.data.zoo_files import encoded

DEEP = Decoder(bit_depth=12)


def twelve_bits(*shape: int) -> np.ndarray:
    """Values of 12 bits, the least and the greatest among them."""
    pixels = np.random.default_rng(0).integers(0, 4096, shape).astype(np.uint16)
    pixels.flat[:2] = 0, 4095
    return pixels


GREY, COLOUR = twelve_bits(9, 7), twelve_bits(9, 7, 3)


def spread(pixels: np.ndarray) -> np.ndarray:
    """12 bits over 16, the high bits repeated, as the PNG specification recommends."""
    return (pixels << 4) | (pixels >> 8)


def jpeg2000(pixels: np.ndarray) -> bytes:
    return encoded(Image.fromarray(pixels), "JPEG2000")


SAME_GREY = {
    "TIFF": tiff(GREY),
    "TIFF, big endian": tiff(GREY, order=">"),
    "TIFF, compressed": tiff(GREY, deflate=True),
    "PNG": png(GREY),
    "PNG, spread": png(spread(GREY), sbit=(12,)),
    "PNG, shifted": png(GREY << 4, sbit=(12,)),
    "PNG with sBIT, not spread": png(GREY, sbit=(12,)),
    "PGM": pgm(GREY, 4095),
    "PGM of 16 bits": pgm(GREY, 65535),
    "PGM as text": plain_pgm(GREY, 4095),
    "PGM as text, of 16 bits": plain_pgm(GREY, 65535),
    "TIFF of white that is zero": tiff(4095 - GREY, photometric=0),
}

SAME_COLOUR = {
    "TIFF": tiff(COLOUR),
    "TIFF, big endian": tiff(COLOUR, order=">"),
    "TIFF, compressed": tiff(COLOUR, deflate=True),
    "TIFF, planes": tiff(COLOUR, planar=True),
    "TIFF, planes, big endian": tiff(COLOUR, planar=True, order=">"),
    "TIFF, planes, compressed": tiff(COLOUR, planar=True, deflate=True),
    "PNG": png(COLOUR),
    "PNG, spread": png(spread(COLOUR), sbit=(12, 12, 12)),
    "PPM": pgm(COLOUR, 4095),
    "PPM of 16 bits": pgm(COLOUR, 65535),
}


@pytest.mark.parametrize("kind", SAME_GREY)
def test_the_same_grey_values_come_at_one_scale_from_every_format(kind: str) -> None:
    found = DEEP.read(SAME_GREY[kind])
    assert (np.asarray(found.image)[..., 0] == GREY >> 4).all()
    assert found.highest == 4095
    assert found.above == 0


@pytest.mark.parametrize("kind", SAME_COLOUR)
def test_the_same_colours_come_at_one_scale_from_every_format(kind: str) -> None:
    found = DEEP.read(SAME_COLOUR[kind])
    assert (np.asarray(found.image) == COLOUR >> 4).all()
    assert found.highest == 4095


@pytest.mark.parametrize("kind", SAME_GREY)
def test_an_opened_pillow_image_is_read_like_its_file(kind: str) -> None:
    with Image.open(io.BytesIO(SAME_GREY[kind])) as opened:
        assert (np.asarray(DEEP(opened))[..., 0] == GREY >> 4).all()


@pytest.mark.parametrize(
    ("data", "stated"),
    [
        (tiff(GREY), None),
        (tiff(GREY, extra={281: 4095}), 12),
        (tiff(GREY, extra={341: 4095}), 12),
        (tiff(COLOUR, extra={341: 4095}), 12),
        (png(GREY), None),
        (png(spread(GREY), sbit=(12,)), 12),
        (pgm(GREY, 4095), 12),
        (pgm(GREY, 65535), None),
        (plain_pgm(GREY, 4095), 12),
        (jpeg2000(GREY), 16),
    ],
)
def test_how_many_bits_are_used_is_read_where_the_file_states_it(
    data: bytes, stated: int | None
) -> None:
    assert Decoder().read(data).stated_bits == stated


def test_jpeg_2000_comes_as_it_was_written() -> None:
    found = Decoder(bit_depth=16).read(jpeg2000(GREY))
    assert found.highest == 4095


def test_twelve_bits_of_jpeg_2000_are_not_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    # Pillow writes 8 or 16 bits alone, so the header is made to state 12 and the pixels are given.
    data = bytearray(encoded(Image.fromarray(GREY), "JPEG2000", no_jp2=True))
    start = data.find(b"\xff\x4f\xff\x51")
    assert data[start + 42] == 15
    data[start + 42] = 11

    def load(self: Image.Image) -> None:
        self.im = Image.fromarray(GREY << 4).im
        self.tile = []

    monkeypatch.setattr("PIL.Jpeg2KImagePlugin.Jpeg2KImageFile.load", load)
    found = DEEP.read(bytes(data))
    assert (found.highest, found.stated_bits) == (4095, 12)
    assert (np.asarray(found.image)[..., 0] == GREY >> 4).all()


def test_a_maximum_between_two_depths_is_white() -> None:
    pixels = np.array([[0, 500, 1000]], np.uint16)
    image = Decoder(bit_depth=10)(pgm(pixels, 1000))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("bits", [8, 9, 12, 16])
def test_greater_values_are_cut_off_and_counted(bits: int) -> None:
    pixels = np.array([[0, (1 << bits) - 1, 1 << (bits - 1), 65535]], np.uint16)
    found = Decoder(bit_depth=bits).read(png(pixels))
    assert np.asarray(found.image)[0, :, 0].tolist() == [0, 255, 128, 255]
    assert found.above == (0.25 if bits < 16 else 0)
    assert ("25.0% of its values" in found.note) == (bits < 16)


def test_the_negative_of_a_deep_tiff_is_not_shown() -> None:
    pixels = np.array([[0, 65535, 32768]], np.uint16)
    shown = np.asarray(decode_image(tiff(pixels, photometric=0)))[0, :, 0].tolist()
    assert shown == [255, 0, 127]
    floats = np.array([[0, 1, 0.4]], np.float32)
    assert np.asarray(decode_image(tiff(floats, photometric=0)))[0, :, 0].tolist() == [255, 0, 153]
    assert np.asarray(decode_image(tiff(floats)))[0, :, 0].tolist() == [0, 255, 102]


def test_what_is_transparent_in_deep_images_is_white() -> None:
    grey = np.array([[4000, 20]], np.uint16)
    alpha = np.array([[0, 65535]], np.uint16)
    expected = [255, 1]
    keyed = DEEP(png(grey, trns=b"\x0f\xa0"))
    mixed = DEEP(png(np.stack([grey, alpha], -1), alpha=True))
    coloured = DEEP(png(np.stack([grey] * 3 + [alpha], -1), alpha=True))
    by_colour = DEEP(png(np.stack([grey] * 3, -1), trns=b"\x0f\xa0" * 3))
    in_tiff = DEEP(tiff(np.stack([grey] * 3 + [alpha], -1)))
    for image in (keyed, mixed, coloured, by_colour, in_tiff):
        assert np.asarray(image)[0, :, 1].tolist() == expected


@pytest.mark.parametrize(("pixels", "planar"), [(GREY, False), (COLOUR, False), (COLOUR, True)])
def test_a_deep_image_is_turned_upright_once(pixels: np.ndarray, planar: bool) -> None:
    image = DEEP(tiff(pixels, planar=planar, extra={274: 6}))
    upright = np.rot90(pixels >> 4, -1)
    expected = upright if upright.ndim == 3 else np.stack([upright] * 3, axis=-1)
    assert (np.asarray(image) == expected).all()
