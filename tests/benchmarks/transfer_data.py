"""The pictures on which transfer is measured: none of them was pre-trained on."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from hf_vft.data.demo import DemoConfig, generate

SHARED = Path(__file__).resolve().parents[3] / "shared"
DEMO = 1500


@dataclass(frozen=True)
class TransferSet:
    """Pictures ``[N, S, S, 3]`` uint8 and class ids ``[N]``."""

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray

    @property
    def classes(self) -> int:
        return int(self.train_y.max()) + 1

    def subset(self, per_class: int | None, seed: int) -> np.ndarray:
        """Positions of at most so many training pictures a class; None takes all."""
        rng = np.random.default_rng(seed)
        chosen = [
            rng.permutation(np.flatnonzero(self.train_y == label))[:per_class]
            for label in range(self.classes)
        ]
        return np.sort(np.concatenate(chosen))


def demo(size: int) -> TransferSet:
    """The generated inspection line; both pictures of a part are on one side."""
    pictures = [generate(index, DemoConfig(size=size)) for index in range(DEMO)]
    return _divided("demo", np.stack([p.image for p in pictures]), [p.label for p in pictures])


def digits(size: int) -> TransferSet:
    """Handwritten digits of 8 × 8 pixels, enlarged; the last third, by other writers, tests."""
    x, y = load_digits(return_X_y=True)
    pictures = np.stack([_enlarged(picture.reshape(8, 8), size) for picture in x])
    return _divided("digits", pictures, y)


def magnetic_tile(size: int) -> TransferSet:
    """Photographs of magnet surfaces, divided by tile; validation and test together test."""
    folder = SHARED / "data" / "magnetic_tile"
    rows = list(csv.DictReader((folder / "metadata.csv").open()))
    ids = np.unique([row["label"] for row in rows], return_inverse=True)[1]
    pictures = np.stack([_squashed(folder / row["file_name"], size) for row in rows])
    train = np.array([row["split"] == "train" for row in rows])
    return TransferSet("magnetic_tile", pictures[train], ids[train], pictures[~train], ids[~train])


def transfer_sets(size: int, cache: Path) -> list[TransferSet]:
    """All sets that this machine has, decoded once."""
    makers = [demo, digits]
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


def _divided(name: str, pictures: np.ndarray, labels: object) -> TransferSet:
    ids = np.unique(labels, return_inverse=True)[1]
    cut = len(ids) * 2 // 3 // 2 * 2
    return TransferSet(name, pictures[:cut], ids[:cut], pictures[cut:], ids[cut:])


def _enlarged(picture: np.ndarray, size: int) -> np.ndarray:
    grey = Image.fromarray((picture * (255 / 16)).round().astype(np.uint8))
    return np.asarray(grey.resize((size, size), Image.Resampling.BICUBIC).convert("RGB"))


def _squashed(path: Path, size: int) -> np.ndarray:
    with Image.open(path) as picture:
        small = picture.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
        return np.asarray(small)
