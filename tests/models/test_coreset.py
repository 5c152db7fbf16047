"""A coreset covers what a random choice of its size misses."""

from __future__ import annotations

import torch

from hf_vft.models.coreset import coreset


def radius(points: torch.Tensor, rows: torch.Tensor) -> float:
    return float(torch.cdist(points, points[rows]).min(1).values.max())


def test_rare_patches_are_remembered():
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(2_000, 100, generator=generator)
    rare = torch.randn(5, 100, generator=generator) + 30.0 * torch.eye(5, 100)
    points = torch.cat([common, rare])

    rows = coreset(points, 40, seed=0)

    assert len(set(rows.tolist())) == 40
    assert set(range(2_000, 2_005)) <= set(rows.tolist())
    drawn = torch.randperm(len(points), generator=generator)[:40]
    assert radius(points, rows) < radius(points, drawn)


def test_the_same_seed_gives_the_same_rows():
    points = torch.randn(300, 80, generator=torch.Generator().manual_seed(1))
    assert torch.equal(coreset(points, 20, seed=3), coreset(points, 20, seed=3))


def test_all_rows_where_there_are_no_more_and_no_row_twice():
    points = torch.zeros(6, 4)
    assert coreset(points, 9, seed=0).tolist() == list(range(6))
    assert len(set(coreset(points, 4, seed=0).tolist())) == 4
