"""A checkpoint's processor, reframed: what it makes of images, not what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tf
from PIL import Image

from hf_vft.errors import ModelError
from hf_vft.models.processors import check_inputs, input_side, reframe, settings_of
from tests.models import tiny


def crops() -> Any:
    """As CLIP and DeiT do: the shorter side to 40 pixels, the middle 32 of it."""
    size, crop = {"shortest_edge": 40}, {"height": 32, "width": 32}
    return tf.CLIPImageProcessor(size=size, crop_size=crop)


def squashes() -> Any:
    return tf.ViTImageProcessor(size={"height": 32, "width": 32})


def warps_and_crops() -> Any:
    """As ConvNeXt and ResNet do, and no size but a shortest edge is known to it."""
    return tf.ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.875)


def shrinks_and_pads() -> Any:
    """As Donut does: it never enlarges, and what is left is a margin."""
    return tf.DonutImageProcessor(size={"height": 40, "width": 40})


def timm(config: Any) -> Any:
    return tf.TimmWrapperImageProcessor(
        pretrained_cfg=config.pretrained_cfg, architecture=config.architecture
    )


def edges() -> Image.Image:
    """A lying image, black but for white edges left and right that a crop would lose."""
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, :16] = pixels[:, -16:] = 255
    return Image.fromarray(pixels)


def shown(processor: Any, original: Image.Image) -> torch.Tensor:
    """``[3, height, width]``, scaled so that black is 0 and white 1."""
    black, white = (Image.new("RGB", (64, 64), level) for level in ((0,) * 3, (255,) * 3))
    pixels, low, high = (
        processor(image, return_tensors="pt")["pixel_values"][0]
        for image in (original, black, white)
    )
    low, high = low.mean((1, 2), keepdim=True), high.mean((1, 2), keepdim=True)
    return (pixels - low) / (high - low)


def test_left_as_it_is_it_is_the_same_object() -> None:
    processor = crops()
    assert reframe(processor, tf.ViTConfig(), None, "processor") is processor
    assert input_side(processor) == 32


def test_warps_and_crops_in_the_same_proportion() -> None:
    changed = reframe(warps_and_crops(), tf.ConvNextConfig(), 64, "processor")
    assert isinstance(changed, tf.ConvNextImageProcessor)
    assert (input_side(changed), changed.crop_pct) == (64, 0.875)


def test_a_processor_of_something_else_is_refused() -> None:
    check_inputs("a", squashes())
    patches = tf.Siglip2ImageProcessor(patch_size=16, max_num_patches=16)
    with pytest.raises(ModelError, match="b: it takes pixel_attention_mask, spatial_shapes beside"):
        check_inputs("b", patches)


def test_settings_are_told_apart_with_and_without_a_file(tmp_path: Path) -> None:
    config: Any = tiny.tiny_timm_resnet().config
    before = settings_of(tmp_path, timm(config))
    assert settings_of(tmp_path, timm(config)) == before
    assert settings_of(tmp_path, reframe(timm(config), config, 64, "squash")) != before
    squashes().save_pretrained(tmp_path)
    assert b"ViTImageProcessor" in settings_of(tmp_path, squashes())


def test_another_size_crops_in_the_same_proportion() -> None:
    changed = reframe(crops(), tf.ViTConfig(), 64, "processor")
    assert (changed.size.shortest_edge, changed.crop_size.height) == (80, 64)
    assert input_side(changed) == 64


@pytest.mark.parametrize("build", [crops, squashes, warps_and_crops, shrinks_and_pads])
def test_squashed_the_edges_are_still_to_be_seen(build: Any) -> None:
    changed = reframe(build(), tf.ViTConfig(), 32, "squash")
    pixels = shown(changed, edges())
    assert pixels.shape == (3, 32, 32)
    assert pixels[:, :, 0].min() > 0.9
    assert pixels[:, :, -1].min() > 0.9
    assert pixels[:, :, 16].max() < 0.1


@pytest.mark.parametrize("build", [crops, squashes, warps_and_crops, shrinks_and_pads])
def test_padded_the_proportions_stay(build: Any) -> None:
    pixels = shown(reframe(build(), tf.ViTConfig(), 32, "pad"), edges())
    assert pixels.shape == (3, 32, 32)
    assert pixels[:, :16, 0].min() > 0.9
    assert pixels[:, 24:].eq(pixels[:, -1:, -1:]).all()


def test_what_is_named_in_place_of_a_framing_is_possible() -> None:
    with pytest.raises(ModelError, match=r"cannot do that; choose image\.fit=squash\.$"):
        reframe(shrinks_and_pads(), tf.ViTConfig(), 64, "processor")
    with pytest.raises(ModelError, match=r"choose image\.fit=processor or image\.fit=squash\.$"):
        reframe(tf.EfficientNetImageProcessor(), tf.EfficientNetConfig(), 64, "pad")


@pytest.mark.parametrize("fit", ["processor", "squash", "pad"])
def test_timm_keeps_it_in_the_configuration_of_the_model(fit: Any) -> None:
    config: Any = tiny.tiny_timm_resnet().config
    changed = reframe(timm(config), config, 64, fit)
    assert config.pretrained_cfg["input_size"] == [3, 64, 64]
    pixels = changed(edges(), return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 64, 64)
    again = timm(config)(edges(), return_tensors="pt")["pixel_values"]
    assert again.equal(pixels)
    left_edge_is_white = bool(pixels[0, :, 24:40, 0].min() > 0.5)
    assert left_edge_is_white == (fit != "processor")
