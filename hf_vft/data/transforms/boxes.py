"""From a decoded image with boxes to what a detector sees, boxes and image changed as one.

Boxes travel as shares of the image's sides (centre, width, height), which do not change when
the processor squeezes the image into a square.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from hf_vft.data.transforms.images import HEADROOM, changes, eval_transform, input_size
from hf_vft.recipe.schema import AugmentConfig

PAD_CLASS = -100.0
"""Class of the rows that fill up a batch; the Trainer pads with the same number."""

VISIBLE = 0.3
"""A box of which less is left after a random change is left out: nobody could mark it."""


@dataclass(frozen=True)
class BoxedImage:
    """An image with boxes.

    Attributes:
        image: RGB.
        boxes: ``[M, 4]`` x, y, width, height in pixels.
        classes: Ids ``[M]``.
    """

    image: Image.Image
    boxes: torch.Tensor
    classes: torch.Tensor

    @classmethod
    def of(cls, image: Image.Image, label: dict[str, Any]) -> BoxedImage:
        """From a row of the column ``label``."""
        boxes = torch.tensor(label["bbox"], dtype=torch.float32).reshape(-1, 4)
        return cls(image, boxes, torch.tensor(label["category"], dtype=torch.int64))


class BoxTransform:
    """From an image alone to ``pixel_values``, or from an image with boxes to both.

    Args:
        process: From an RGB image to ``[C, H, W]``.
        change: Random changes to an image with boxes before it, or None.
    """

    def __init__(
        self,
        process: Callable[[Image.Image], torch.Tensor],
        change: Callable[[BoxedImage], BoxedImage] | None = None,
    ) -> None:
        self.process = process
        self.change = change

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """``[C, H, W]``."""
        return self.process(image)

    def with_boxes(self, image: Image.Image, label: dict[str, Any]) -> dict[str, torch.Tensor]:
        """``pixel_values [C, H, W]``, and ``labels [M, 5]``: class, centre, width and height."""
        marked = BoxedImage.of(image, label)
        if self.change is not None:
            marked = self.change(marked)
        return {"pixel_values": self.process(marked.image), "labels": relative_rows(marked)}


def eval_box_transform(processor: Any) -> BoxTransform:
    """The processor alone."""
    return BoxTransform(eval_transform(processor))


def train_box_transform(processor: Any, augment: AugmentConfig) -> BoxTransform:
    """Random changes, then the processor.

    Args:
        processor: The checkpoint's image processor.
        augment: Resolved. What moves pixels without telling where to (TrivialAugment) and what
            hides them (erasing) is left out.
    """
    plain = augment.model_copy(update={"trivial_augment": False})
    return BoxTransform(
        eval_transform(processor),
        RandomChange(v2.Compose(changes(plain)), HEADROOM * max(input_size(processor))),
    )


class RandomChange:
    """Changes an image and its boxes alike, and leaves out what is hardly in it any more.

    Args:
        change: Of torchvision, for images and bounding boxes.
        side: Images whose short side is longer are first reduced to it.
    """

    def __init__(self, change: v2.Transform, side: int) -> None:
        self.change = change
        self.side = side

    def __call__(self, marked: BoxedImage) -> BoxedImage:
        """Draws from torch's global generator only."""
        image, boxes = marked.image, marked.boxes
        if min(image.size) > self.side:
            scale = self.side / min(image.size)
            image = v2.functional.resize(image, [self.side], antialias=True)
            boxes = boxes * scale
        # Not clamped on the way, so that it can be told how much of each is left at the end.
        found = tv_tensors.BoundingBoxes(
            boxes, format="XYWH", canvas_size=image.size[::-1], clamping_mode=None
        )
        image, found = self.change(image, found)
        return visible_part(BoxedImage(image, found.as_subclass(torch.Tensor), marked.classes))


def visible_part(marked: BoxedImage) -> BoxedImage:
    """The boxes cut off at the edges of the image, without those that are hardly in it."""
    width, height = marked.image.size
    x, y, w, h = marked.boxes.unbind(1)
    left, top = x.clamp(0, width), y.clamp(0, height)
    right, bottom = (x + w).clamp(0, width), (y + h).clamp(0, height)
    inside = torch.stack([left, top, right - left, bottom - top], dim=1)
    area, whole = inside[:, 2] * inside[:, 3], w * h
    kept = (area >= VISIBLE * whole) & (inside[:, 2:] > 1.0).all(1)
    return BoxedImage(marked.image, inside[kept], marked.classes[kept])


def relative_rows(marked: BoxedImage) -> torch.Tensor:
    """``[M, 5]``: class, then centre, width and height in shares of the sides."""
    width, height = marked.image.size
    x, y, w, h = (marked.boxes / torch.tensor([width, height, width, height])).unbind(1)
    return torch.stack([marked.classes.float(), x + w / 2, y + h / 2, w, h], dim=1)


def padded(rows: list[torch.Tensor]) -> torch.Tensor:
    """``[B, most, 5]``; rows of the class -100 fill up, at least one, so that none is empty."""
    most = max(1, *(len(row) for row in rows))
    batch = torch.full((len(rows), most, 5), PAD_CLASS)
    for found, row in zip(batch, rows, strict=True):
        found[: len(row)] = row
    return batch
