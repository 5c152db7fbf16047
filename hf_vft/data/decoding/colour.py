"""Colour profiles: what a wide-gamut camera wrote, as the sRGB that models have learned from."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

SAME = 2
"""A profile that moves no colour by more than so many of 255 levels is sRGB."""

_SPACES = {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY", "CMYK": "CMYK"}
"""What colour space a profile has to be of, by the mode of the image."""


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image with its colours converted from ``profile`` (an ICC profile) to sRGB.

    Relative colorimetric: colours outside sRGB become the nearest inside. A profile that is
    damaged, or of another colour space than the image, says nothing.

    Args:
        image: Of any mode; only RGB, RGBA, L and CMYK are converted, the last two to RGB.
        profile: From the file; None leaves the image as it is.
    """
    if not profile or image.mode not in _SPACES:
        return image
    transform = _transform(profile, image.mode)
    return image if transform is None else transform.apply(image)


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> Any:
    """None where there is nothing to do."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGBA" if mode == "RGBA" else "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if mode != "CMYK" and _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    probe = Image.fromarray(cube).convert(mode)
    moved = np.asarray(transform.apply(probe).convert("RGB")).astype(int)
    return bool(np.abs(moved - np.asarray(probe.convert("RGB"))).max() <= SAME)
