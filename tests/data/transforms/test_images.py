"""Validation sees what serving sees, and training what the recipe says."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from transformers import (
    AutoImageProcessor,
    BitImageProcessor,
    ConvNextImageProcessor,
    MobileViTImageProcessor,
)

from hf_vft.data.dataset import VisionDataset
from hf_vft.data.decoding.reduced import ImageFile
from hf_vft.data.images import Decoder, decode_image
from hf_vft.data.transforms import images
from hf_vft.data.transforms.draws import Drawn
from hf_vft.data.transforms.images import (
    STRENGTHS,
    Levels,
    eval_transform,
    input_size,
    train_transform,
)
from hf_vft.errors import DataError
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


def turned(image: Image.Image | None = None) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(image or made_image(2, (64, 32)), "JPEG", exif=exif, quality=95)


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


FRAMINGS = {
    "squash": processor(),
    "not square": processor(size={"height": 24, "width": 40}),
    "bicubic": processor(resample=3),
    "pad": processor(
        size={"max_height": 32, "max_width": 32}, do_pad=True, pad_size={"height": 32, "width": 32}
    ),
    "shortest edge, then the middle": BitImageProcessor(
        size={"shortest_edge": 36}, crop_size=32, image_mean=[0.5] * 3, image_std=[0.2, 0.3, 0.4]
    ),
    "share of the middle": ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.875),
}
FILES = {
    "small png": lambda: encoded(made_image(3)),
    "jpeg": lambda: encoded(smooth((301, 200)), "JPEG", quality=95),
    "jpeg decoded at a quarter": lambda: encoded(smooth((900, 700)), "JPEG", quality=95),
    "jpeg turned": lambda: turned(smooth((301, 200))),
    "jpeg grey": lambda: encoded(smooth((301, 200)).convert("L"), "JPEG", quality=95),
}


def smooth(size: tuple[int, int]) -> Image.Image:
    """Mostly coarse, with some detail, as photographs are."""
    draw, pixels = np.random.default_rng(5), np.zeros((size[1], size[0], 3))
    for blocks, share in ((3, 0.6), (8, 0.3), (30, 0.1)):
        coarse = Image.fromarray(draw.integers(0, 256, (blocks, blocks, 3), dtype=np.uint8))
        pixels += share * np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))
    return Image.fromarray(pixels.round().astype(np.uint8))


def levels_apart(one: torch.Tensor, other: torch.Tensor, process: Any) -> float:
    std = torch.tensor(process.image_std).view(-1, 1, 1)
    return float(((one - other).abs() * std * 255).mean())


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_without_changes_training_sees_what_validation_sees(framing: str, file: str) -> None:
    """And so it does where pixels are sampled on a grid, as of images that are turned."""
    process, data = FRAMINGS[framing], FILES[file]()
    still = train_transform(process, AugmentConfig(**{"strength": "none", **NONE}))
    assert still.preparation is not None
    seen = still.read(data, Decoder(), Random(0))
    assert isinstance(seen, Levels)
    assert seen.values.dtype == torch.uint8
    wanted = eval_transform(process)(decode_image(data))
    assert levels_apart(seen.finished(), wanted, process) <= 1.5
    if file == "small png":  # nothing is reduced but by the processor
        assert levels_apart(seen.finished(), wanted, process) <= 0.5
    if "jpeg" not in file:
        return  # white noise loses its finest detail where it is sampled
    turned_by_nothing = Drawn(decode_image(data).size, degrees=1e-9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "draw", lambda *_: turned_by_nothing)
        sampled = still.read(data, Decoder(), Random(0))
    assert isinstance(sampled, Levels)
    assert levels_apart(sampled.finished(), wanted, process) <= 1.5


def test_a_processor_that_no_framing_describes_is_called_itself() -> None:
    """MobileViT gives blue first."""
    process = MobileViTImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    still = train_transform(process, AugmentConfig(**{"strength": "none", **NONE}))
    assert still.preparation is None
    image = decode_image(encoded(made_image(3, (32, 32))))
    torch.testing.assert_close(still(image), eval_transform(process)(image))
    strong = train_transform(process, AugmentConfig(**STRENGTHS["strong"]))
    assert strong(image).shape == (3, 32, 32)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_files_are_cropped_and_turned_like_upright_ones(orientation: int) -> None:
    """The same draws show the same part, whichever way the file stores it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(smooth((160, 96)), "JPEG", exif=exif, quality=95)
    process = processor()
    upright = ImageFile.of(decode_image(data), Decoder())
    for changes in ({"crop_scale": 0.4, "horizontal_flip": 0.5}, {"rotation": 20.0}):
        transform = train_transform(process, AugmentConfig(**{**NONE, **changes}))
        for seed in range(3):
            stored = transform.read(data, Decoder(), Random(seed))
            plain, _ = transform.changed(upright, Random(seed))
            # Crops are of whole pixels of what is decoded, here at half the size.
            assert levels_apart(stored.finished(), plain.finished(), process) <= 4.0


def test_the_crop_of_a_reduced_file_is_that_of_the_whole_one() -> None:
    """The draws do not know at which size a file is decoded."""
    image = smooth((900, 700))
    data = encoded(image, "JPEG", quality=95)
    process = processor()
    transform = train_transform(process, AugmentConfig(**{**STRENGTHS["light"], "crop_scale": 0.5}))
    whole = ImageFile.of(decode_image(data), Decoder())
    for seed in range(5):
        pixels, plan = transform.changed(ImageFile.open(data, Decoder()), Random(seed))
        assert plan.reduction > 1
        assert min(plan.source.steps) >= 1.0  # no fewer pixels than the input has
        plain, _ = transform.changed(whole, Random(seed))
        assert levels_apart(pixels.finished(), plain.finished(), process) <= 2.5


def test_a_truncated_file_is_refused_as_by_the_decoder() -> None:
    data = encoded(smooth((301, 200)), "JPEG")
    transform = train_transform(processor(), AugmentConfig(**NONE))
    with pytest.raises(DataError, match="truncated"):
        transform.read(data[: len(data) // 2], Decoder(), Random(0))
    with pytest.raises(DataError, match="pixels"):
        transform.read(data, Decoder(max_pixels=100), Random(0))


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


TURN = AugmentConfig(**{**NONE, "rotation": 20.0})


@pytest.mark.parametrize("size", [(64, 64), (90, 50), (33, 71)])
def test_turning_leaves_no_empty_corners(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (250, 250, 250))
    turn = train_transform(processor(), TURN)
    for seed in range(20):
        pixels, _ = turn.changed(ImageFile.of(image, Decoder()), Random(seed))
        assert isinstance(pixels, Levels)
        assert int(pixels.values.min()) > 245


def test_turning_turns_and_mirrors_at_the_edge() -> None:
    line = Image.new("RGB", (64, 64))
    line.paste((255, 255, 255), (30, 0, 34, 64))
    turn = train_transform(processor(), TURN)
    angles = []
    for seed in range(10):
        pixels, plan = turn.changed(ImageFile.of(line, Decoder()), Random(seed))
        assert isinstance(pixels, Levels)
        top = pixels.values[0, 2].float()
        place = float((top * (torch.arange(32) + 0.5)).sum() / top.sum())
        # Two and a half rows below the edge, the line is so far from the middle.
        wanted = 16 + 13.5 * np.tan(np.radians(plan.drawn.degrees)) * -1
        angles.append(abs(place - wanted))
    assert max(angles) < 0.6
