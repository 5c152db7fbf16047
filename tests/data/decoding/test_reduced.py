"""JPEG files decoded at a part of their size: the same pixels whoever decodes, upright or not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hf_vft.data.decoding import reduced
from hf_vft.data.decoding.reduced import ImageFile
from hf_vft.data.images import Decoder, decode_image
from hf_vft.errors import DataError
from tests.made_images import encoded, made_image


def jpeg(mode: str = "RGB", orientation: int = 1, size: tuple[int, int] = (131, 90)) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(made_image(1, size).convert(mode), "JPEG", quality=90, exif=exif)


@pytest.mark.parametrize("by", [1, 2, 4, 8])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_simplejpeg_and_pillow_give_the_same(
    mode: str, by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("simplejpeg")
    file = ImageFile.open(jpeg(mode), Decoder())
    fast = file.pixels(by)
    monkeypatch.setattr(reduced, "is_available", lambda _: False)
    assert np.array_equal(fast, file.pixels(by))


@pytest.mark.parametrize("by", [1, 2, 4, 8])
def test_sides_are_divided_and_rounded_up(by: int) -> None:
    file = ImageFile.open(jpeg(), Decoder())
    assert file.whole is None
    assert file.pixels(by).shape == (-(-90 // by), -(-131 // by), 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_header_says_how_the_file_is_turned(orientation: int) -> None:
    data = jpeg(orientation=orientation)
    file = ImageFile.open(data, Decoder())
    upright = decode_image(data)
    assert file.upright_size == upright.size
    assert file.orientation == orientation
    stored = reduced._as_stored(upright, orientation, (131, 90))
    assert np.array_equal(file.pixels(1), stored)


def test_a_reduction_is_never_more_than_asked_for() -> None:
    file = ImageFile.open(jpeg(), Decoder())
    assert [file.reduction(most) for most in (0.3, 1.9, 2.0, 3.9, 4.5, 100.0)] == [1, 1, 2, 2, 4, 8]
    whole = ImageFile.open(encoded(made_image(1)), Decoder())
    assert whole.reduction(100.0) == 1


@pytest.mark.parametrize("mode", ["CMYK"])
def test_what_is_no_plain_jpeg_is_decoded_by_the_rules(mode: str) -> None:
    data = jpeg(mode)
    file = ImageFile.open(data, Decoder())
    assert np.array_equal(file.pixels(1), np.asarray(decode_image(data)))


@pytest.mark.parametrize("size", [3, 200, 1500])
def test_broken_files_are_refused_in_the_words_of_the_decoder(size: int) -> None:
    data = jpeg()[:size]
    with pytest.raises(DataError) as plain:
        decode_image(data)
    with pytest.raises(DataError) as ours:
        ImageFile.open(data, Decoder()).pixels(2)
    assert str(ours.value) == str(plain.value)
