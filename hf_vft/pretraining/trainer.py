"""A ``VisionTrainer`` whose images are made while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset
from transformers import EvalPrediction
from transformers.trainer_utils import EvalLoopOutput

from hf_vft.pretraining.formula_learner import coverage_loss
from hf_vft.pretraining.recipe import PretrainingConfig
from hf_vft.pretraining.render import NO_TEXTURE, ImageRenderer
from hf_vft.pretraining.teacher import Teacher, imitation_loss
from hf_vft.pretraining.transfer import TRANSFER_SETS, TransferSet, probe_score
from hf_vft.training.trainer import VisionTrainer

HELD_OUT = 2**40
"""Batches from this number on are never trained on."""


class Numbers(Dataset[int]):
    """The images before they are made: their numbers.

    Args:
        count: Of images.
        first: The first one's number.
    """

    def __init__(self, count: int, first: int = 0) -> None:
        self.count = count
        self.first = first

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        return self.first + index


class ImageCollator:
    """Makes the images of a batch, in the process and on the device that train.

    Args:
        renderer: On the device that trains.
        config: Says which side images have at which point of the training.
    """

    def __init__(self, renderer: ImageRenderer, config: PretrainingConfig) -> None:
        self.renderer = renderer
        self.config = config

    def __call__(self, numbers: Sequence[int]) -> dict[str, torch.Tensor]:
        """``pixel_values`` ``[B, 3, S, S]``, ``labels`` ``[B, 2]`` and ``mask`` ``[B, S, S]``."""
        first = int(numbers[0])
        # Held-out images are those of the last phase throughout, so that scores compare.
        share = 1.0 if first >= HELD_OUT else first / self.config.images
        phase = self.config.phase_at(share)
        made = self.renderer.batch(first, len(numbers), phase.size, phase.smallest)
        return {"pixel_values": made.images, "labels": made.labels, "mask": made.mask}


class PretrainTrainer(VisionTrainer):
    """Learns shape and texture at once, and where the shape lies.

    Args:
        config: Of the training; says what texture and place weigh.
        shapes: How many logits belong to shapes, those without any included.
        teacher: Whose features are learned too.
        **kwargs: As for ``VisionTrainer``.
    """

    def __init__(
        self,
        *,
        config: PretrainingConfig,
        shapes: int,
        teacher: Teacher | None = None,
        **kwargs: Any,
    ) -> None:
        self.config = config
        self.shapes = shapes
        self.teacher = teacher
        self._transfer: list[TransferSet] = []
        super().__init__(**kwargs, compute_metrics=self._scores)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Cross-entropy of shape, texture and place, and the distance to a teacher's features."""
        answers = model(pixel_values=inputs["pixel_values"])
        logits = answers["logits"].float()
        shape, texture = inputs["labels"].unbind(1)
        smoothing = self.config.label_smoothing if model.training else 0.0
        loss = F.cross_entropy(logits[:, : self.shapes], shape, label_smoothing=smoothing)
        textures = F.cross_entropy(
            logits[:, self.shapes :],
            texture,
            ignore_index=NO_TEXTURE,
            label_smoothing=smoothing,
            reduction="sum",
        )
        known = (texture != NO_TEXTURE).sum().clamp_min(1)
        loss = loss + self.config.texture_weight * textures / known
        place = coverage_loss(answers["coverage"].float(), inputs["mask"])
        loss = loss + self.config.place_weight * place
        if self.teacher is not None and model.training:
            with self.accelerator.autocast():
                shown = self.teacher(inputs["pixel_values"])
            loss = loss + self.config.teacher_weight * imitation_loss(answers["imitation"], shown)
        return (loss, {"logits": logits}) if return_outputs else loss

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> EvalLoopOutput:
        """Like the Trainer's, plus a linear probe's score on each of ``config.transfer``."""
        output: EvalLoopOutput = super().evaluation_loop(*args, **kwargs)
        if self.is_world_process_zero() and output.metrics is not None:
            output.metrics.update(self._transfer_scores(kwargs.get("metric_key_prefix", "eval")))
        return output

    def _transfer_scores(self, prefix: str) -> dict[str, float]:
        if not self._transfer:
            size = self.config.phase_at(1.0).size
            self._transfer = [TRANSFER_SETS[name](size) for name in self.config.transfer]
        classifier: Any = self.accelerator.unwrap_model(self.model)
        dtype = torch.bfloat16 if self.args.bf16 else None
        return {
            f"{prefix}_{data.name}": probe_score(classifier.classifier, data, dtype)
            for data in self._transfer
        }

    def _scores(self, prediction: EvalPrediction) -> dict[str, float]:
        logits, labels = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
        known = labels[:, 1] != NO_TEXTURE
        shape = logits[:, : self.shapes].argmax(1) == labels[:, 0]
        texture = logits[:, self.shapes :].argmax(1) == labels[:, 1]
        return {"shape": float(shape.mean()), "texture": float(texture[known].mean())}
