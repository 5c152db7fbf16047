"""Validation sees what serving sees, and training what the recipe says."""

from __future__ import annotations

import io
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from transformers import AutoImageProcessor

from hf_vft.data.dataset import VisionDataset
from hf_vft.data.images import decode_image
from hf_vft.data.transforms.images import (
    STRENGTHS,
    RandomTurn,
    eval_transform,
    input_size,
    train_transform,
)
from hf_vft.inference.predictor import Predictor
from hf_vft.recipe.schema import AugmentConfig
from hf_vft.run import RunDirectory
from tests.made_images import encoded, made_image, processor

NONE = STRENGTHS["none"]


def rgba() -> bytes:
    image = made_image(1).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return encoded(image)


def sixteen_bits() -> bytes:
    ramp = np.linspace(0, 65535, 48 * 40, dtype=np.uint16).reshape(40, 48)
    return encoded(Image.fromarray(ramp))


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(made_image(2, (64, 32)), "JPEG", exif=exif, quality=95)


ODD = {
    "rgb": lambda: encoded(made_image(0)),
    "grey": lambda: encoded(made_image(0).convert("L")),
    "palette": lambda: encoded(made_image(0).convert("P")),
    "rgba": rgba,
    "16 bits": sixteen_bits,
    "turned": turned,
    "cmyk": lambda: encoded(made_image(0).convert("CMYK"), "JPEG"),
}


@pytest.mark.parametrize("kind", ODD)
def test_validation_serving_and_plain_transformers_see_the_same(kind: str, fitted: Path) -> None:
    data, predictor = ODD[kind](), Predictor(RunDirectory(fitted))
    rows = {"image": [{"bytes": data, "path": None}], "label": [0]}
    features = datasets.Features(
        {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(num_classes=2)}
    )
    split = datasets.Dataset.from_dict(rows, features=features)
    plain = AutoImageProcessor.from_pretrained(fitted / "model")
    validation = VisionDataset(split, eval_transform(plain))[0]["pixel_values"]
    served: list[torch.Tensor] = []
    predictor.model.register_forward_pre_hook(
        lambda _, __, inputs: served.append(inputs["pixel_values"]), with_kwargs=True
    )
    predictor.logits([predictor.decode(data)])
    assert torch.equal(served[0][0], validation)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if kind in ("rgb", "grey", "palette", "turned"):  # what a plain user would decode himself
        alone = plain(images=upright.convert("RGB"), return_tensors="pt")["pixel_values"][0]
        assert torch.equal(alone, validation)
    assert validation.std() > 0.05


def test_without_changes_training_sees_what_validation_sees() -> None:
    process = processor()
    still = train_transform(process, AugmentConfig(**{"strength": "none", **NONE}))
    image = decode_image(encoded(made_image(3)))
    assert torch.equal(still(image), eval_transform(process)(image))


CHANGES = {
    "horizontal_flip": 1.0,
    "vertical_flip": 1.0,
    "rotation": 30.0,
    "crop_scale": 0.3,
    "color_jitter": 0.8,
    "blur": 1.0,
    "trivial_augment": True,
    "erasing": 1.0,
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_made(name: str) -> None:
    process = processor()
    config = AugmentConfig(**{"strength": "none", **NONE, name: CHANGES[name]})
    image = decode_image(encoded(made_image(4)))
    plain = eval_transform(process)(image)
    torch.manual_seed(2)
    seen = [train_transform(process, config)(image) for _ in range(3)]
    assert all(view.shape == plain.shape for view in seen)
    assert any(not torch.allclose(view, plain, atol=1e-3) for view in seen)
    if name == "horizontal_flip":
        torch.testing.assert_close(seen[0], plain.flip(-1), atol=0.02, rtol=0)
    if name == "vertical_flip":
        torch.testing.assert_close(seen[0], plain.flip(-2), atol=0.02, rtol=0)


def test_a_crop_keeps_at_least_its_share() -> None:
    """Of a ramp from left to right and one from top to bottom, so that the area can be told."""
    across, down = np.meshgrid(np.arange(200), np.arange(200))
    image = Image.fromarray(np.stack([across, down, down], -1).astype(np.uint8))
    crop = train_transform(processor(), AugmentConfig(**{**NONE, "crop_scale": 0.5}))
    torch.manual_seed(0)
    shares = []
    for _ in range(40):
        view = (crop(image) * 0.5 + 0.5) * 255
        width = view[0].max() - view[0].min()
        height = view[1].max() - view[1].min()
        shares.append(float(width * height) / 200**2)
    assert min(shares) > 0.4  # the outermost pixels are averaged away by resizing
    assert max(shares) > 0.85
    assert np.std(shares) > 0.05


@pytest.mark.parametrize("strength", STRENGTHS)
def test_every_strength_works_on_every_shape(strength: str) -> None:
    transform = train_transform(processor(), AugmentConfig(**{**STRENGTHS[strength]}))
    for size in ((1, 1), (3, 200), (200, 3), (400, 300)):
        pixels = transform(decode_image(encoded(made_image(0, size))))
        assert pixels.shape == (3, 32, 32)
        assert pixels.isfinite().all()


def test_the_size_of_the_input_is_measured() -> None:
    assert input_size(processor(size={"height": 24, "width": 40})) == (24, 40)


@pytest.mark.parametrize("size", [(64, 64), (90, 50), (33, 71)])
def test_turning_leaves_no_empty_corners(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (250, 250, 250))
    torch.manual_seed(0)
    for _ in range(20):
        turned = RandomTurn(15.0)(image)
        assert turned.size == size
        assert min(low for low, _ in turned.getextrema()) > 245


def test_turning_turns() -> None:
    line = Image.new("RGB", (65, 65))
    line.paste((255, 255, 255), (31, 0, 34, 65))
    torch.manual_seed(0)
    assert any(np.asarray(RandomTurn(20.0)(line))[5, 31:34].max() < 100 for _ in range(10))
