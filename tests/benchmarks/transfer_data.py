"""The images on which transfer is measured: none of them was pre-trained on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from hf_vft.pretraining.transfer import TRANSFER_SETS, TransferSet

SHARED = Path(__file__).resolve().parents[3] / "shared"


def magnetic_tile(size: int) -> TransferSet:
    """Photographs of magnet surfaces, divided by tile; validation and test together test."""
    folder = SHARED / "data" / "magnetic_tile"
    rows = list(csv.DictReader((folder / "metadata.csv").open()))
    ids = np.unique([row["label"] for row in rows], return_inverse=True)[1]
    images = np.stack([_squashed(folder / row["file_name"], size) for row in rows])
    train = np.array([row["split"] == "train" for row in rows])
    return TransferSet("magnetic_tile", images[train], ids[train], images[~train], ids[~train])


def transfer_sets(size: int, cache: Path) -> list[TransferSet]:
    """All sets that this machine has, decoded once."""
    makers = [*TRANSFER_SETS.values()]
    if (SHARED / "data" / "magnetic_tile").is_dir():
        makers.append(magnetic_tile)
    sets = []
    for make in makers:
        file = cache / f"{make.__name__}-{size}.npz"
        if not file.is_file():
            cache.mkdir(parents=True, exist_ok=True)
            made = make(size)
            np.savez(file, **{k: v for k, v in vars(made).items() if k != "name"})
        sets.append(TransferSet(make.__name__, **np.load(file)))
    return sets


def _squashed(path: Path, size: int) -> np.ndarray:
    with Image.open(path) as image:
        small = image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
        return np.asarray(small)
