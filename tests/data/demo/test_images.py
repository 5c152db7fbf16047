"""The generated inspection line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from hf_vft.data.demo import images as demo
from hf_vft.data.demo.camera import CAMERAS, Camera
from hf_vft.data.demo.defects import DEFECTS, NEW_DEFECT, defect_box, defect_change
from hf_vft.data.demo.images import (
    LINES,
    PRIORS,
    START,
    Conditions,
    DemoConfig,
    DemoPart,
    generate,
    take_image,
    write_demo_images,
)
from hf_vft.data.demo.surfaces import SURFACES, painted_surface
from hf_vft.errors import DataError

PERFECT = Conditions(
    replaced={name: (name, Camera(blur=0.0, noise=0.0, vignetting=0.0)) for name in CAMERAS}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo_images(tmp_path_factory.mktemp("demo") / "line", n=60, size=48)


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def test_same_seed_writes_the_same_bytes_whatever_the_number(folder: Path, tmp_path: Path) -> None:
    fewer = write_demo_images(tmp_path / "again", n=12, size=48)
    for file in sorted((fewer / "images").iterdir()):
        assert file.read_bytes() == (folder / "images" / file.name).read_bytes()
    assert rows_of(fewer) == rows_of(folder)[:12]


def test_another_seed_gives_other_images() -> None:
    first, second = (generate(0, DemoConfig(seed=seed)).image for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_labels_are_imbalanced_as_the_priors_say() -> None:
    config = DemoConfig(size=32)
    labels = [generate(2 * number, config).label for number in range(400)]
    shares = {label: count / 400 for label, count in Counter(labels).items()}
    assert shares.keys() == PRIORS.keys()
    assert shares == pytest.approx(PRIORS, abs=0.06)


def test_every_defect_and_only_a_defect_has_a_box() -> None:
    for index in range(80):
        image = generate(index, DemoConfig(size=64))
        assert len(image.boxes) == (image.label != "ok")
        for x, y, width, height in image.boxes:
            assert 0 <= x < x + width <= 64
            assert 0 <= y < y + height <= 64


@pytest.mark.parametrize("label", [*DEFECTS, NEW_DEFECT])
@pytest.mark.parametrize("line", LINES)
def test_box_is_tight_around_the_changed_pixels(label: str, line: str) -> None:
    # Without blur and noise, what differs from the sound part is the defect and nothing else.
    for number in range(4):
        part = DemoPart((7, 0, number), line, label, START)
        sound = DemoPart((7, 0, number), line, "ok", START)
        config = DemoConfig(contrast=2.0)
        with_defect = take_image(part, "top", config, PERFECT)
        without = take_image(sound, "top", config, PERFECT)
        changed = (with_defect.image != without.image).any(axis=-1)
        ((x, y, width, height),) = with_defect.boxes
        outside = changed.copy()
        outside[y : y + height, x : x + width] = False
        assert not outside.any()
        rows, columns = np.nonzero(changed)
        slack = 3  # the faintest edge of a stain may round to no change at all
        assert x <= columns.min() <= x + slack
        assert y <= rows.min() <= y + slack
        assert x + width - slack <= columns.max() + 1 <= x + width
        assert y + height - slack <= rows.max() + 1 <= y + height


def test_defects_are_small() -> None:
    rng = np.random.default_rng(0)
    for kind in DEFECTS:
        change = defect_change(rng, kind, 112, (56.0, 56.0))
        box = defect_box(change)
        assert box is not None
        assert (change[0] != 0).mean() < 0.06
        assert np.abs(change).max() < 0.5
    assert defect_box(np.zeros((3, 8, 8), dtype=np.float32)) is None


@pytest.mark.parametrize("kind", SURFACES)
@pytest.mark.parametrize("side", [40, 112, 250])
def test_surfaces_are_textured_at_every_size(kind: str, side: int) -> None:
    surface = painted_surface(np.random.default_rng(3), kind, side, side / 112)
    assert surface.shape == (3, side, side)
    assert surface.dtype == np.float32
    assert 0.15 < surface.mean() < 0.85
    assert surface.std(axis=(1, 2)).min() > 0.01


def test_images_of_a_part_share_what_belongs_to_the_part() -> None:
    first, second = generate(10), generate(11)
    assert first.label == second.label
    assert first.attributes["part_id"] == second.attributes["part_id"]
    assert first.attributes["line"] == second.attributes["line"]
    assert (first.attributes["camera"], second.attributes["camera"]) == ("top", "side")
    assert not np.array_equal(first.image, second.image)


def test_shifts_follow_the_clock() -> None:
    shifts = [demo.shift_at(START.replace(hour=hour)) for hour in (6, 13, 14, 21, 22, 0, 5)]
    assert shifts == ["early", "early", "late", "late", "night", "night", "night"]


def test_folder_is_read_by_datasets(folder: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(folder), split="train", cache_dir=str(tmp_path)
    )
    assert len(loaded) == 60
    assert {"image", "label", "line", "camera", "shift", "timestamp", "part_id", "objects"} == set(
        loaded.column_names
    )
    by_file = {row["file_name"]: row for row in rows_of(folder)}
    for row in loaded.cast_column("image", datasets.Image(decode=False)):
        name = "images/" + Path(row["image"]["path"]).name
        assert row["label"] == by_file[name]["label"]
        assert row["objects"] == by_file[name]["objects"]


def test_written_image_shows_what_was_generated(folder: Path) -> None:
    with Image.open(folder / "images" / "000005.jpg") as file:
        written = np.asarray(file).astype(int)
    assert np.abs(written - generate(5, DemoConfig(size=48)).image).mean() < 2


def test_full_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="already holds something"):
        write_demo_images(tmp_path, n=2)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_empty_folder_is_used(tmp_path: Path) -> None:
    assert write_demo_images(tmp_path, n=2, size=32) == tmp_path
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_nothing_is_left_when_it_breaks_off(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_demo_images(tmp_path / "line", n=5, size=32, on_image=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("option", "value"), [("n", 0), ("size", 8), ("seed", -1)])
def test_impossible_options_are_refused(option: str, value: int, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(value)):
        write_demo_images(tmp_path / "line", **{option: value})


def test_contrast_makes_defects_stronger(tmp_path: Path) -> None:
    def defects(contrast: float) -> float:
        plain, strong = DemoConfig(contrast=1e-6), DemoConfig(contrast=contrast)
        pairs = [(generate(i, plain), generate(i, strong)) for i in range(40)]
        changed = [
            np.abs(a.image.astype(float) - b.image.astype(float)).max()
            for a, b in pairs
            if b.label != "ok"
        ]
        return float(np.mean(changed))

    assert defects(2.0) > 1.4 * defects(1.0)
    with pytest.raises(DataError, match="contrast 0"):
        DemoConfig(contrast=0)
