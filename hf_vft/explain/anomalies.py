"""The image with a heat map of what is unlike good images."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hf_vft.explain.overlay import overlay
from hf_vft.tasks.anomaly_maps import smooth_map

HOT = 2.0
"""Times the threshold from which on a place is shown as hot as can be."""


def draw_anomalies(image: Image.Image, heat: np.ndarray) -> Image.Image:
    """The map over the image; what is well below the threshold stays as it was.

    Args:
        image: RGB, the whole of it.
        heat: ``[h, w]`` in shares of the threshold; see `hf_vft.tasks.Prediction`.
    """
    return overlay(image, visible(smooth_map(heat, image.size)))


def visible(heat: np.ndarray) -> np.ndarray:
    """From 0, half the threshold and below, to 1."""
    shown: np.ndarray = np.clip((heat - 0.5) / (HOT - 0.5), 0.0, 1.0)
    return shown
