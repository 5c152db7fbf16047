"""A few numbers that say what an image looks like: for the audit, and for watching production.

Brightness and the hash are those of cleanvision. All are measured on a reduced copy, so that a
large photograph takes no longer than its decoding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageStat

SIDE = 256
"""Images are measured at this longest side, in pixels, at most."""


def reduced(image: Image.Image) -> Image.Image:
    """An RGB image of at most ``SIDE`` pixels a side."""
    small = image._new(image.im)  # the same pixels: of a large image a copy takes much memory
    small.thumbnail((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=None)
    return small


def image_properties(image: Image.Image) -> dict[str, Any]:
    """Properties of an RGB image for the production log: columns of `hf_vft.records.PREDICTIONS`.

    Brightness, contrast and saturation are in [0, 1], entropy in bits, ``aspect`` is width by
    height; ``sharpness`` is None without contrast.
    """
    from cleanvision.issue_managers.image_property import calc_avg_brightness

    small = reduced(image)
    grey = small.convert("L")
    contrast, sharpness = contrast_and_sharpness(grey)
    return {
        "width": image.width,
        "height": image.height,
        "brightness": calc_avg_brightness(small),
        "contrast": contrast,
        "sharpness": None if np.isnan(sharpness) else sharpness,
        "saturation": ImageStat.Stat(small.convert("HSV")).mean[1] / 255,
        "image_entropy": grey.entropy(),
        "aspect": image.width / image.height,
        "phash": perceptual_hash(small),
    }


def perceptual_hash(image: Image.Image) -> str:
    """64 bits that stay nearly the same under small changes, as 16 hexadecimal digits."""
    from cleanvision.issue_managers.duplicate_issue_manager import get_hash

    return str(get_hash(image, {"hash_type": "phash", "hash_size": 8}))


def contrast_and_sharpness(grey: Image.Image) -> tuple[float, float]:
    """Spread of the grey levels in [0, 1], and that of the edges; NaN without contrast."""
    from cleanvision.issue_managers.image_property import get_edges

    contrast = ImageStat.Stat(grey).stddev[0]
    # Edges in proportion to the contrast: a dim image is not a blurred one.
    sharpness = _inner_spread(get_edges(grey)) / contrast if contrast >= 1 else np.nan
    return contrast / 255, sharpness


def _inner_spread(edges: Image.Image) -> float:
    """Standard deviation without the outermost pixels, which Pillow's filters leave as they are."""
    width, height = edges.size
    inner = edges.crop((1, 1, width - 1, height - 1)) if min(width, height) > 2 else edges
    return float(ImageStat.Stat(inner).stddev[0])
