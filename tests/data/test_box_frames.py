from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from hf_vft.data.annotated_boxes import Objects
from hf_vft.data.box_frames import turn_boxes
from hf_vft.data.load import load_data
from hf_vft.recipe.schema import DataConfig

STORED = (64, 48)
BOX = (40.0, 5.0, 20.0, 40.0)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_box_stays_on_what_it_marks(orientation: int) -> None:
    """Pillow turns an image that is white inside of the box; the box has to go with it."""
    pixels = np.zeros(STORED[::-1], np.uint8)
    pixels[5:45, 40:60] = 255
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    swapped = Objects((BOX,), ("a",))
    objects, sizes, turns = [swapped], [upright.shape[::-1]], [orientation]
    if orientation < 5:  # one that tells the frame for all
        objects, sizes, turns = [*objects, swapped], [*sizes, (48, 64)], [*turns, 6]
    found, notes = turn_boxes(objects, sizes, turns)
    x, y, w, h = map(int, found[0].boxes[0])
    marked = np.zeros_like(upright)
    marked[y : y + h, x : x + w] = 255
    assert (marked == upright).all()
    assert "boxes were turned with them" in notes[0]


@pytest.mark.parametrize(
    "boxes",
    [
        ((1.0, 1.0, 10.0, 10.0),),  # fits both frames
        (BOX, (5.0, 40.0, 40.0, 20.0)),  # one leaves each
    ],
)
def test_what_does_not_tell_the_frame_is_said_and_left(boxes: tuple) -> None:
    found, notes = turn_boxes([Objects(boxes, ("a",) * len(boxes))], [(48, 64)], [6])
    assert found[0].boxes == boxes
    assert notes == [
        "1 of 1 image is stored turned (EXIF); their boxes are read as drawn on the upright image."
    ]


def test_images_as_they_are_shown_need_no_word() -> None:
    assert turn_boxes([Objects((BOX,), ("a",)), None], [STORED, None], [1, 1])[1] == []


def test_boxes_of_an_older_tool_land_on_what_they_mark(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    images, annotations = [], []
    for number in range(6):
        name = f"{number}.png"
        pixels = np.full((48, 64, 3), 20 * number, np.uint8)
        pixels[5:45, 40:60] = 255
        Image.fromarray(pixels).save(tmp_path / name, exif=exif)
        images.append({"id": number, "file_name": name, "width": 64, "height": 48})
        annotation = {"id": number, "image_id": number, "category_id": number % 2 + 1}
        annotations.append(annotation | {"bbox": list(BOX)})
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "a.json").write_text(json.dumps(content))
    data = load_data(tmp_path, DataConfig(), seed=0)
    assert any("6 of 6 images are stored turned" in note for note in data.notes)
    row = data.splits["train"][0]
    x, y, w, h = map(int, row["label"]["bbox"][0])
    shown = np.asarray(data.decoder(row["image"]["path"]))
    assert (shown[y : y + h, x : x + w] == 255).all()
    assert w * h == 800
