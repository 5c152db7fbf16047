"""From a decoded image to what the model sees.

Validation and serving run the checkpoint's own processor and nothing else. Training changes
the image first (torchvision v2) and then runs the same processor, so resizing, mean and
standard deviation cannot differ between the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from hf_vft.recipe.schema import AugmentConfig

ImageTransform = Callable[[Image.Image], torch.Tensor]

# Random changes cost time in proportion to the pixels: an image much larger than the input
# is first reduced to this many times the input's side, which the processor cannot tell apart.
HEADROOM = 2

STRENGTHS: dict[str, dict[str, float | bool]] = {
    "none": {
        "horizontal_flip": 0.0,
        "vertical_flip": 0.0,
        "rotation": 0.0,
        "crop_scale": 1.0,
        "color_jitter": 0.0,
        "blur": 0.0,
        "trivial_augment": False,
        "erasing": 0.0,
        "mixup_alpha": 0.0,
        "cutmix_alpha": 0.0,
    },
    "light": {
        "horizontal_flip": 0.5,
        "vertical_flip": 0.0,
        "rotation": 5.0,
        "crop_scale": 1.0,
        "color_jitter": 0.2,
        "blur": 0.0,
        "trivial_augment": False,
        "erasing": 0.0,
        "mixup_alpha": 0.0,
        "cutmix_alpha": 0.0,
    },
    "medium": {
        "horizontal_flip": 0.5,
        "vertical_flip": 0.0,
        "rotation": 10.0,
        "crop_scale": 0.8,
        "color_jitter": 0.3,
        "blur": 0.1,
        "trivial_augment": False,
        "erasing": 0.0,
        "mixup_alpha": 0.1,
        "cutmix_alpha": 0.0,
    },
    "strong": {
        "horizontal_flip": 0.5,
        "vertical_flip": 0.0,
        "rotation": 15.0,
        "crop_scale": 0.35,
        "color_jitter": 0.4,
        "blur": 0.1,
        "trivial_augment": True,
        "erasing": 0.25,
        "mixup_alpha": 0.2,
        "cutmix_alpha": 1.0,
    },
}


def eval_transform(processor: Any) -> ImageTransform:
    """The processor as a function from an RGB image to ``[C, H, W]``."""

    def transform(image: Image.Image) -> torch.Tensor:
        pixels: torch.Tensor = processor(images=image, return_tensors="pt")["pixel_values"][0]
        return pixels

    return transform


def train_transform(processor: Any, augment: AugmentConfig) -> ImageTransform:
    """Random changes, then the processor.

    Args:
        processor: The checkpoint's image processor.
        augment: Resolved: no field is "auto" any more.

    Returns:
        A function from an RGB image to ``[C, H, W]``. It draws from torch's global
        generator only.
    """
    change = v2.Compose(changes(augment))
    process = eval_transform(processor)
    erase = v2.RandomErasing(p=number(augment.erasing), scale=(0.02, 0.15))
    side = HEADROOM * max(input_size(processor))

    def transform(image: Image.Image) -> torch.Tensor:
        if min(image.size) > side:
            image = v2.functional.resize(image, [side], antialias=True)
        erased: torch.Tensor = erase(process(change(image)))
        return erased

    return transform


def number(value: float | str) -> float:
    """A resolved number of the recipe."""
    return float(value)


def input_size(processor: Any) -> tuple[int, int]:
    """Height and width in pixels of what ``processor`` makes of a square image."""
    blank = Image.new("RGB", (64, 64))
    height, width = processor(images=blank, return_tensors="pt")["pixel_values"].shape[-2:]
    return int(height), int(width)


def changes(augment: AugmentConfig) -> list[v2.Transform]:
    """The random changes of a resolved recipe, for images and for boxes."""
    found: list[v2.Transform] = [v2.Identity()]
    if augment.horizontal_flip:
        found.append(v2.RandomHorizontalFlip(number(augment.horizontal_flip)))
    if augment.vertical_flip:
        found.append(v2.RandomVerticalFlip(number(augment.vertical_flip)))
    if augment.rotation:
        found.append(RandomTurn(number(augment.rotation)))
    if number(augment.crop_scale) < 1.0:
        found.append(RandomAreaCrop(number(augment.crop_scale)))
    if augment.trivial_augment:
        found.append(v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR))
    if augment.color_jitter:
        jitter = number(augment.color_jitter)
        found.append(v2.ColorJitter(jitter, jitter, jitter / 2, min(0.5, jitter / 10)))
    if augment.blur:
        blur = v2.GaussianBlur(5, sigma=(0.1, 1.5))
        found.append(v2.RandomApply([blur], p=number(augment.blur)))
    return found


class RandomTurn(v2.Transform):  # type: ignore[misc]
    """Turn by a random angle, with the image mirrored at its edges to fill the corners.

    Empty corners are a pattern that no real image has and that a backbone sees at once: on
    photographs of surfaces they cost a probe more than any other small change.

    Args:
        degrees: Largest angle, to either side.
    """

    def __init__(self, degrees: float) -> None:
        super().__init__()
        self.degrees = degrees

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the angle."""
        return {"angle": float(torch.empty(1).uniform_(-self.degrees, self.degrees))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Turn one input."""
        size = v2.functional.get_size(inpt)
        needed = max(size) / 2 * abs(math.sin(math.radians(params["angle"])))
        margin = min(math.ceil(needed) + 1, min(size) - 1)
        # Boxes know no mirror; where they end up is the same.
        mode = "constant" if isinstance(inpt, tv_tensors.BoundingBoxes) else "reflect"
        padded = self._call_kernel(v2.functional.pad, inpt, [margin], padding_mode=mode)
        turned = self._call_kernel(
            v2.functional.rotate,
            padded,
            params["angle"],
            interpolation=v2.InterpolationMode.BILINEAR,
            fill=127,
        )
        return self._call_kernel(v2.functional.center_crop, turned, list(size))


class RandomAreaCrop(v2.Transform):  # type: ignore[misc]
    """Cut out a random part that keeps at least ``scale`` of the area, without resizing.

    As in ``RandomResizedCrop`` (Szegedy et al. 2015), with the aspect ratio of the image
    varied by up to a quarter; the processor does the resizing.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the rectangle."""
        height, width = v2.functional.get_size(flat_inputs[0])
        area = float(torch.empty(1).uniform_(self.scale, 1.0))
        stretch = float(torch.empty(1).uniform_(-1.0, 1.0)) * min(0.22, -0.5 * math.log(area))
        crop_height = max(1, min(height, round(height * (area**0.5) * math.exp(stretch))))
        crop_width = max(1, min(width, round(width * (area**0.5) / math.exp(stretch))))
        top = int(torch.randint(0, height - crop_height + 1, (1,)))
        left = int(torch.randint(0, width - crop_width + 1, (1,)))
        return {"top": top, "left": left, "height": crop_height, "width": crop_width}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Crop one input."""
        return self._call_kernel(v2.functional.crop, inpt, **params)
