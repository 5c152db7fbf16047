"""Images of a group are scored together, by what the others remember."""

from __future__ import annotations

import torch

from hf_vft.recipe.schema import AnomalyConfig
from hf_vft.training.fit_memory_bank import _covering, _parts, _size


def test_every_image_is_in_one_part_and_a_group_is_never_divided():
    groups = ["a", "a", "b", "b", "c", "c", None, None, "d", "d"]
    parts = _parts(10, groups, AnomalyConfig(folds=3), seed=0)

    assert sorted(row for part in parts for row in part) == list(range(10))
    assert len(parts) == 3
    for first in (0, 2, 4, 8):
        assert any({first, first + 1} <= set(part) for part in parts)


def test_many_images_make_more_parts_and_one_group_is_divided_by_image():
    assert len(_parts(1_500, None, AnomalyConfig(), seed=0)) == 8
    assert len(_parts(10, ["only"] * 10, AnomalyConfig(), seed=0)) == 5


def test_the_memory_is_bounded():
    assert _size(500, 0.1, 200) == 50
    assert _size(500, 0.5, 40) == 40
    assert _size(500, 0.001, 40) == 1


def test_the_first_patches_of_a_coreset_are_a_coreset():
    patches = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
    whole = _covering(patches, 40, seed=0)
    assert torch.equal(whole[:10], _covering(patches, 10, seed=0))
    reach = [float(torch.cdist(patches, whole[:size]).amin(1).max()) for size in (10, 40)]
    drawn = float(torch.cdist(patches, patches[:40]).amin(1).max())
    assert reach[0] > reach[1]
    assert drawn > reach[1]
