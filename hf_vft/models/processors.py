"""How an image becomes the model's input: the checkpoint's processor, reframed.

The change is made in the processor itself, so that training, serving and plain transformers see
the same. Whether a processor can do what is asked is found by trying it on an image.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from transformers import BaseImageProcessor, PreTrainedConfig, ViTImageProcessor

from hf_vft.errors import ModelError

Fit = Literal["processor", "squash", "pad"]

TIMM_CROP_MODES = {"squash": "squash", "pad": "border"}


def check_inputs(name: str, processor: BaseImageProcessor) -> None:
    """Check that a processor returns what a trainer of images passes on.

    Args:
        name: Of the checkpoint, for the error.
        processor: The checkpoint's own.

    Raises:
        ModelError: If it gives no ``pixel_values``, or the model wants more than these.
    """
    inputs = set(processor(_noise(64, 64), return_tensors="pt"))
    if "pixel_values" not in inputs:
        raise ModelError(
            f"{name}: its processor makes {', '.join(sorted(inputs))} of an image, not "
            "pixel_values; choose another model, such as a vit, convnext or resnet."
        )
    if more := sorted(inputs - {"pixel_values", "pixel_mask"}):
        raise ModelError(
            f"{name}: it takes {', '.join(more)} beside pixel_values, so its input is no plain "
            "image of one size; choose a variant of fixed resolution, or another model."
        )


def input_side(processor: BaseImageProcessor) -> int:
    """The longer side in pixels of what a processor makes of a square image."""
    return max(_pixels(processor, _noise(64, 64)).shape[-2:])


def reframe(
    processor: BaseImageProcessor, config: PreTrainedConfig, size: int | None, fit: Fit
) -> Any:
    """A processor that gives another size or frames the image in another way.

    Args:
        processor: The checkpoint's own.
        config: The model's; a timm model keeps its processing there, and it is changed in place.
        size: Side of the square input in pixels; None keeps the one it has.
        fit: ``processor`` keeps the way it frames, ``squash`` shows the whole image without
            its aspect ratio, ``pad`` the whole image with a margin right or below.

    Raises:
        ModelError: If the processor cannot do that, or an equal one that can is not to be had.
    """
    if size is None and fit == "processor":
        return processor
    side = size or input_side(processor)
    if _is_timm(processor):
        return _timm(processor, config, side, fit)
    if changed := _reframed(processor, side, fit):
        return changed
    others: tuple[Fit, ...] = ("processor", "squash")
    able = [f"image.fit={other}" for other in others if _reframed(processor, side, other)]
    able = able or ["image.fit=processor with image.size=auto"]
    raise ModelError(
        f"image.fit={fit} with image.size={side}: {type(processor).__name__} cannot do that; "
        f"choose {' or '.join(able)}."
    )


def _reframed(processor: BaseImageProcessor, side: int, fit: Fit) -> BaseImageProcessor | None:
    """The processor, or an equal one, that gives squares of a side; None where there is none."""
    changes = _scaled(processor, side) if fit == "processor" else _framing(fit, side)
    changed: BaseImageProcessor = type(processor).from_dict(processor.to_dict() | changes)
    if _gives_squares(changed, side, fit):
        return changed
    plain = _plain(processor, changes)
    if fit != "processor" and _gives_squares(plain, side, fit) and _same(processor, plain, side):
        return plain
    return None


def _framing(fit: Fit, side: int) -> dict[str, Any]:
    square = {"height": side, "width": side}
    if fit == "squash":
        return {"do_resize": True, "size": square, "do_center_crop": False, "do_pad": False}
    return {
        "do_resize": True,
        "size": {"max_height": side, "max_width": side},
        "do_center_crop": False,
        "do_pad": True,
        "pad_size": square,
    }


def _scaled(processor: BaseImageProcessor, side: int) -> dict[str, Any]:
    """All sizes of a processor, scaled in the same proportion."""
    factor = side / input_side(processor)
    settings = processor.to_dict()
    return {
        name: {key: round(value * factor) for key, value in settings[name].items() if value}
        for name in ("size", "crop_size")
        if settings.get(name)
    }


def _is_timm(processor: BaseImageProcessor) -> bool:
    """By name: its class would bring timm along, which most models need not at all."""
    return any(kind.__name__ == "TimmWrapperImageProcessor" for kind in type(processor).__mro__)


def _timm(
    processor: BaseImageProcessor, config: PreTrainedConfig, side: int, fit: Fit
) -> BaseImageProcessor:
    """Change the configuration of the model, where timm keeps its processing."""
    settings = {**config.pretrained_cfg, "input_size": [3, side, side]}
    if fit != "processor":
        settings |= {"crop_mode": TIMM_CROP_MODES[fit], "crop_pct": 1.0}
    config.pretrained_cfg = settings
    kind: Any = type(processor)
    again: BaseImageProcessor = kind(pretrained_cfg=settings, architecture=config.architecture)
    return again


def _plain(processor: BaseImageProcessor, changes: dict[str, Any]) -> ViTImageProcessor:
    """A processor that resizes, rescales and normalises with the same numbers."""
    shared = ("resample", "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std")
    return ViTImageProcessor(
        **{name: getattr(processor, name) for name in shared if hasattr(processor, name)}, **changes
    )


def _gives_squares(processor: BaseImageProcessor, side: int, fit: Fit) -> bool:
    """Whether lying and standing images come out square, with a margin if one was asked for."""
    for width, height in ((96, 48), (48, 96)):
        try:
            pixels = _pixels(processor, _noise(width, height))
        # Families refuse a size that they do not know in ways of their own.
        except Exception:  # noqa: BLE001
            return False
        if pixels.shape[-2:] != (side, side):
            return False
        corner = pixels[..., -side // 4 :, -side // 4 :]
        if (fit == "pad") != bool(corner.eq(corner[..., -1:, -1:]).all()):
            return False
    return True


def _same(processor: BaseImageProcessor, other: BaseImageProcessor, side: int) -> bool:
    """Whether two processors do the same to an image that has its size already."""
    image = _noise(side, side)
    steps = ("do_resize", "do_thumbnail", "do_center_crop", "do_pad")
    skipped = {name: False for name in steps if hasattr(processor, name)}
    first = _pixels(processor, image, **skipped)
    second = _pixels(other, image, do_resize=False, do_pad=False)
    return first.shape == second.shape and torch.allclose(first, second, atol=1e-5)


def settings_of(folder: Path, processor: BaseImageProcessor) -> bytes:
    """The settings of a saved processor, as bytes that are equal where they are equal.

    timm models have no file for them: they are part of config.json.
    """
    file = folder / "preprocessor_config.json"
    if file.is_file():
        return file.read_bytes()
    return settings_text(processor).encode()


def settings_text(processor: BaseImageProcessor) -> str:
    """The settings of a processor, as a text that is equal where they are equal."""
    settings = processor.to_dict() | {"image_processor_type": type(processor).__name__}
    return json.dumps(settings, sort_keys=True, default=str)


def _pixels(processor: Any, image: Image.Image, **options: object) -> torch.Tensor:
    """Run a processor on one image: ``[3, height, width]``."""
    pixels: torch.Tensor = processor(image, return_tensors="pt", **options)["pixel_values"][0]
    return pixels


def _noise(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)
