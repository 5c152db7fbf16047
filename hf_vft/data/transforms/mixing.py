"""Mixup and cutmix on a batch, with soft targets."""

from __future__ import annotations

import torch
from torchvision.transforms import v2


class BatchMixer:
    """Mixes the images of a batch with one another.

    Mixup (Zhang et al. 2018) blends two images, cutmix (Yun et al. 2019) pastes a rectangle
    of one into the other; with both on, a coin decides for each batch. Randomness comes from
    torch's global generator, which checkpoints restore.

    Args:
        num_classes: Length of the soft targets.
        mixup_alpha: Parameter of the Beta distribution; 0 is off.
        cutmix_alpha: The same for cutmix.
    """

    def __init__(self, num_classes: int, *, mixup_alpha: float, cutmix_alpha: float) -> None:
        ways: list[v2.Transform] = []
        if mixup_alpha > 0:
            ways.append(v2.MixUp(alpha=mixup_alpha, num_classes=num_classes))
        if cutmix_alpha > 0:
            ways.append(v2.CutMix(alpha=cutmix_alpha, num_classes=num_classes))
        self._mix = v2.RandomChoice(ways) if ways else None

    def __bool__(self) -> bool:
        return self._mix is not None

    def __call__(
        self, pixel_values: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mix ``[B, C, H, W]`` and class ids ``[B]`` into the same images and ``[B, C]``.

        Several labels an image are ``[B, C]`` of 0 and 1: a label that only one of two mixed
        images has is there as much as that image is.

        A batch of one has nothing to mix with and comes back as it is.
        """
        if self._mix is None or len(labels) < 2:
            return pixel_values, labels
        mixed: tuple[torch.Tensor, torch.Tensor] = self._mix(pixel_values, labels)
        return mixed
