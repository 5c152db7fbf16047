"""A generated inspection line, so that everything can be tried offline.

Three lines make metal, cloth and board parts. Two cameras take one image each of every
part, in three shifts around the clock. Most parts are sound; the defects are rare, small and
low in contrast, so a head on frozen features does clearly worse than staged fine-tuning.

Everything follows from the seed: image ``i`` is the same whatever the number of images.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from hf_vft.data.demo.camera import CAMERAS, LIGHTS, Camera, Light, photograph
from hf_vft.data.demo.defects import defect_box, defect_change
from hf_vft.data.demo.surfaces import painted_surface
from hf_vft.errors import DataError

LINES = {"line-1": "metal", "line-2": "cloth", "line-3": "board"}
PRIORS = {
    "ok": 0.50,
    "scratch": 0.16,
    "pit": 0.11,
    "stain": 0.10,
    "crack": 0.07,
    "inclusion": 0.06,
}
SOUND = "ok"
STREAMS = ("line", "label", "surface", "defect", *CAMERAS)
START = datetime(2026, 3, 2, 6)  # a Monday, when the early shift starts
TAKT = timedelta(minutes=4)  # from one part to the next

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels; x and y of the top left corner."""


@dataclass(frozen=True)
class DemoConfig:
    """Settings of the generated data set.

    Attributes:
        size: Side of the square images in pixels.
        seed: Decides everything.
        contrast: Factor on the strength of the defects; 1.0 is hard, 2.0 easy.
    """

    size: int = 96
    seed: int = 0
    contrast: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 32:
            raise DataError(f"size {self.size}: the defects need at least 32 pixels.")
        if self.seed < 0:
            raise DataError(f"seed {self.seed}: give 0 or more.")
        if not 0 < self.contrast <= 4:
            raise DataError(f"contrast {self.contrast}: give more than 0, and at most 4.")


DEFAULT = DemoConfig()


@dataclass(frozen=True)
class DemoPart:
    """One part that came down a line. ``key`` seeds everything random about it."""

    key: tuple[int, ...]
    line: str
    label: str
    moment: datetime


@dataclass(frozen=True)
class Conditions:
    """Imaging conditions beyond camera and shift."""

    light: Light = field(default_factory=Light)
    defocus: float = 0.0
    replaced: Mapping[str, tuple[str, Camera]] = field(default_factory=dict)


@dataclass(frozen=True)
class DemoImage:
    """An image with what is known about it.

    Attributes:
        image: uint8 ``[size, size, 3]``.
        label: ``ok`` or the kind of defect.
        boxes: One per defect; none for a sound part.
        attributes: line, camera, shift, timestamp, part_id.
    """

    image: np.ndarray
    label: str
    boxes: tuple[Box, ...]
    attributes: dict[str, str]


def generate(index: int, config: DemoConfig = DEFAULT) -> DemoImage:
    """Image number ``index`` of the line: both cameras see part ``index // 2``."""
    number, view = divmod(index, len(CAMERAS))
    part = make_part((config.seed, 0, number), START + number * TAKT, PRIORS)
    return take_image(part, tuple(CAMERAS)[view], config)


def make_part(key: tuple[int, ...], moment: datetime, priors: Mapping[str, float]) -> DemoPart:
    """Draw the line and the label of a part."""
    line = tuple(LINES)[int(_rng(key, "line").integers(len(LINES)))]
    below = np.cumsum(list(priors.values())) / sum(priors.values())
    drawn = int(np.searchsorted(below, _rng(key, "label").random(), side="right"))
    return DemoPart(key, line, tuple(priors)[min(drawn, len(priors) - 1)], moment)


def take_image(
    part: DemoPart,
    camera: str,
    config: DemoConfig,
    conditions: Conditions = Conditions(),
) -> DemoImage:
    """An image of a part.

    Args:
        part: The part; the same part looks the same to both cameras but for the position.
        camera: A key of ``CAMERAS``.
        config: Size and strength of the defects.
        conditions: What is unusual on this day.
    """
    unit = config.size / 96
    margin = round(8 * unit)
    side = config.size + 2 * margin
    scene = painted_surface(_rng(part.key, "surface"), LINES[part.line], side, unit)
    rng = _rng(part.key, camera)
    top, left = (int(v) for v in rng.integers(0, 2 * margin + 1, 2))
    window = np.s_[..., top : top + config.size, left : left + config.size]
    scene, box = scene[window], None
    if part.label != SOUND:
        place = _rng(part.key, "defect")
        row, column = place.uniform(2 * margin + 8 * unit, config.size - 8 * unit, 2)
        change = defect_change(place, part.label, side, (row, column), unit, config.contrast)
        scene, box = scene * (1 + change[window]), defect_box(change[window])
    shift = shift_at(part.moment)
    name, optics = conditions.replaced.get(camera, (camera, CAMERAS[camera]))
    light = _combined(LIGHTS[shift], conditions.light)
    image = photograph(rng, scene, optics, light, unit, conditions.defocus)
    attributes = {
        "line": part.line,
        "camera": name,
        "shift": shift,
        "timestamp": part.moment.isoformat(),
        "part_id": "part-" + "-".join(f"{number:05d}" for number in part.key[1:]),
    }
    return DemoImage(image, part.label, (box,) if box else (), attributes)


def shift_at(moment: datetime) -> str:
    """Early from 6, late from 14, night from 22."""
    return tuple(LIGHTS)[((moment.hour - 6) % 24) // 8]


# The arrays are small: more threads only wait for each other.
@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]
def write_demo_images(
    out: Path,
    *,
    n: int = 1500,
    size: int = 96,
    seed: int = 0,
    contrast: float = 1.0,
    on_image: Callable[[], None] | None = None,
) -> Path:
    """Write a dataset of generated images.

    The folder holds ``images/*.jpg`` and ``metadata.jsonl`` with ``file_name``, ``label``,
    the attributes and ``objects`` (``bbox`` as x, y, width, height; ``category``): what
    ``datasets.load_dataset("imagefolder", data_dir=out)`` reads too.

    Args:
        out: A folder that does not exist yet, or is empty.
        n: How many images.
        size: Side in pixels.
        seed: Decides everything.
        contrast: Of the defects; 1.0 is hard, 2.0 easy.
        on_image: Called after each image.

    Returns:
        ``out``.

    Raises:
        DataError: If ``out`` holds something, or cannot be written.
    """
    config = DemoConfig(size=size, seed=seed, contrast=contrast)
    if n < 1:
        raise DataError(f"n is {n}: ask for at least one image.")
    with new_folder(out) as folder:
        (folder / "images").mkdir()
        with (folder / "metadata.jsonl").open("w", encoding="utf-8") as metadata:
            for index in range(n):
                image = generate(index, config)
                name = f"images/{index:06d}.jpg"
                save_image(image.image, folder / name)
                metadata.write(json.dumps({"file_name": name, **described(image)}) + "\n")
                if on_image:
                    on_image()
    return out


def described(image: DemoImage) -> dict[str, object]:
    """Label, attributes and boxes of an image as one row of ``metadata.jsonl``."""
    objects = {
        "bbox": [[float(value) for value in box] for box in image.boxes],
        "category": [image.label] * len(image.boxes),
    }
    return {"label": image.label, **image.attributes, "objects": objects}


def save_image(image: np.ndarray, path: Path) -> None:
    """Write an image as an industrial camera would: JPEG, little loss."""
    Image.fromarray(image).save(path, quality=95, subsampling=0)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write in, that becomes ``out`` only if all went well.

    Raises:
        DataError: If ``out`` holds something, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} already holds something: give a new or an empty folder.")
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}.") from None
    try:
        yield partial
        if out.exists():
            out.rmdir()
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _combined(first: Light, second: Light) -> Light:
    tint = tuple(a * b for a, b in zip(first.tint, second.tint, strict=True))
    return Light(first.level * second.level, first.slope + second.slope, tint)  # type: ignore[arg-type]


def _rng(key: tuple[int, ...], purpose: str) -> np.random.Generator:
    """A stream of its own for each purpose: drawing more of one thing changes no other."""
    return np.random.default_rng((*key, STREAMS.index(purpose)))
