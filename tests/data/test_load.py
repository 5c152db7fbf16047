from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_vft.data.load import load_data
from hf_vft.recipe import DataConfig


def save_picture(path: Path, seed: int, size: tuple[int, int] = (12, 10)) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    for number in range(20):
        save_picture(
            tmp_path / "photos" / ("cat" if number % 2 else "dog") / f"{number}.png", number
        )
    return tmp_path / "photos"


def test_a_folder_of_class_folders_is_divided(class_folders: Path) -> None:
    data = load_data(class_folders, DataConfig(), seed=0)
    assert list(data.splits) == ["train", "validation", "test"]
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 12,
        "validation": 4,
        "test": 4,
    }
    assert data.labels == ["cat", "dog"]
    for split in data.splits.values():
        assert set(split["label"]) == {0, 1}
