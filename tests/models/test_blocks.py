"""Which parts of a network are its blocks, by structure alone."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from hf_vft.models.blocks import find_blocks, operations
from hf_vft.models.structure import anatomy


def convolutions(count: int) -> nn.Sequential:
    return nn.Sequential(*(nn.Conv2d(4, 4, 3) for _ in range(count)))


class WithSmallInside(nn.Module):
    """Like an HGNet block: its inner sequence is a small part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Sequential(convolutions(2), convolutions(2))
        self.aggregation = nn.Conv2d(32, 32, 3)


class NamedStages(nn.Module):
    """Like a RegNet of timm: stages and blocks are attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        for stage in ("s1", "s2"):
            self.add_module(stage, nn.Module())
            for block in ("b1", "b2"):
                self.get_submodule(stage).add_module(block, convolutions(3))
        self.head = nn.Linear(4, 2)


def test_blocks_inside_a_block_count_only_where_they_hold_nearly_all_of_it() -> None:
    small = nn.Sequential(nn.Sequential(WithSmallInside(), WithSmallInside()), nn.Linear(4, 2))
    assert find_blocks(small, ["1"]) == ["0.0", "0.1"]
    deep = nn.Sequential(nn.Sequential(*(nn.Sequential(*map(convolutions, (2, 2)))
                                         for _ in range(2))), nn.Linear(4, 2))  # fmt: skip
    assert find_blocks(deep, ["1"]) == ["0.0.0", "0.0.1", "0.1.0", "0.1.1"]


def test_stages_that_are_attributes_are_taken_apart() -> None:
    assert find_blocks(NamedStages(), ["head"]) == ["s1.b1", "s1.b2", "s2.b1", "s2.b2"]


def test_an_attribute_of_that_name_is_no_adapter() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base_layer, self.next = nn.Linear(2, 2), nn.Linear(2, 2)

    assert operations(Network()) == 2


@pytest.mark.parametrize(
    ("architecture", "first", "last"),
    [
        ("regnety_002", "s1", "s4.b7"),
        ("inception_v3", "Mixed_5b", "Mixed_7c"),
        ("dla34", "level2", "level5.tree2"),
        ("hgnetv2_b0", "stages.0.blocks.0", "stages.3.blocks.0"),
        ("efficientvit_b0", "stages.0.blocks.0", "stages.3.blocks.2"),
        ("vit_tiny_patch16_224", "blocks.0", "blocks.11"),
    ],
)
def test_real_architectures(architecture: str, first: str, last: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(architecture)
    head = next(name for name, m in model.named_modules() if m is model.get_classifier())
    blocks = find_blocks(model, [head])
    assert (blocks[0], blocks[-1]) == (first, last)


def test_a_network_without_blocks_is_one_stem_and_a_head() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    parts = anatomy(model)
    assert (parts.blocks, parts.head, parts.head_depth) == ((), ("2",), 1)
    assert parts.depth("0.weight") == 0


def test_a_named_backbone_inside_a_classifier_does_not_make_it_a_detector() -> None:
    class Hybrid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = nn.Sequential(convolutions(2), convolutions(2))
            self.blocks = nn.Sequential(convolutions(2), convolutions(2))
            self.head = nn.Linear(4, 2)

    assert anatomy(Hybrid()).head == ("head",)
