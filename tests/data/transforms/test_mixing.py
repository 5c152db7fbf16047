"""Mixup and cutmix: targets say what is in the image."""

from __future__ import annotations

import pytest
import torch

from hf_vft.data.transforms.mixing import BatchMixer


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Four images, each filled with its label."""
    labels = torch.tensor([0, 1, 2, 3])
    return labels.float()[:, None, None, None].expand(4, 3, 32, 32).clone(), labels


@pytest.mark.parametrize("way", ["mixup", "cutmix"])
def test_soft_targets_say_what_is_in_the_image(way: str) -> None:
    alphas = {"mixup_alpha": 0.0, "cutmix_alpha": 0.0, f"{way}_alpha": 1.0}
    torch.manual_seed(0)
    mixer = BatchMixer(4, **alphas)
    mixed_any = False
    for _ in range(5):
        images, targets = mixer(*batch())
        assert targets.shape == (4, 4)
        torch.testing.assert_close(targets.sum(1), torch.ones(4))
        expected = targets @ torch.arange(4.0)
        torch.testing.assert_close(images.mean((1, 2, 3)), expected, atol=1e-4, rtol=1e-4)
        mixed_any |= bool((targets.max(1).values < 0.99).any())
        if way == "cutmix":  # pixels are those of one image or the other
            assert set(images.unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}
    assert mixed_any


@pytest.mark.parametrize("way", ["mixup", "cutmix"])
def test_several_labels_are_there_as_much_as_their_images(way: str) -> None:
    alphas = {"mixup_alpha": 0.0, "cutmix_alpha": 0.0, f"{way}_alpha": 1.0}
    labels = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    images = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 32, 32).clone()
    torch.manual_seed(0)
    mixed, targets = BatchMixer(3, **alphas)(images, labels)
    share = mixed.mean((1, 2, 3))
    assert ((share > 0.02) & (share < 0.98)).all()
    expected = torch.stack([torch.ones(2), 1 - share, share], dim=1)
    torch.testing.assert_close(targets, expected, atol=1e-4, rtol=1e-4)


def test_with_both_on_both_are_used() -> None:
    torch.manual_seed(0)
    mixer = BatchMixer(4, mixup_alpha=1.0, cutmix_alpha=1.0)
    whole = [bool((mixer(*batch())[0] % 1 == 0).all()) for _ in range(20)]
    assert set(whole) == {True, False}


def test_the_generator_decides() -> None:
    mixer = BatchMixer(4, mixup_alpha=0.4, cutmix_alpha=1.0)
    torch.manual_seed(5)
    first = mixer(*batch())
    torch.manual_seed(5)
    assert all(map(torch.equal, first, mixer(*batch())))


def test_off_or_alone_nothing_is_mixed() -> None:
    images, labels = batch()
    off = BatchMixer(4, mixup_alpha=0.0, cutmix_alpha=0.0)
    assert not off
    assert off(images, labels)[1] is labels
    on = BatchMixer(4, mixup_alpha=1.0, cutmix_alpha=0.0)
    assert on(images[:1], labels[:1])[1].equal(labels[:1])
