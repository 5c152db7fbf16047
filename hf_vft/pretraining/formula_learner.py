"""What is trained: a backbone with a head for the whole image and one for its places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel

from hf_vft.pretraining.teacher import FeatureMap, Imitation, last_channels

PIXELS = 4
"""Side of the squares whose coverage is learned: a patch of ConvNeXt's stem."""


class FormulaLearner(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Names shape and surface of an image, and says where in it the shape lies.

    An image's name is a few bits; where its shape lies is many, and every place gets a gradient
    of its own (as in segmentation by formulas, Shinoda et al. 2023).

    Args:
        classifier: Of transformers, its logits for shapes and surfaces.
        side: Of an image, in pixels, that the classifier takes.
        maps: Of a teacher whose features are given as well.
    """

    base_model_prefix = "classifier"
    # Attention is the classifier's affair, which has checked it already.
    _supports_sdpa = True

    def __init__(
        self, classifier: PreTrainedModel, side: int, maps: Sequence[FeatureMap] = ()
    ) -> None:
        super().__init__(classifier.config)
        self.classifier = classifier
        with torch.no_grad():
            places = self._places(torch.zeros(1, 3, side, side))[1]
        self.cells = max(1, side // places.shape[1] // PIXELS)
        channels = places.shape[-1]
        self.imitation = Imitation(maps, channels)
        self.coverage = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, self.cells**2))

    def forward(self, pixel_values: torch.Tensor) -> dict[str, Any]:
        """The predictions for a batch ``[B, 3, S, S]``.

        Returns:
            ``logits`` ``[B, classes]``; ``coverage`` ``[B, s, s]``: logits of the share of each
            square that the shape covers, squares of ``PIXELS`` pixels where the backbone's places
            divide into such; and ``imitation``, a list of ``[B, h, w, C]`` by the teacher's maps.
        """
        logits, places = self._places(pixel_values)
        inside = self.coverage(places).permute(0, 3, 1, 2)
        return {
            "logits": logits,
            "coverage": F.pixel_shuffle(inside, self.cells)[:, 0],
            "imitation": self.imitation(places, pixel_values.shape[-1]),
        }

    def _places(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits, and the last features by place ``[B, h, w, C]``."""
        output = self.classifier(pixel_values=pixel_values, output_hidden_states=True)
        last = output.hidden_states[-1]
        if last.ndim == 4:
            return output.logits, last_channels(last)
        side = pixel_values.shape[-1] // self.config.patch_size
        # Class token and registers, if any, come before the patches.
        return output.logits, last[:, -(side**2) :].unflatten(1, (side, side))


def coverage_loss(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the share of each square that the shape covers.

    Args:
        logits: ``[B, s, s]``.
        mask: How much of the shape covers each pixel, in [0, 1], ``[B, S, S]``.
    """
    share = F.adaptive_avg_pool2d(mask[:, None], logits.shape[-1])[:, 0]
    return F.binary_cross_entropy_with_logits(logits, share)
