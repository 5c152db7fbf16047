"""What happens to images outside the laboratory: noise, blur, other light, hard compression.

The kinds and most strengths are those of ImageNet-C (Hendrycks and Dietterich 2019, severities 1,
3 and 5). They are made for images of 224 pixels, so blur is scaled with the image, and an
image that is larger than the model's input is first reduced to it: otherwise a level would mean
something else with each camera. Positions stay, and with them boxes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from torch.nn import functional
from torchvision.transforms import v2

SEVERITIES = ("mild", "clear", "strong")
_SIDE = 224
"""Of the images that the strengths are made for."""

Pixels = torch.Tensor
"""Of one image: ``[3, H, W]`` in [0, 1]."""


def gaussian_noise(pixels: Pixels, deviation: float) -> Pixels:
    """Noise of a sensor; drawn from torch's global generator."""
    return pixels + deviation * torch.randn_like(pixels)


def gaussian_blur(pixels: Pixels, sigma: float) -> Pixels:
    """A lens out of focus; ``sigma`` in pixels of an image with a side of 224."""
    sigma = sigma * _short(pixels) / _SIDE
    # Three standard deviations to each side hold all but 0.3 % of the weight.
    kernel = 2 * max(1, min(round(3 * sigma), (_short(pixels) - 1) // 2)) + 1
    blurred: Pixels = v2.functional.gaussian_blur(pixels, [kernel, kernel], [sigma, sigma])
    return blurred


def motion_blur(pixels: Pixels, length: float) -> Pixels:
    """Movement from side to side; ``length`` in pixels of an image with a side of 224."""
    reach = max(1, min(round(length * _short(pixels) / _SIDE / 2), pixels.shape[-1] - 1))
    padded = functional.pad(pixels, (reach, reach), mode="reflect")
    return functional.avg_pool2d(padded, (1, 2 * reach + 1), stride=1)


def darkness(pixels: Pixels, share: float) -> Pixels:
    """Less light: ``share`` of it is left."""
    return pixels * share


def brightness(pixels: Pixels, more: float) -> Pixels:
    """More light, until the brightest parts are white."""
    return pixels + more


def contrast(pixels: Pixels, share: float) -> Pixels:
    """Fog, dust, a veil: ``share`` of the distance from the mean colour is left."""
    mean = pixels.mean(dim=(-2, -1), keepdim=True)
    return mean + share * (pixels - mean)


def pixelate(pixels: Pixels, share: float) -> Pixels:
    """A coarser camera: ``share`` of the pixels of a side."""
    height, width = pixels.shape[-2:]
    small = functional.interpolate(
        pixels[None], (max(1, round(height * share)), max(1, round(width * share))), mode="area"
    )
    return functional.interpolate(small, (height, width), mode="nearest")[0]


def jpeg(pixels: Pixels, quality: float) -> Pixels:
    """Compression at a JPEG quality of 1 to 100."""
    levels = (255 * pixels).round().to(torch.uint8)
    compressed: Pixels = v2.functional.jpeg(levels, int(quality)).to(torch.float32) / 255
    return compressed


def _short(pixels: Pixels) -> int:
    return min(pixels.shape[-2:])


@dataclass(frozen=True)
class Disturbance:
    """A kind of disturbance and how strong it is at each of `SEVERITIES`."""

    change: Callable[[Pixels, float], Pixels]
    levels: tuple[float, float, float]

    def applied(self, image: Image.Image, severity: int, side: int) -> Image.Image:
        """The image as it would look.

        Args:
            image: RGB.
            severity: Place in `SEVERITIES`.
            side: Of the model's input; an image with a longer short side is reduced to it.
        """
        if min(image.size) > side:
            image = v2.functional.resize(image, [side], antialias=True)
        pixels = v2.functional.to_dtype(v2.functional.pil_to_tensor(image), scale=True)
        changed = self.change(pixels, self.levels[severity]).clamp(0.0, 1.0)
        disturbed: Image.Image = v2.functional.to_pil_image(changed)
        return disturbed


DISTURBANCES: dict[str, Disturbance] = {
    "noise": Disturbance(gaussian_noise, (0.08, 0.18, 0.38)),
    "blur": Disturbance(gaussian_blur, (1.0, 3.0, 6.0)),
    "motion": Disturbance(motion_blur, (10.0, 15.0, 20.0)),
    "darker": Disturbance(darkness, (0.7, 0.45, 0.2)),
    "brighter": Disturbance(brightness, (0.1, 0.3, 0.5)),
    "contrast": Disturbance(contrast, (0.4, 0.2, 0.05)),
    "pixelate": Disturbance(pixelate, (0.6, 0.4, 0.25)),
    "jpeg": Disturbance(jpeg, (25, 15, 7)),
}
"""By the name that results carry. ``motion`` is a box of the published lengths, ``darker`` ours."""
