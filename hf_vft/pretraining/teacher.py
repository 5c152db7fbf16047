"""A trained network whose features another learns to give (Romero et al. 2015, FitNets)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModel

from hf_vft.errors import RecipeError
from hf_vft.models.backbones import choose_checkpoint, fetched
from hf_vft.models.foreign_weights import read_weights
from hf_vft.models.load import one_line, quiet
from hf_vft.pretraining.response_norm import quicken_norms

STAGES = 2
"""So many of the last stages are imitated: one of finer places, one of more meaning."""


class FeatureMap(NamedTuple):
    """Side in pixels of the square that a place of a stage stands for, and its channels."""

    stride: int
    channels: int


class Teacher(nn.Module):
    """The last stages of a convolutional backbone, frozen.

    Args:
        name: An embedded backbone, a folder or a Hub id.
        sides: That images will have, in pixels.

    Raises:
        ModelError: If it cannot be had or read.
        RecipeError: If its features have no places, as those of a transformer on patches, or the
            images do not divide into the squares that these stand for.
    """

    def __init__(self, name: str, sides: Sequence[int]) -> None:
        super().__init__()
        checkpoint = choose_checkpoint([name])
        with one_line(checkpoint), quiet():
            checkpoint = fetched(checkpoint)
            self.backbone = read_weights(AutoModel, checkpoint.path, dtype=torch.float32)
        quicken_norms(self.backbone)
        self.requires_grad_(False)
        self.eval()
        side = max(sides)
        maps = self(torch.zeros(1, 3, side, side))
        if any(feature_map.ndim != 4 for feature_map in maps):
            raise RecipeError(f"training.teacher: {name} is not convolutional; name one that is.")
        self.maps = [
            FeatureMap(side // feature_map.shape[1], feature_map.shape[3]) for feature_map in maps
        ]
        square = max(feature_map.stride for feature_map in self.maps)
        if any(side_of_image % square for side_of_image in sides):
            raise RecipeError(
                f"training.sizes: {name} sees squares of {square} pixels; take multiples of that."
            )

    def train(self, mode: bool = True) -> Teacher:
        """A teacher is not trained."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixel_values: torch.Tensor) -> list[torch.Tensor]:
        """``[B, h, w, C]`` of each stage, normed over the channels of each place."""
        stages = self.backbone(pixel_values=pixel_values, output_hidden_states=True).hidden_states
        features = [last_channels(stage.float()) for stage in stages[-STAGES:]]
        return [F.layer_norm(places, places.shape[-1:]) for places in features]


class Imitation(nn.Module):
    """Gives a teacher's features, by a linear layer each, from those of a learner.

    Args:
        maps: What is imitated.
        channels: Of the learner.
    """

    def __init__(self, maps: Sequence[FeatureMap], channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(channels, target.channels) for target in maps)
        self.strides = [target.stride for target in maps]

    def forward(self, places: torch.Tensor, side: int) -> list[torch.Tensor]:
        """Map ``[B, h, w, C]`` of images of this side; the places of a square are averaged."""
        channels_first = places.permute(0, 3, 1, 2)
        return [
            layer(F.adaptive_avg_pool2d(channels_first, side // stride).permute(0, 2, 3, 1))
            for layer, stride in zip(self.layers, self.strides, strict=True)
        ]


def imitation_loss(predicted: list[torch.Tensor], shown: list[torch.Tensor]) -> torch.Tensor:
    """Mean squared error of each stage, added; 1 a stage for features that say nothing."""
    pairs = zip(predicted, shown, strict=True)
    return torch.stack([F.mse_loss(ours.float(), theirs) for ours, theirs in pairs]).sum()


def last_channels(features: torch.Tensor) -> torch.Tensor:
    """``[B, h, w, C]`` from ``[B, C, h, w]``; others stay."""
    return features.permute(0, 2, 3, 1) if features.ndim == 4 else features
