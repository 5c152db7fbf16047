"""Images unlike those a backbone is trained on, and what a linear probe makes of its features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from torch import nn

from hf_vft.data.demo.images import DemoConfig, generate
from hf_vft.models.features import head_inputs
from hf_vft.models.probe import fit_linear_probe

DEMO = 1500
"""Images of the generated inspection line; a third of them tests."""
BATCH = 64


@dataclass(frozen=True)
class TransferSet:
    """Images ``[N, S, S, 3]`` uint8 and class ids ``[N]``."""

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.train_y.max()) + 1

    def subset(self, per_class: int | None, seed: int) -> np.ndarray:
        """Positions of at most so many training images a class; None takes all."""
        rng = np.random.default_rng(seed)
        chosen = [
            rng.permutation(np.flatnonzero(self.train_y == label))[:per_class]
            for label in range(self.classes)
        ]
        return np.sort(np.concatenate(chosen))


def demo(size: int) -> TransferSet:
    """The generated inspection line; both images of a part are on one side."""
    images = [generate(index, DemoConfig(size=size)) for index in range(DEMO)]
    return _divided("demo", np.stack([p.image for p in images]), [p.label for p in images])


def digits(size: int) -> TransferSet:
    """Handwritten digits of 8 × 8 pixels, enlarged; the last third, by other writers, tests."""
    x, y = load_digits(return_X_y=True)
    images = np.stack([_enlarged(image.reshape(8, 8), size) for image in x])
    return _divided("digits", images, y)


TRANSFER_SETS: dict[str, Callable[[int], TransferSet]] = {"demo": demo, "digits": digits}


def normalised(images: np.ndarray) -> torch.Tensor:
    """``[B, 3, S, S]`` with values in [-1, 1] from ``[B, S, S, 3]`` uint8."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def features(model: nn.Module, images: np.ndarray, dtype: torch.dtype | None = None) -> np.ndarray:
    """Inputs of a classifier's head for images ``[N, S, S, 3]`` uint8: ``[N, D]``."""
    device = next(model.parameters()).device
    batches = (
        {"pixel_values": normalised(images[start : start + BATCH]).to(device)}
        for start in range(0, len(images), BATCH)
    )
    return head_inputs(model, batches, dtype=dtype).flatten(1).numpy()


def probe_score(model: nn.Module, data: TransferSet, dtype: torch.dtype | None = None) -> float:
    """Macro F1 on the test images of a linear probe that learned from the others.

    Args:
        model: A classifier; only what its head sees matters.
        data: Images.
        dtype: For autocast; None computes in full precision.
    """
    train, test = features(model, data.train_x, dtype), features(model, data.test_x, dtype)
    probe = fit_linear_probe(train, data.train_y, num_classes=data.classes)
    return float(f1_score(data.test_y, probe.logits(test).argmax(1), average="macro"))


def _divided(name: str, images: np.ndarray, labels: object) -> TransferSet:
    ids = np.unique(np.asarray(labels), return_inverse=True)[1]
    cut = len(ids) * 2 // 3 // 2 * 2
    return TransferSet(name, images[:cut], ids[:cut], images[cut:], ids[cut:])


def _enlarged(image: np.ndarray, size: int) -> np.ndarray:
    grey = Image.fromarray((image * (255 / 16)).round().astype(np.uint8))
    return np.asarray(grey.resize((size, size), Image.Resampling.BICUBIC).convert("RGB"))
