"""Boxes stay on what they mark, whatever is done to the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import v2

from hf_vft.data.transforms.boxes import (
    BoxedImage,
    RandomChange,
    eval_box_transform,
    padded,
    relative_rows,
    train_box_transform,
    visible_part,
)
from hf_vft.data.transforms.images import STRENGTHS, RandomAreaCrop, RandomTurn
from hf_vft.recipe.schema import AugmentConfig
from tests.made_images import processor

GREY, COLOURS = (120, 120, 120), ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def painted(boxes: list[tuple[int, int, int, int]], size: tuple[int, int]) -> BoxedImage:
    """An image in which every box is a rectangle of its own colour."""
    image = Image.new("RGB", size, GREY)
    for colour, (x, y, w, h) in zip(COLOURS, boxes, strict=False):
        image.paste(colour, (x, y, x + w, y + h))
    return BoxedImage(image, torch.tensor(boxes).float(), torch.arange(len(boxes)))


def where(image: Image.Image, number: int) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of what has the colour of a box."""
    pixels = np.asarray(image.convert("RGB")).astype(int)
    near = np.abs(pixels - COLOURS[number]).sum(2) < 150
    rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    if not len(rows):
        return None
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


sides = st.integers(60, 200)
places = st.tuples(st.floats(0, 0.6), st.floats(0, 0.6), st.floats(0.2, 0.4), st.floats(0.2, 0.4))


def apart(width: int, height: int, place: tuple[float, ...]) -> list[tuple[int, int, int, int]]:
    x, y, w, h = place
    return [
        (round(x * width), round(y * height), max(10, round(w * width)), max(10, round(h * height)))
    ]


CHANGES = {
    "mirrored": (v2.RandomHorizontalFlip(1.0), 1.0),
    "upside down": (v2.RandomVerticalFlip(1.0), 1.0),
    "cropped": (RandomAreaCrop(0.3), 1.5),
    "scaled": (v2.Identity(), 3.0),
}


@pytest.mark.parametrize("name", CHANGES)
@given(sides, sides, places, st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_boxes_go_where_their_pixels_go(
    name: str, width: int, height: int, place: tuple[float, ...], seed: int
) -> None:
    change, slack = CHANGES[name]
    marked = painted(apart(width, height, place), (width, height))
    torch.manual_seed(seed)
    side = 50 if name == "scaled" else 1000
    after = RandomChange(v2.Compose([change]), side)(marked)
    assert min(after.image.size) <= side
    seen = where(after.image, 0)
    for box in after.boxes:
        x, y, w, h = box.tolist()
        assert seen is not None
        assert np.abs(np.array([x, y, x + w, y + h]) - seen).max() <= slack
    if not len(after.boxes) and seen is not None:  # hardly anything of it is left
        area = (seen[2] - seen[0]) * (seen[3] - seen[1])
        assert area <= 0.31 * float(marked.boxes[0, 2] * marked.boxes[0, 3]) + width + height


# So far from the edges that all of a turned box stays in the image: of one that is cut, the
# corners outside still count, and its box is wider than what is left to see.
middle = st.tuples(
    st.floats(0.3, 0.4), st.floats(0.3, 0.4), st.floats(0.2, 0.3), st.floats(0.2, 0.3)
)


@given(st.floats(-30, 30), middle)
@settings(max_examples=25, deadline=None)
def test_turned_boxes_hold_what_they_held(degrees: float, place: tuple[float, ...]) -> None:
    """The upright box around a turned one is as tight as its corners allow."""
    marked = painted(apart(160, 120, place), (160, 120))
    turn = RandomTurn(abs(degrees))
    turn.make_params = lambda _: {"angle": degrees}  # type: ignore[method-assign]
    after = RandomChange(v2.Compose([turn]), 1000)(marked)
    seen = where(after.image, 0)
    assert len(after.boxes) == 1
    x, y, w, h = after.boxes[0].tolist()
    assert np.abs(np.array([x, y, x + w, y + h]) - seen).max() <= 1.5


def test_what_is_hardly_visible_is_left_out() -> None:
    image = Image.new("RGB", (100, 100))
    boxes = torch.tensor([[90.0, 10, 20, 20], [96.0, 10, 40, 20], [-30, 10, 10, 10]])
    kept = visible_part(BoxedImage(image, boxes, torch.tensor([0, 1, 2])))
    assert kept.classes.tolist() == [0]
    assert kept.boxes.tolist() == [[90, 10, 10, 20]]


def test_shares_of_the_sides_and_padding() -> None:
    marked = BoxedImage(
        Image.new("RGB", (200, 100)), torch.tensor([[20.0, 10, 40, 30]]), torch.ones(1)
    )
    rows = relative_rows(marked)
    np.testing.assert_allclose(rows, [[1, 0.2, 0.25, 0.2, 0.3]], rtol=1e-6)
    batch = padded([rows, torch.zeros(0, 5)])
    assert batch.shape == (2, 1, 5)
    assert batch[1].tolist() == [[-100.0] * 5]
    assert padded([torch.zeros(0, 5)]).shape == (1, 1, 5)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_training_images_keep_valid_boxes(strength: str) -> None:
    transform = train_box_transform(processor(), AugmentConfig(**STRENGTHS[strength]))
    marked = painted([(10, 10, 30, 20), (50, 40, 20, 30)], (120, 90))
    label = {"bbox": marked.boxes.tolist(), "category": [4, 2], "size": [120, 90]}
    for seed in range(5):
        torch.manual_seed(seed)
        rows = transform.with_boxes(marked.image, label)["labels"]
        assert set(rows[:, 0].tolist()) <= {4.0, 2.0}
        low, high = rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2
        assert (low >= -1e-5).all()
        assert (high <= 1 + 1e-5).all()
        assert (rows[:, 3:] > 0).all()


def test_validation_sees_the_processor_alone() -> None:
    marked = painted([(10, 10, 30, 20)], (120, 90))
    label = {"bbox": marked.boxes.tolist(), "category": [1], "size": [120, 90]}
    plain = eval_box_transform(processor())
    assert torch.equal(
        plain.with_boxes(marked.image, label)["pixel_values"],
        processor()(marked.image, return_tensors="pt")["pixel_values"][0],
    )
