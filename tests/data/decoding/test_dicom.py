from __future__ import annotations

import numpy as np
import pytest

from hf_vft.data.images import Decoder, image_header
from hf_vft.errors import DataError
from hf_vft.utils import imports
from tests.data.deep_images import dicom

pytest.importorskip("pydicom")

STORED = np.array([[0, 1024, 2048, 4095]], np.uint16)
DEEP = Decoder(bit_depth=12)


def levels(data: bytes) -> list[int]:
    image = DEEP(data)
    assert image.mode == "RGB"
    return np.asarray(image)[0, :, 0].tolist()


def test_without_a_window_the_stored_bits_are_the_range() -> None:
    found = DEEP.read(dicom(STORED, BitsStored=12))
    assert np.asarray(found.image)[0, :, 0].tolist() == [0, 64, 128, 255]
    assert (found.highest, found.stated_bits) == (4095, 12)


def test_monochrome1_is_no_negative() -> None:
    data = dicom(STORED, BitsStored=12, PhotometricInterpretation="MONOCHROME1")
    assert levels(data) == [255, 191, 127, 0]
    window = {"WindowCenter": 2048, "WindowWidth": 2049}
    data = dicom(STORED, BitsStored=12, PhotometricInterpretation="MONOCHROME1", **window)
    assert levels(data) == pytest.approx([255, 255, 127, 0], abs=1)


def test_a_window_is_seen_through_whatever_the_values_are() -> None:
    """The same tissue has the same grey in an image of the whole range and in a dark one."""
    window = {"WindowCenter": 1024, "WindowWidth": 2049, "BitsStored": 12}
    assert levels(dicom(STORED, **window)) == pytest.approx([0, 128, 255, 255], abs=1)
    dark = np.array([[0, 512, 1024, 1024]], np.uint16)
    assert levels(dicom(dark, **window)) == pytest.approx([0, 64, 128, 128], abs=1)


def test_a_window_is_given_in_rescaled_values() -> None:
    """A CT: Hounsfield units of signed values, a window of soft tissue."""
    stored = np.array([[-1024, -136, 64, 264]], np.int16)
    scale = {"RescaleSlope": "1", "RescaleIntercept": "-1024", "BitsStored": 12}
    air_to_bone = (stored + 1024).astype(np.uint16)
    window = {"WindowCenter": 40, "WindowWidth": 400}
    shown = levels(dicom(air_to_bone, **scale, **window))
    assert shown == pytest.approx([0, 15, 143, 255], abs=2)


def test_signed_values_without_a_window_start_at_the_least_that_can_be() -> None:
    stored = np.array([[-2048, 0, 2047]], np.int16)
    assert levels(dicom(stored, BitsStored=12)) == [0, 128, 255]


def test_eight_bits_are_shown_as_they_are() -> None:
    stored = np.array([[0, 100, 255]], np.uint8)
    assert np.asarray(Decoder(bit_depth=8)(dicom(stored)))[0, :, 0].tolist() == [0, 100, 255]


def test_the_first_frame_is_taken_and_the_others_are_told_of() -> None:
    found = DEEP.read(dicom(np.stack([STORED, 0 * STORED]), BitsStored=12))
    assert found.image.size == (4, 1)
    assert found.pages == 2
    assert np.asarray(found.image)[0, -1, 0] == 255


def test_the_size_is_read_without_decoding() -> None:
    data = dicom(STORED, BitsStored=12)
    assert image_header(data[:-8]) == ("DICOM", (4, 1))
    with pytest.raises(DataError, match="too many pixels"):
        Decoder(max_pixels=3).read(data)


def test_what_is_damaged_or_missing_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dicom(STORED, BitsStored=12)
    for broken in (data[:140], data[:-4], data[:132] + b"\xff" * 200):
        with pytest.raises(DataError, match="DICOM") as caught:
            Decoder().read(broken)
        assert "\n" not in str(caught.value)
    monkeypatch.setattr(imports, "is_available", lambda package: False)
    with pytest.raises(DataError, match=r"a DICOM file; .*pip install 'hf-vft\[dicom\]'"):
        Decoder().read(data)
