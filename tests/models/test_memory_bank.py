"""Distances and scores are those of the paper."""

from __future__ import annotations

import pytest
import torch

from hf_vft.models.memory_bank import MemoryBank


def test_distances_are_exact_and_what_is_remembered_has_none():
    generator = torch.Generator().manual_seed(0)
    bank = torch.randn(500, 24, generator=generator)
    patches = torch.cat([bank[:10][None], torch.randn(1, 10, 24, generator=generator)])

    distances, scores = MemoryBank(bank)(patches)

    assert torch.equal(distances[0], torch.zeros(10))
    assert scores[0] == 0.0
    assert torch.allclose(distances[1], torch.cdist(patches[1], bank).min(1).values, atol=1e-4)


def test_the_score_is_weighted_by_how_rare_the_nearest_patch_is():
    bank = torch.tensor([[0.0, 0.0], [0.0, 0.1], [0.1, 0.0], [9.0, 9.0]])
    patch = torch.tensor([[[0.0, -1.0], [0.0, 0.0]]])

    _, score = MemoryBank(bank, neighbours=3)(patch)

    near = torch.tensor([1.0, 1.1, (0.01 + 1.0) ** 0.5])  # from the patch to its neighbours
    weight = 1.0 - near.softmax(0)[0]
    assert score.item() == pytest.approx(float(weight))
    assert MemoryBank(bank, neighbours=1)(patch)[1].item() == pytest.approx(1.0)
