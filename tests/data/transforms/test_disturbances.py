"""Disturbances: harder with each severity, the same whoever asks, and boxes stay where they are."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from hf_vft.data.dataset import VisionDataset
from hf_vft.data.transforms.disturbances import DISTURBANCES, SEVERITIES, Disturbance
from hf_vft.data.transforms.images import eval_transform
from tests.made_images import image_rows, processor


@pytest.fixture(scope="module")
def image() -> Image.Image:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(40, 216, (12, 16, 3), dtype=np.uint8))
    return coarse.resize((160, 120), Image.Resampling.BICUBIC)


def distance(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize("name", DISTURBANCES)
def test_each_severity_takes_the_image_further_away(name: str, image: Image.Image) -> None:
    changed = [
        DISTURBANCES[name].applied(image, place, side=224) for place in range(len(SEVERITIES))
    ]
    assert all(one.size == image.size and one.mode == "RGB" for one in changed)
    away = [distance(one, image) for one in changed]
    assert 0.4 < away[0] < away[1] < away[2]


def test_blur_grows_with_the_image(image: Image.Image) -> None:
    blur = DISTURBANCES["blur"]
    large = image.resize((640, 480), Image.Resampling.BICUBIC)
    reduced = blur.applied(large, 1, side=1000).resize(image.size, Image.Resampling.BOX)
    assert distance(reduced, blur.applied(image, 1, side=1000)) < 2.0


def test_a_large_image_is_reduced_to_the_input_first(image: Image.Image) -> None:
    assert DISTURBANCES["noise"].applied(image, 0, side=60).size == (80, 60)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_tiny_images_can_be_disturbed(name: str) -> None:
    tiny = Image.new("RGB", (2, 3), (90, 120, 40))
    assert DISTURBANCES[name].applied(tiny, 2, side=224).size == (2, 3)


def test_structures_stay_in_place() -> None:
    white = torch.zeros(3, 64, 64)
    white[:, 20:30, 40:50] = 1.0
    for name in ("blur", "motion", "pixelate", "jpeg", "contrast"):
        changed = DISTURBANCES[name].change(white, DISTURBANCES[name].levels[0]).mean(0)
        weight = (changed - changed.min()) / (changed - changed.min()).sum()
        rows, columns = torch.arange(64.0), torch.arange(64.0)
        assert float(weight.sum(1) @ rows) == pytest.approx(24.5, abs=1.0), name
        assert float(weight.sum(0) @ columns) == pytest.approx(44.5, abs=1.5), name


def test_a_dataset_draws_the_same_noise_each_time() -> None:
    noise: Disturbance = DISTURBANCES["noise"]

    def data(**options: object) -> VisionDataset:
        return VisionDataset(image_rows(3), eval_transform(processor()), seed=4, **options)

    noisy = data(disturb=partial(noise.applied, severity=2, side=32))
    first = noisy[1]["pixel_values"]
    torch.manual_seed(9)
    assert torch.equal(noisy[1]["pixel_values"], first)
    assert not torch.allclose(first, data()[1]["pixel_values"])
