"""Splits as torch datasets: the same image whoever reads it, and when."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader

from hf_vft.data.dataset import BalancedSampler, VisionDataset
from hf_vft.data.images import Decoder
from hf_vft.data.transforms.images import STRENGTHS, eval_transform, train_transform
from hf_vft.errors import DataError
from hf_vft.recipe.schema import AugmentConfig
from hf_vft.tasks import ImageClassification
from tests.made_images import image_rows, processor

STRONG = AugmentConfig(**{"strength": "strong", **STRENGTHS["strong"]})


def dataset(seed: int = 0, count: int = 6) -> VisionDataset:
    return VisionDataset(image_rows(count), train_transform(processor(), STRONG), seed=seed)


def read(data: VisionDataset, **options: object) -> torch.Tensor:
    loader = DataLoader(data, 2, collate_fn=ImageClassification().collate, **options)
    return torch.cat([batch["pixel_values"] for batch in loader])


def test_changes_depend_on_seed_epoch_and_index_alone() -> None:
    data = dataset()
    first = read(data)
    torch.manual_seed(7)
    alone = data[3]["pixel_values"]
    assert torch.equal(alone, first[3])
    data.set_epoch(1)
    assert not torch.equal(data[3]["pixel_values"], alone)
    data.set_epoch(0)
    assert torch.equal(data[3]["pixel_values"], alone)
    assert not torch.equal(dataset(seed=1)[3]["pixel_values"], alone)


def test_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    dataset()[0]
    assert torch.equal(torch.get_rng_state(), state)


def test_workers_that_stay_alive_see_the_epoch_change() -> None:
    data = dataset()
    options = {"num_workers": 2, "persistent_workers": True, "multiprocessing_context": "fork"}
    loader = DataLoader(data, 2, collate_fn=ImageClassification().collate, **options)
    for epoch in (0, 1, 0):
        data.set_epoch(epoch)
        found = torch.cat([batch["pixel_values"] for batch in loader])
        assert torch.equal(found, read(data))


def test_too_large_an_image_is_refused() -> None:
    data = VisionDataset(image_rows(1), eval_transform(processor()), decoder=Decoder(100))
    with pytest.raises(DataError, match="pixels"):
        data[0]


class TestBalancedSampler:
    labels = [0] * 90 + [1] * 10

    def test_classes_come_equally_often(self) -> None:
        drawn = [self.labels[i] for i in BalancedSampler(self.labels, seed=0)]
        assert len(drawn) == 100
        assert 35 <= sum(drawn) <= 65

    def test_it_repeats_itself_by_seed_and_epoch(self) -> None:
        one, other = BalancedSampler(self.labels, seed=3), BalancedSampler(self.labels, seed=3)
        assert list(one) == list(other)
        other.set_epoch(1)
        assert list(one) != list(other)
        assert list(one) != list(BalancedSampler(self.labels, seed=4))

    def test_a_class_without_images_does_no_harm(self) -> None:
        assert set(BalancedSampler([0, 2, 2, 2])) <= {0, 1, 2, 3}
