"""What is below the threshold stays as it was; what is above is seen."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hf_vft.explain.anomalies import draw_anomalies


def test_only_the_hot_place_is_coloured():
    image = Image.new("RGB", (120, 80), (90, 90, 90))
    heat = np.full((8, 12), 0.4, np.float32)
    heat[2, 9] = 4.0

    drawn = np.asarray(draw_anomalies(image, heat).convert("RGB").resize(image.size), float)

    changed = np.abs(drawn - 90.0).max(-1)
    assert changed[20:30, 90:100].min() > 20
    assert changed[50:, :50].max() < 2
