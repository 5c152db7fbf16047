"""Looks once at every image for the audit and keeps a few numbers of each.

Brightness, blur and the like, and the hashes, are those of cleanvision, computed on a reduced
copy: see `hf_vft.data.image_properties`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
from PIL import Image

from hf_vft.data.image_properties import contrast_and_sharpness, perceptual_hash, reduced
from hf_vft.data.images import Decoder
from hf_vft.data.load import ImageData
from hf_vft.data.verify import Progress, image_bytes
from hf_vft.run import write_file
from hf_vft.utils.cores import cores

PREVIEW = 16
"""Side of the grey preview that tells near duplicates from look-alikes."""

_BATCH = 64  # images in memory at a time
_VERSION = 3  # raise it when a measure changes its meaning


def measure_images(
    data: ImageData,
    *,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Measure every image, in the order train, validation, test.

    Args:
        data: Images that all decode.
        cache_dir: Where the numbers are kept, by the fingerprint of the data.
        progress: Told the number of images done and of all.

    Returns:
        One row per image: ``file``, ``split``, ``label``, ``group`` (None without), ``width``
        and ``height`` in pixels, ``file_hash``, ``pixel_hash``, ``look`` (64-bit perceptual hash,
        ``uint64``), ``preview`` (grey, ``PREVIEW``² bytes), ``contrast`` in [0, 1],
        ``sharpness`` (NaN without contrast), and the properties of cleanvision.

    Raises:
        DataError: If an image has become unreadable since it was loaded.
    """
    known = _described(data)
    cache = _cache_file(data, cache_dir) if cache_dir else None
    if cache is not None and data.fingerprint and cache.is_file():
        cached = pd.read_parquet(cache)
        if cached["file"].tolist() == known["file"].tolist():
            return pd.concat([known, cached.drop(columns="file")], axis=1)
    # Here, since threads that import modules of one package at once can block each other.
    for name in ("duplicate_issue_manager", "image_property"):
        import_module(f"cleanvision.issue_managers.{name}")
    measures: list[dict[str, Any]] = []
    with ThreadPoolExecutor(max_workers=min(8, cores().usable)) as pool:
        for batch in _batches(data):
            measures += pool.map(lambda image: measure(image_bytes(image), data.decoder), batch)
            if progress is not None:
                progress(len(measures), len(known))
    measured = pd.DataFrame(measures)
    if cache is not None and data.fingerprint:
        rows = measured.assign(file=known["file"])
        write_file(cache, lambda path: rows.to_parquet(path, index=False))
    return pd.concat([known, measured], axis=1)


def _cache_file(data: ImageData, folder: Path) -> Path:
    depth = data.decoder.bit_depth  # what deep images look like depends on it
    return folder / f"audit-{_VERSION}-{data.fingerprint}-{depth}.parquet"


def measure(content: bytes, decoder: Decoder) -> dict[str, Any]:
    """Measure one image file for the audit."""
    from cleanvision.issue_managers.duplicate_issue_manager import get_hash

    image = decoder(content)
    size = image.size
    pixel_hash = get_hash(image, {"hash_type": "md5"}) + f"-{size[0]}x{size[1]}"
    image = reduced(image)
    grey = image.convert("L")
    contrast, sharpness = contrast_and_sharpness(grey)
    preview = grey.resize((PREVIEW, PREVIEW), Image.Resampling.BOX)
    return {
        "width": size[0],
        "height": size[1],
        "file_hash": hashlib.sha256(content).hexdigest(),
        "pixel_hash": pixel_hash,
        "look": np.uint64(int(perceptual_hash(image), 16)),
        "preview": preview.tobytes(),
        "contrast": contrast,
        "sharpness": sharpness,
        **_cleanvision_properties(image, size),
    }


def _cleanvision_properties(image: Image.Image, size: tuple[int, int]) -> dict[str, Any]:
    """The raw values that cleanvision's issue types are scored by."""
    from cleanvision.issue_managers.image_property import (
        BlurrinessProperty,
        BrightnessProperty,
        EntropyProperty,
    )

    values: dict[str, Any] = {}
    for kind in (BrightnessProperty("dark"), EntropyProperty(), BlurrinessProperty()):
        values |= kind.calculate(image)
    values["aspect_ratio"] = min(size) / max(size)
    values["size"] = float(size[0] * size[1]) ** 0.5
    return values


def _described(data: ImageData) -> pd.DataFrame:
    """What is known of the images without looking at them."""
    frames = []
    for split, table in data.splits.items():
        frame = pd.DataFrame({"file": table["file"], "split": split})
        frame["label"] = data.kind.texts(table["label"], data.labels)
        frame["group"] = data.groups(split)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _batches(data: ImageData) -> Iterator[list[dict[str, Any]]]:
    for table in data.splits.values():
        images: datasets.Dataset = table.select_columns(["image"])
        for start in range(0, len(images), _BATCH):
            yield images[start : start + _BATCH]["image"]
