"""Boxes stay on what they mark, whatever is done to the image."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hf_vft.data.images import Decoder
from hf_vft.data.transforms.boxes import (
    Boxes,
    eval_box_transform,
    padded,
    relative_rows,
    train_box_transform,
    visible_part,
)
from hf_vft.data.transforms.images import STRENGTHS
from hf_vft.recipe.schema import AugmentConfig
from tests.made_images import encoded, processor

GREY, COLOURS = (120, 120, 120), ((255, 0, 0), (0, 255, 0), (0, 0, 255))
SIDE = 192
SQUARE = processor(size={"height": SIDE, "width": SIDE})


def painted(boxes: list[tuple[int, int, int, int]], size: tuple[int, int]) -> Image.Image:
    """An image in which every box is a rectangle of its own colour."""
    image = Image.new("RGB", size, GREY)
    for colour, (x, y, w, h) in zip(COLOURS, boxes, strict=False):
        image.paste(colour, (x, y, x + w, y + h))
    return image


def where(pixels: torch.Tensor, number: int) -> np.ndarray | None:
    """Left, top, right and bottom of what has the colour of a box."""
    levels = pixels.permute(1, 2, 0).numpy().astype(int)
    near = np.abs(levels - COLOURS[number]).sum(2) < 190
    rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    if not len(rows):
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def corners(row: torch.Tensor) -> np.ndarray:
    """Left, top, right and bottom in pixels of the input."""
    _, x, y, w, h = (SIDE * row).tolist()
    return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])


sides = st.integers(60, 400)
places = st.tuples(st.floats(0, 0.6), st.floats(0, 0.6), st.floats(0.2, 0.4), st.floats(0.2, 0.4))


def apart(width: int, height: int, place: tuple[float, ...]) -> list[tuple[int, int, int, int]]:
    x, y, w, h = place
    return [
        (round(x * width), round(y * height), max(10, round(w * width)), max(10, round(h * height)))
    ]


CHANGES = {
    "mirrored": {"horizontal_flip": 1.0},
    "upside down": {"vertical_flip": 1.0},
    "cropped": {"crop_scale": 0.3},
    "all of these": {"horizontal_flip": 0.5, "vertical_flip": 0.5, "crop_scale": 0.5},
    "scaled": {},
}
TRANSFORMS = {
    name: train_box_transform(SQUARE, AugmentConfig(**{**STRENGTHS["none"], **changes}))
    for name, changes in CHANGES.items()
}


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("name", CHANGES)
@given(sides, sides, places, st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_boxes_go_where_their_pixels_go(
    name: str, kind: str, width: int, height: int, place: tuple[float, ...], seed: int
) -> None:
    boxes = apart(width, height, place)
    data = encoded(painted(boxes, (width, height)), kind, quality=95)
    label = {"bbox": [list(box) for box in boxes], "category": [0]}
    row = TRANSFORMS[name].read(data, Decoder(), Random(seed), label)
    seen = where(row["pixel_values"].values, 0)
    pitch = max(SIDE / width, SIDE / height, 1.0)
    for box in row["labels"]:
        assert seen is not None
        assert np.abs(corners(box) - seen).max() <= 1.5 + 0.5 * pitch
    if not len(row["labels"]) and seen is not None:  # hardly anything of it is left
        shown = (seen[2] - seen[0]) * (seen[3] - seen[1])
        assert shown <= SIDE**2 / 4


def test_boxes_follow_a_file_that_is_decoded_smaller() -> None:
    boxes = [(400, 300, 500, 400)]
    data = encoded(painted(boxes, (1600, 1200)), "JPEG", quality=95)
    label = {"bbox": [list(box) for box in boxes], "category": [0]}
    for seed in range(10):
        row = TRANSFORMS["all of these"].read(data, Decoder(), Random(seed), label)
        for box in row["labels"]:
            assert np.abs(corners(box) - where(row["pixel_values"].values, 0)).max() <= 1.5


# So far from the edges that all of a turned box stays in the image: of one that is cut, the
# corners outside still count, and its box is wider than what is left to see.
middle = st.tuples(
    st.floats(0.3, 0.4), st.floats(0.3, 0.4), st.floats(0.2, 0.3), st.floats(0.2, 0.3)
)
TURN = train_box_transform(SQUARE, AugmentConfig(**{**STRENGTHS["none"], "rotation": 30.0}))


@given(st.integers(0, 1000), middle)
@settings(max_examples=25, deadline=None)
def test_turned_boxes_hold_what_they_held(seed: int, place: tuple[float, ...]) -> None:
    """The upright box around a turned one is as tight as its corners allow."""
    boxes = apart(200, 160, place)
    label = {"bbox": [list(box) for box in boxes], "category": [0]}
    data = encoded(painted(boxes, (200, 160)))
    row = TURN.read(data, Decoder(), Random(seed), label)
    seen = where(row["pixel_values"].values, 0)
    assert len(row["labels"]) == 1
    assert seen is not None
    assert np.abs(corners(row["labels"][0]) - seen).max() <= 2.5


def test_what_is_hardly_visible_is_left_out() -> None:
    boxes = torch.tensor([[90.0, 10, 20, 20], [96.0, 10, 40, 20], [-30, 10, 10, 10]])
    kept = visible_part(Boxes(boxes, torch.tensor([0, 1, 2])), (100, 100))
    assert kept.classes.tolist() == [0]
    assert kept.boxes.tolist() == [[90, 10, 10, 20]]


def test_shares_of_the_sides_and_padding() -> None:
    marked = Boxes(torch.tensor([[20.0, 10, 40, 30]]), torch.ones(1))
    rows = relative_rows(marked, (200, 100))
    np.testing.assert_allclose(rows, [[1, 0.2, 0.25, 0.2, 0.3]], rtol=1e-6)
    batch = padded([rows, torch.zeros(0, 5)])
    assert batch.shape == (2, 1, 5)
    assert batch[1].tolist() == [[-100.0] * 5]
    assert padded([torch.zeros(0, 5)]).shape == (1, 1, 5)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_training_images_keep_valid_boxes(strength: str) -> None:
    transform = train_box_transform(processor(), AugmentConfig(**STRENGTHS[strength]))
    boxes = [(10, 10, 30, 20), (50, 40, 20, 30)]
    image = painted(boxes, (120, 90))
    label = {"bbox": [list(box) for box in boxes], "category": [4, 2], "size": [120, 90]}
    for seed in range(5):
        torch.manual_seed(seed)
        rows = transform.with_boxes(image, label)["labels"]
        assert set(rows[:, 0].tolist()) <= {4.0, 2.0}
        low, high = rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2
        assert (low >= -1e-5).all()
        assert (high <= 1 + 1e-5).all()
        assert (rows[:, 3:] > 0).all()


def test_validation_sees_the_processor_alone() -> None:
    image = painted([(10, 10, 30, 20)], (120, 90))
    label = {"bbox": [[10, 10, 30, 20]], "category": [1], "size": [120, 90]}
    plain = eval_box_transform(processor())
    assert torch.equal(
        plain.with_boxes(image, label)["pixel_values"],
        processor()(image, return_tensors="pt")["pixel_values"][0],
    )
