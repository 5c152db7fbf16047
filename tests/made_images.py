"""Small labelled images as rows of a dataset, and the processor that suits the tiny models."""

from __future__ import annotations

import io
from typing import Any

import datasets
import numpy as np
from PIL import Image
from transformers import ViTImageProcessor

from tests.models.tiny import SIZE


def made_image(index: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """Noise over a colour that says the class, index modulo 3."""
    rng = np.random.default_rng(index)
    noise = rng.integers(0, 100, (size[1], size[0], 3), dtype=np.uint8)
    noise[..., index % 3] += 120
    return Image.fromarray(noise)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The image as a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def image_rows(count: int) -> datasets.Dataset:
    """A split as the loaders give it: images not decoded, and labels 0 to 2."""
    rows = {
        "image": [{"bytes": encoded(made_image(i)), "path": None} for i in range(count)],
        "label": [i % 3 for i in range(count)],
    }
    kinds = {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(num_classes=3)}
    return datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))


def processor(**changes: Any) -> ViTImageProcessor:
    """Squares of the side that the tiny models take."""
    size = {"height": SIZE, "width": SIZE}
    half = [0.5, 0.5, 0.5]
    return ViTImageProcessor(**{"size": size, "image_mean": half, "image_std": half} | changes)
