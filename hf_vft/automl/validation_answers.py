"""What networks answer on the validation split, image by image, so that they can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.special import expit, log_expit, log_softmax
from torch import nn

from hf_vft.automl.prepare import Prepared
from hf_vft.data.groups import groups_of
from hf_vft.data.transforms.disturbances import DISTURBANCES
from hf_vft.data.transforms.images import input_size
from hf_vft.training.finetune import FineTuning
from hf_vft.training.predict import predict_split
from hf_vft.utils.grouping import number_groups


@dataclass(frozen=True)
class HeldOut:
    """Images of the validation split.

    Attributes:
        table: Their rows.
        rows: Places in the split ``[N]``.
        marks: Whether each holds each class ``[N, C]``.
        groups: Number of each image's group ``[N]``.
        exclusive: Whether each is of one class.
    """

    table: Any
    rows: np.ndarray
    marks: np.ndarray
    groups: np.ndarray
    exclusive: bool

    @classmethod
    def of(cls, tuning: FineTuning, limit: int) -> HeldOut:
        """Take at most ``limit`` validation images."""
        table = tuning.data.splits["validation"]
        rows = np.arange(len(table))
        if len(table) > limit:
            rows = np.sort(np.random.default_rng(tuning.recipe.seed).permutation(rows)[:limit])
            table = table.select(rows)
        known = groups_of(table)
        groups = np.arange(len(rows)) if known is None else number_groups(known)
        marks = tuning.data.members("validation")[rows] > 0
        return cls(table, rows, marks, groups, tuning.data.kind.exclusive)

    @property
    def weights(self) -> np.ndarray:
        """Weights of the images ``[N]`` that make every class count the same."""
        if not self.exclusive:
            return np.ones(len(self.rows))
        weights: np.ndarray = 1.0 / self.marks.sum(0)[self.marks.argmax(1)]
        return weights

    @property
    def fewest(self) -> int:
        """Images of the class that has the fewest, of those that are there at all."""
        counts = self.marks.sum(0)
        return int(counts[counts > 0].min(initial=len(self.rows)))

    def answers(self, prepared: Prepared, model: nn.Module, *, disturbed: bool) -> np.ndarray:
        """Logits ``[N, C]``, each image as it is or disturbed; all processes work on it."""
        tuning, recipe = prepared.tuning, prepared.recipe
        side = max(input_size(prepared.loaded.processor))
        data = tuning.context.task.dataset(
            self.table,
            tuning.plain,
            seed=recipe.seed,
            decoder=tuning.data.decoder,
            disturb=RandomDisturbance(side) if disturbed else None,
        )
        return np.asarray(predict_split(model, data, tuning.context.task, recipe))

    def scale(self, logits: np.ndarray) -> float:
        """The factor (one over the temperature) that calibrates these logits best."""
        scales = np.geomspace(0.1, 10.0, 41)
        return float(min(scales, key=lambda scale: float(self._losses(logits * scale).mean())))

    def losses(self, logits: np.ndarray, scale: float | None = None) -> np.ndarray:
        """Log loss of each image in nats ``[N]``, at the temperature that fits it best."""
        return self._losses(logits * (self.scale(logits) if scale is None else scale))

    def _losses(self, logits: np.ndarray) -> np.ndarray:
        if self.exclusive:
            losses: np.ndarray = -log_softmax(logits, axis=1)[self.marks]
            return losses
        several: np.ndarray = -np.where(self.marks, log_expit(logits), log_expit(-logits)).mean(1)
        return several

    def right(self, logits: np.ndarray) -> np.ndarray:
        """Correctness of each answer ``[N]``: 0 or 1, or the share of the classes that is right."""
        if self.exclusive:
            right: np.ndarray = logits.argmax(1) == self.marks.argmax(1)
            return right
        share: np.ndarray = ((expit(logits) > 0.5) == self.marks).mean(1)
        return share


class RandomDisturbance:
    """Applies one mild or clear disturbance per image, drawn from torch's generator.

    Args:
        side: Of the model's input in pixels.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self.kinds = list(DISTURBANCES.values())

    def __call__(self, image: Image.Image) -> Image.Image:
        """Disturb an image."""
        kind = self.kinds[int(torch.randint(len(self.kinds), (1,)))]
        return kind.applied(image, int(torch.randint(2, (1,))), self.side)
