"""From a decoded image with boxes to what a detector sees, boxes and image changed as one.

Boxes travel as shares of the sides of what the model sees (centre, width, height). The same map
of the plane that says where the pixels of the input come from says where its boxes go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from hf_vft.data.decoding.reduced import ImageFile
from hf_vft.data.images import Decoder
from hf_vft.data.transforms.affine import Affine
from hf_vft.data.transforms.images import Levels, TrainTransform, eval_transform
from hf_vft.recipe.schema import AugmentConfig

if TYPE_CHECKING:
    from transformers import BaseImageProcessor

PAD_CLASS = -100.0
"""Class of the rows that fill up a batch; the Trainer pads with the same number."""

VISIBLE = 0.3
"""A box of which less is left after a random change is left out: nobody could mark it."""

LEAST = 0.5
"""Pixels of the input that a side of a box has at least; smaller ones are left out."""


@dataclass(frozen=True)
class Boxes:
    """The boxes of an image.

    Attributes:
        boxes: ``[M, 4]`` x, y, width, height in pixels.
        classes: Ids ``[M]``.
    """

    boxes: torch.Tensor
    classes: torch.Tensor

    @classmethod
    def of(cls, label: dict[str, Any]) -> Boxes:
        """The boxes in a row of the column ``label``."""
        boxes = torch.tensor(label["bbox"], dtype=torch.float32).reshape(-1, 4)
        return cls(boxes, torch.tensor(label["category"], dtype=torch.int64))


class BoxTransform:
    """Transform of an image alone to ``pixel_values``, or of an image with boxes to both.

    Args:
        process: From an RGB image to ``[C, H, W]``.
    """

    def __init__(self, process: Callable[[Image.Image], torch.Tensor]) -> None:
        self.process = process

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """``[C, H, W]``."""
        return self.process(image)

    def with_boxes(self, image: Image.Image, label: dict[str, Any]) -> dict[str, Any]:
        """``pixel_values [C, H, W]``, and ``labels [M, 5]``: class, centre, width and height."""
        rows = relative_rows(Boxes.of(label), image.size)
        return {"pixel_values": self.process(image), "labels": rows}


class TrainBoxTransform:
    """Random changes to images and boxes; what is hardly in the image any more is left out.

    Args:
        change: Of images.
    """

    def __init__(self, change: TrainTransform) -> None:
        self.change = change

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """``[C, H, W]``."""
        return self.change(image)

    def with_boxes(self, image: Image.Image, label: dict[str, Any]) -> dict[str, Any]:
        """Like `BoxTransform.with_boxes`, but random; draws from torch's global generator only."""
        rng = Random(int(torch.randint(0, 2**62, (1,))))  # noqa: S311 - no secret
        row = self._row(ImageFile.of(image, Decoder()), rng, label)
        if isinstance(row["pixel_values"], Levels):
            row["pixel_values"] = row["pixel_values"].finished()
        return row

    def read(
        self,
        source: bytes | str | Path | ImageFile,
        decoder: Decoder,
        rng: Random,
        label: dict[str, Any],
    ) -> dict[str, Any]:
        """The same of a file; ``pixel_values`` as `TrainTransform.read` gives them.

        Raises:
            DataError: As by the decoder.
        """
        return self._row(ImageFile.open(source, decoder), rng, label)

    def _row(self, file: ImageFile, rng: Random, label: dict[str, Any]) -> dict[str, Any]:
        pixels, plan = self.change.changed(file, rng)
        size, boxes = (plan.placed.width, plan.placed.height), Boxes.of(label)
        marked = Boxes(mapped(boxes.boxes, plan.upright.inverse()), boxes.classes)
        return {"pixel_values": pixels, "labels": relative_rows(visible_part(marked, size), size)}


def eval_box_transform(processor: BaseImageProcessor) -> BoxTransform:
    """The processor alone."""
    return BoxTransform(eval_transform(processor))


def train_box_transform(processor: BaseImageProcessor, augment: AugmentConfig) -> TrainBoxTransform:
    """Random changes, framed and normalised as the processor does it.

    Args:
        processor: The checkpoint's image processor.
        augment: Resolved. What moves pixels in ways that a box cannot follow (TrivialAugment) and
            what hides them (erasing) is left out.
    """
    plain = augment.model_copy(update={"trivial_augment": False, "erasing": 0.0})
    return TrainBoxTransform(TrainTransform(processor, plain, whole=True))


def mapped(boxes: torch.Tensor, to: Affine) -> torch.Tensor:
    """The upright boxes around what boxes ``[M, 4]`` (x, y, width, height) become."""
    x, y, w, h = boxes.unbind(1)
    corners = [(across, down) for across in (x, x + w) for down in (y, y + h)]
    xs = torch.stack([to.a * across + to.b * down + to.c for across, down in corners])
    ys = torch.stack([to.d * across + to.e * down + to.f for across, down in corners])
    left, top = xs.amin(0), ys.amin(0)
    return torch.stack([left, top, xs.amax(0) - left, ys.amax(0) - top], dim=1)


def visible_part(marked: Boxes, size: tuple[int, int]) -> Boxes:
    """The boxes cut off at the edges of an image, without those that are hardly in it."""
    width, height = size
    x, y, w, h = marked.boxes.unbind(1)
    left, top = x.clamp(0, width), y.clamp(0, height)
    right, bottom = (x + w).clamp(0, width), (y + h).clamp(0, height)
    inside = torch.stack([left, top, right - left, bottom - top], dim=1)
    area, whole = inside[:, 2] * inside[:, 3], w * h
    kept = (area >= VISIBLE * whole) & (inside[:, 2:] > LEAST).all(1)
    return Boxes(inside[kept], marked.classes[kept])


def relative_rows(marked: Boxes, size: tuple[int, int]) -> torch.Tensor:
    """``[M, 5]``: class, then centre, width and height in shares of the sides of an image."""
    width, height = size
    x, y, w, h = (marked.boxes / torch.tensor([width, height, width, height])).unbind(1)
    return torch.stack([marked.classes.float(), x + w / 2, y + h / 2, w, h], dim=1)


def padded(rows: list[torch.Tensor]) -> torch.Tensor:
    """``[B, most, 5]``; rows of the class -100 fill up, at least one, so that none is empty."""
    most = max(1, *(len(row) for row in rows))
    batch = torch.full((len(rows), most, 5), PAD_CLASS)
    for pixels, row in zip(batch, rows, strict=True):
        pixels[: len(row)] = row
    return batch
