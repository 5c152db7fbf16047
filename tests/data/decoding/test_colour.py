from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from hf_vft.data.decoding import colour
from hf_vft.data.decoding.colour import to_srgb
from hf_vft.data.images import decode_image
from tests.data.deep_images import png
from tests.data.zoo_files import encoded

D50 = (0.9642, 1.0, 0.8249)

DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841))
"""Columns of its matrix, adapted to D50, as Apple's profile has them."""


def profile(columns: tuple[tuple[float, ...], ...] | None, gamma: float, space: bytes) -> bytes:
    """A small ICC profile of version 2: a matrix and a gamma, or a gamma of grey."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78
    text += b"\0" * (-len(text) % 4)
    tags = {b"desc": text, b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)}
    if columns is None:
        tags[b"kTRC"] = curve
    else:
        for name, column in zip((b"r", b"g", b"b"), columns, strict=True):
            tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*column)
            tags[name + b"TRC"] = curve
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    whole = struct.pack(">I", len(tags)) + table + body
    head = struct.pack(
        ">I4s4s4s4s4s", 128 + len(whole), b"test", b"\2\x20\0\0", b"mntr", space, b"XYZ "
    )
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + fixed(*D50)
    return head.ljust(128, b"\0") + whole


P3 = profile(DISPLAY_P3, 2.2, b"RGB ")
GREY_OF_GAMMA_1 = profile(None, 1.0, b"GRAY")


def one(mode: str, value: object) -> Image.Image:
    return Image.new(mode, (4, 4), value)  # type: ignore[arg-type]


def test_wide_gamut_colours_become_srgb() -> None:
    """Red of 200 in Display P3 is a purer red than sRGB has: the other channels go to zero."""
    data = encoded(one("RGB", (200, 100, 50)), "PNG", icc_profile=P3)
    red, green, blue = decode_image(data).getpixel((0, 0))  # type: ignore[misc]
    assert 212 <= red <= 222
    assert 92 <= green <= 99
    assert 20 <= blue <= 40


def test_grey_stays_grey_and_white_stays_white() -> None:
    for level in (0, 90, 255):
        data = encoded(one("RGB", (level,) * 3), "PNG", icc_profile=P3)
        assert np.abs(np.asarray(decode_image(data)).astype(int) - level).max() <= 3


def test_training_and_serving_see_the_same_of_every_kind_of_source() -> None:
    data = encoded(one("RGB", (200, 100, 50)), "JPEG", icc_profile=P3, quality=95)
    with Image.open(io.BytesIO(data)) as opened:
        assert decode_image(opened).tobytes() == decode_image(data).tobytes()
        opened.load()
        assert decode_image(opened).tobytes() == decode_image(data).tobytes()


def test_opacity_and_deep_samples_are_converted_like_the_rest() -> None:
    plain = decode_image(encoded(one("RGB", (200, 100, 50)), "PNG", icc_profile=P3))
    opaque = decode_image(encoded(one("RGBA", (200, 100, 50, 255)), "PNG", icc_profile=P3))
    assert plain.tobytes() == opaque.tobytes()
    hidden = decode_image(encoded(one("RGBA", (200, 100, 50, 0)), "PNG", icc_profile=P3))
    assert hidden.getpixel((0, 0)) == (255, 255, 255)
    palette = one("RGB", (200, 100, 50)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert decode_image(encoded(palette, "PNG", icc_profile=P3)).tobytes() == plain.tobytes()
    deep = np.full((4, 4, 3), (200 << 8, 100 << 8, 50 << 8), np.uint16)
    data = png(deep, icc=P3)
    assert decode_image(data).tobytes() == plain.tobytes()


def test_grey_profiles_are_followed_and_those_of_another_space_are_not() -> None:
    data = encoded(one("L", 55), "PNG", icc_profile=GREY_OF_GAMMA_1)
    assert decode_image(data).getpixel((0, 0)) == pytest.approx((128,) * 3, abs=3)
    data = encoded(one("L", 55), "PNG", icc_profile=P3)
    assert decode_image(data).getpixel((0, 0)) == (55, 55, 55)


@pytest.mark.parametrize(
    "silent",
    [
        None,
        b"",
        b"no profile",
        P3[:200],
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ],
    ids=["none", "empty", "no profile", "cut short", "sRGB"],
)
def test_no_work_is_done_without_a_profile_that_says_something(silent: bytes | None) -> None:
    image = one("RGB", (200, 100, 50))
    assert to_srgb(image, silent) is image


def test_a_transform_is_made_once() -> None:
    colour._transform.cache_clear()
    for _ in range(3):
        to_srgb(one("RGB", (1, 2, 3)), bytes(bytearray(P3)))
    assert colour._transform.cache_info().misses == 1
