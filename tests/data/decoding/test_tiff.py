"""A TIFF is refused where it only begins with the preview of something else."""

from __future__ import annotations

import numpy as np
import pytest

from hf_vft.data.images import decode_image
from hf_vft.errors import DataError
from tests.data.deep_images import tiff

PIXELS = np.full((12, 16, 3), 4000, dtype=np.uint16)


@pytest.mark.parametrize("tags", [{254: 1, 330: 8}, {50706: 1}], ids=["preview first", "DNG"])
def test_a_raw_photograph_is_not_taken_for_its_preview(tags: dict[int, int]) -> None:
    with pytest.raises(DataError, match="a raw photograph of a camera; develop it"):
        decode_image(tiff(PIXELS, extra=tags))


def test_a_tiff_that_says_it_is_reduced_is_read() -> None:
    assert decode_image(tiff(PIXELS, extra={254: 1})).size == (16, 12)
