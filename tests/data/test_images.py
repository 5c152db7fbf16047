from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_vft.data.decoding import files
from hf_vft.data.images import decode_image
from hf_vft.errors import DataError
from tests.data.zoo_files import CONVERTED, REJECTED, OddFile, encoded, png_header, scene


@pytest.mark.parametrize("odd_file", CONVERTED, ids=lambda odd_file: odd_file.kind)
def test_what_can_be_converted_is(odd_file: OddFile, tmp_path: Path) -> None:
    path = tmp_path / odd_file.name
    odd_file.make(path)
    image = decode_image(path)
    assert image.mode == "RGB"
    assert image.size == odd_file.size
    pixels = np.asarray(image).astype(int)
    assert np.abs(pixels[0, 0] - odd_file.left).max() <= 6
    assert np.abs(pixels[-1, -1] - odd_file.right).max() <= 6


@pytest.mark.parametrize("odd_file", CONVERTED, ids=lambda odd_file: odd_file.kind)
def test_path_text_bytes_and_pillow_image_decode_alike(odd_file: OddFile, tmp_path: Path) -> None:
    path = tmp_path / odd_file.name
    odd_file.make(path)
    expected = decode_image(path).tobytes()
    assert decode_image(str(path)).tobytes() == expected
    assert decode_image(path.read_bytes()).tobytes() == expected
    with Image.open(path) as opened:
        assert decode_image(opened).tobytes() == expected


@pytest.mark.parametrize("odd_file", REJECTED, ids=lambda odd_file: odd_file.kind)
def test_what_is_broken_is_refused_with_a_short_reason(odd_file: OddFile, tmp_path: Path) -> None:
    path = tmp_path / odd_file.name
    odd_file.make(path)
    with pytest.raises(DataError) as caught:
        decode_image(path)
    reason = str(caught.value)
    assert str(odd_file.reason) in reason
    assert "\n" not in reason
    assert str(tmp_path) not in reason
    assert len(reason) < 250


def test_a_pillow_image_is_left_unchanged() -> None:
    image = scene().convert("RGBA")
    image.putalpha(7)
    before = image.tobytes()
    result = decode_image(image)
    assert image.tobytes() == before
    result.putpixel((0, 0), (1, 2, 3))
    assert image.tobytes() == before


def test_an_rgb_pillow_image_is_copied() -> None:
    image = scene()
    decode_image(image).putpixel((0, 0), (1, 2, 3))
    assert image.getpixel((0, 0)) != (1, 2, 3)


def test_every_16_bit_value_is_scaled_by_the_same_rule() -> None:
    pixels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    whole = np.asarray(decode_image(encoded(Image.fromarray(pixels), "PNG")))[..., 0]
    dark = np.asarray(decode_image(encoded(Image.fromarray(pixels[:16]), "PNG")))[..., 0]
    assert (whole == pixels >> 8).all()
    assert (dark == whole[:16]).all()


def test_pixels_are_counted_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: Image.Image) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(DataError, match=r"too many pixels \(20 × 30; the limit is 599\)"):
        decode_image(png_header(20, 30), max_pixels=599)


def test_an_image_of_just_the_allowed_size_is_decoded() -> None:
    assert decode_image(scene(), max_pixels=24 * 16).size == (24, 16)
    with pytest.raises(DataError, match="too many pixels"):
        decode_image(scene(), max_pixels=24 * 16 - 1)


def test_the_limit_of_pillow_is_neither_moved_nor_misreported() -> None:
    before = Image.MAX_IMAGE_PIXELS
    assert before is not None
    with pytest.raises(DataError, match=f"{2 * before:,}"):
        decode_image(png_header(60000, 60000), max_pixels=10**12)
    assert before == Image.MAX_IMAGE_PIXELS


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(DataError, match="a folder, not a file"):
        decode_image(tmp_path / "folder.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match="not a regular file"):
        decode_image(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match="no such file"):
        decode_image(tmp_path / "missing.jpg")
    with pytest.raises(DataError, match="cannot be read"):
        decode_image("nul\0byte.jpg")


def test_huge_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1000)
    (tmp_path / "a.png").write_bytes(b"\0" * 1001)
    with pytest.raises(DataError, match=r"too large \(1,001 bytes\)"):
        decode_image(tmp_path / "a.png")
