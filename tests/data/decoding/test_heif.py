from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hf_vft.data.images import Decoder, decode_image, image_header
from hf_vft.errors import DataError
from hf_vft.utils import imports
from tests.data.zoo_files import BLUE, RED, encoded, scene

HEADER = b"\0\0\0\x18ftypheic" + bytes(40)


def heic(image: Image.Image, orientation: int | None = None) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    options = {}
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif.tobytes()  # an Exif object would lose the orientation here
    pillow_heif.from_pillow(image).save(buffer, quality=90, **options)
    return buffer.getvalue()


def test_heic_is_read_and_pillow_stays_as_it_was() -> None:
    data = heic(scene((64, 48)))
    image = decode_image(data)
    assert image.size == (64, 48)
    pixels = np.asarray(image).astype(int)
    assert np.abs(pixels[24, 4] - RED).max() < 12
    assert np.abs(pixels[24, -4] - BLUE).max() < 12
    assert image_header(data) == ("HEIF", (64, 48))
    assert "HEIF" not in Image.OPEN


def test_heic_is_turned_upright_once() -> None:
    on_its_side = scene((64, 48)).rotate(90, expand=True)
    image = decode_image(heic(on_its_side, orientation=6))
    assert image.size == (64, 48)
    assert np.abs(np.asarray(image).astype(int)[24, 4] - RED).max() < 12


def test_avif_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "is_available", lambda package: False)
    assert decode_image(encoded(scene((64, 48)), "AVIF")).size == (64, 48)


def test_what_is_damaged_or_missing_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pillow_heif")
    with pytest.raises(DataError, match="HEIC file is damaged"):
        decode_image(HEADER)
    with pytest.raises(DataError, match="too many pixels"):
        Decoder(max_pixels=99).read(heic(scene((64, 48))))
    monkeypatch.setattr(imports, "is_available", lambda package: False)
    with pytest.raises(DataError, match=r"HEIC image; .*pip install 'hf-vft\[heic\]'"):
        decode_image(HEADER)
