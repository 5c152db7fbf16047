"""The generated inspection line in production: images by day, with a fault if wanted.

Each fault changes one thing from its day on, and nothing else: the same seed without the
fault gives the same parts, so the two streams can be compared image by image.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from hf_vft.data.demo.camera import CAMERAS, NEW_CAMERA, Light
from hf_vft.data.demo.defects import NEW_DEFECT
from hf_vft.data.demo.images import (
    DEFAULT,
    PRIORS,
    SOUND,
    Conditions,
    DemoConfig,
    DemoImage,
    DemoPart,
    make_part,
    new_folder,
    save_image,
    take_image,
)
from hf_vft.errors import DataError

FaultName = Literal[
    "none", "lighting", "new_camera", "blur", "class_prior", "new_defect", "label_rule"
]
FAULTS: tuple[FaultName, ...] = get_args(FaultName)

START = datetime(2026, 4, 1, 6)
DIMMED = Light(level=0.68, slope=0.22)
DEFOCUS = 1.6  # pixels of a 96-pixel image
WORSE_PRIORS = {**PRIORS, SOUND: PRIORS[SOUND] / 4}
NEW_DEFECT_SHARE = 0.15
ACCEPTED = frozenset({"scratch", "stain"})  # cosmetic, under the changed label rule


@dataclass(frozen=True)
class Fault:
    """A fault in production, and the day on which it begins (0 is the first).

    - ``lighting``: the lamps are dimmer and shine from one side.
    - ``new_camera``: the side camera is replaced by another model, with a new name.
    - ``blur``: both cameras lose their focus.
    - ``class_prior``: a fifth of the parts is sound, where it was half.
    - ``new_defect``: some parts have a dent, which no model was trained on.
    - ``label_rule``: scratches and stains now count as ``ok``; the images stay as they are.
    """

    name: FaultName = "none"
    day: int = 0

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise DataError(f"No fault {self.name!r}: choose one of {', '.join(FAULTS)}.")
        if self.day < 0:
            raise DataError(f"Day {self.day}: the first day is 0.")


@dataclass(frozen=True)
class ProductionImage:
    """An image of the stream, and the day that it was taken on."""

    day: int
    image: DemoImage


def production_stream(
    fault: Fault = Fault(),
    *,
    days: int = 14,
    per_day: int = 100,
    config: DemoConfig = DEFAULT,
) -> Iterator[ProductionImage]:
    """Images in the order in which they are taken. None of them is a training image.

    Args:
        fault: What goes wrong, and when.
        days: How many days.
        per_day: Images a day, over both cameras and all three shifts.
        config: Size, seed and strength of the defects, as for the training images.
    """
    if days < 1 or per_day < 1:
        raise DataError(f"{days} days of {per_day} images: both must be at least 1.")
    takt = timedelta(days=1) * len(CAMERAS) / per_day
    for day in range(days):
        active: FaultName = fault.name if day >= fault.day else "none"
        conditions = _conditions(active)
        for index in range(per_day):
            number, view = divmod(index, len(CAMERAS))
            moment = (START + timedelta(days=day) + number * takt).replace(microsecond=0)
            part = _part((config.seed, 1, day, number), moment, active)
            image = take_image(part, tuple(CAMERAS)[view], config, conditions)
            yield ProductionImage(day, _judged(image, active))


@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]
def write_production(
    out: Path,
    fault: Fault = Fault(),
    *,
    days: int = 14,
    per_day: int = 100,
    size: int = 96,
    seed: int = 0,
    contrast: float = 1.0,
    on_image: Callable[[], None] | None = None,
) -> Path:
    """Write a production stream: ``day-000/*.jpg`` ... and ``labels.csv``.

    ``labels.csv`` holds file_name, day, timestamp, line, camera, shift, part_id and label, the
    truth as inspectors find it later.

    Args:
        out: A folder that does not exist yet, or is empty.
        fault: What goes wrong, and when.
        days: How many days.
        per_day: Images a day.
        size: Side in pixels.
        seed: As for the training images.
        contrast: Of the defects, as for the training images.
        on_image: Called after each image.

    Returns:
        ``out``.

    Raises:
        DataError: If ``out`` holds something, or cannot be written.
    """
    config = DemoConfig(size=size, seed=seed, contrast=contrast)
    columns = ["file_name", "day", "timestamp", "line", "camera", "shift", "part_id", "label"]
    with (
        new_folder(out) as folder,
        (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.DictWriter(file, columns)
        table.writeheader()
        stream = production_stream(fault, days=days, per_day=per_day, config=config)
        for number, shot in enumerate(stream):
            name = f"day-{shot.day:03d}/{number % per_day:05d}.jpg"
            (folder / name).parent.mkdir(exist_ok=True)
            save_image(shot.image.image, folder / name)
            row = {"file_name": name, "day": shot.day, "label": shot.image.label}
            table.writerow({**row, **shot.image.attributes})
            if on_image:
                on_image()
    return out


def _conditions(active: FaultName) -> Conditions:
    if active == "lighting":
        return Conditions(light=DIMMED)
    if active == "blur":
        return Conditions(defocus=DEFOCUS)
    if active == "new_camera":
        return Conditions(replaced={"side": ("side-2", NEW_CAMERA)})
    return Conditions()


def _part(key: tuple[int, ...], moment: datetime, active: FaultName) -> DemoPart:
    part = make_part(key, moment, WORSE_PRIORS if active == "class_prior" else PRIORS)
    if active == "new_defect" and np.random.default_rng((*key, 99)).random() < NEW_DEFECT_SHARE:
        return replace(part, label=NEW_DEFECT)
    return part


def _judged(image: DemoImage, active: FaultName) -> DemoImage:
    """Apply the changed rule: what is accepted is ``ok`` and has no box."""
    if active == "label_rule" and image.label in ACCEPTED:
        return replace(image, label=SOUND, boxes=())
    return image
