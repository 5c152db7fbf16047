from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hf_vft.data.bit_depth import page_notes, settle_bit_depth
from hf_vft.data.images import Decoder
from hf_vft.data.load import load_data, load_labelled
from hf_vft.data.verify import DecodeCheck
from hf_vft.recipe.schema import DataConfig
from tests.data.deep_images import png, tiff

PLAIN = DecodeCheck("0", None, 4, 4)


def deep(highest: int, stated: int | None = None) -> DecodeCheck:
    return DecodeCheck("0", None, 4, 4, highest, stated)


@pytest.mark.parametrize(
    ("checks", "bits"),
    [
        ([PLAIN], 16),
        ([deep(3)], 8),
        ([deep(255)], 8),
        ([deep(256)], 10),
        ([deep(4015), PLAIN], 12),
        ([deep(900), deep(4095), deep(20)], 12),
        ([deep(4096)], 14),
        ([deep(65535)], 16),
        ([deep(900, 12)], 12),
        ([deep(900, 11)], 11),
        ([deep(900, 12), deep(5000)], 14),
        ([deep(5000, 12)], 14),  # which states what it does not keep to
    ],
)
def test_the_least_depth_is_taken_that_holds_all_and_is_stated(
    checks: list[DecodeCheck], bits: int
) -> None:
    assert settle_bit_depth(checks, "auto").bits == bits


def test_what_was_decided_is_said() -> None:
    found = settle_bit_depth([deep(4015, 12), deep(7), PLAIN], "auto")
    assert found.reason == "no value of the 2 deep images is above 4,015; files state up to 12 bits"
    (note,) = found.notes
    assert note.startswith("More than 8 bits a channel: 2 of 3 images, with values up to 4,015")
    assert "data.bit_depth=12" in note
    assert "cuts grey values off at 255" in note
    assert settle_bit_depth([PLAIN], "auto").notes == []


def test_a_few_bright_images_among_dark_ones_are_said() -> None:
    found = settle_bit_depth([deep(4000)] * 5 + [deep(65535)], "auto")
    assert found.bits == 16
    assert "because of 1 with greater values; data.bit_depth=12" in found.notes[-1]


def test_what_is_asked_for_is_followed_and_what_it_cuts_off_is_said() -> None:
    found = settle_bit_depth([deep(4000)] * 5 + [deep(65535)], 12)
    assert (found.bits, found.reason) == (12, "set in the recipe")
    assert found.notes[-1] == (
        "Values above the 4,095 of data.bit_depth=12, up to 65,535, are cut off in 1 image."
    )


def test_files_of_several_pages_are_said() -> None:
    assert page_notes([PLAIN]) == []
    several = DecodeCheck("0", None, 4, 4, pages=2)
    assert page_notes([several, PLAIN]) == [
        "Only the first page or frame is used of 1 file with several."
    ]


@pytest.fixture(scope="module")
def microscope(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve bits in files of sixteen, as a camera leaves them."""
    folder = tmp_path_factory.mktemp("microscope")
    draw = np.random.default_rng(0)
    for name in ("cell", "debris"):
        (folder / name).mkdir()
        for number in range(6):
            pixels = draw.integers(0, 4096, (8, 8)).astype(np.uint16)
            write = tiff if number % 2 else png
            (folder / name / f"{number}.{'tif' if number % 2 else 'png'}").write_bytes(
                write(pixels)
            )
    return folder


def test_a_data_set_of_twelve_bits_is_not_dark(microscope: Path) -> None:
    data = load_data(microscope, DataConfig(), seed=0)
    assert data.decoder == Decoder(bit_depth=12)
    assert any("12 of 12 images, with values" in note for note in data.notes)
    stored = data.splits["train"][0]["image"]
    assert np.asarray(data.decoder(stored["path"])).mean() == pytest.approx(127, abs=20)
    set_by_hand = load_data(microscope, DataConfig(bit_depth=10), seed=0)
    assert set_by_hand.decoder.bit_depth == 10
    assert any("cut off in 12 images" in note for note in set_by_hand.notes)


def test_other_images_are_read_at_the_depth_of_the_run(microscope: Path) -> None:
    config = DataConfig(bit_depth=10)
    found = load_labelled(microscope, config, labels=["cell", "debris"])
    assert any("above the 1,023 of data.bit_depth=10" in note for note in found.notes)


def test_the_features_that_are_cached_depend_on_the_depth(microscope: Path, tmp_path: Path) -> None:
    from hf_vft.data.audit.measure import measure_images

    bright = load_data(microscope, DataConfig(bit_depth=12), seed=0)
    dark = load_data(microscope, DataConfig(bit_depth=16), seed=0)
    assert bright.fingerprint == dark.fingerprint
    one = measure_images(bright, cache_dir=tmp_path)["brightness"]
    other = measure_images(dark, cache_dir=tmp_path)["brightness"]
    assert one.mean() > 5 * other.mean()
