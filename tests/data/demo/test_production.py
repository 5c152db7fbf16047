"""The production stream of the generated line, and its faults."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hf_vft.data.demo.images import DemoConfig, generate
from hf_vft.data.demo.production import (
    ACCEPTED,
    FAULTS,
    Fault,
    ProductionImage,
    production_stream,
    write_production,
)
from hf_vft.errors import DataError

DAYS, PER_DAY, DAY = 2, 120, 1
CONFIG = DemoConfig(size=32)


def stream(fault: Fault) -> list[ProductionImage]:
    return list(production_stream(fault, days=DAYS, per_day=PER_DAY, config=CONFIG))


@pytest.fixture(scope="module")
def normal() -> list[ProductionImage]:
    return stream(Fault())


@pytest.fixture(scope="module")
def faulty() -> dict[str, list[ProductionImage]]:
    return {name: stream(Fault(name, DAY)) for name in FAULTS}


def same_image(first: ProductionImage, second: ProductionImage) -> bool:
    return np.array_equal(first.image.image, second.image.image)


def sharpness(shots: list[ProductionImage]) -> float:
    return float(np.mean([np.abs(np.diff(s.image.image.astype(int), axis=0)) for s in shots]))


def brightness(shots: list[ProductionImage]) -> float:
    return float(np.mean([s.image.image for s in shots]))


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_changes_before_the_day(name, normal, faulty) -> None:
    for before, now in zip(normal[: DAY * PER_DAY], faulty[name][: DAY * PER_DAY], strict=True):
        assert same_image(before, now)
        assert before.image.attributes == now.image.attributes
        assert before.image.label == now.image.label


@pytest.mark.parametrize("name", ["lighting", "new_camera", "blur"])
def test_faults_of_the_optics_leave_parts_and_labels_alone(name, normal, faulty) -> None:
    for before, now in zip(normal, faulty[name], strict=True):
        assert (before.image.label, before.image.boxes) == (
            now.image.label,
            now.image.boxes,
        )
        assert before.image.attributes["part_id"] == now.image.attributes["part_id"]


def test_lighting_dims_and_blur_softens(normal, faulty) -> None:
    after = slice(DAY * PER_DAY, None)
    assert brightness(faulty["lighting"][after]) < 0.8 * brightness(normal[after])
    assert sharpness(faulty["blur"][after]) < 0.8 * sharpness(normal[after])
    assert brightness(faulty["blur"][after]) == pytest.approx(brightness(normal[after]), rel=0.01)


def test_new_camera_replaces_one_of_the_two(normal, faulty) -> None:
    after = faulty["new_camera"][DAY * PER_DAY :]
    assert {s.image.attributes["camera"] for s in after} == {"top", "side-2"}
    for before, now in zip(normal[DAY * PER_DAY :], after, strict=True):
        assert same_image(before, now) == (now.image.attributes["camera"] == "top")


def test_class_prior_changes_labels_only(normal, faulty) -> None:
    after = faulty["class_prior"][DAY * PER_DAY :]
    sound = Counter(s.image.label for s in after)["ok"]
    assert sound < 0.6 * Counter(s.image.label for s in normal[DAY * PER_DAY :])["ok"]
    for before, now in zip(normal[DAY * PER_DAY :], after, strict=True):
        assert before.image.attributes == now.image.attributes
        assert same_image(before, now) == (before.image.label == now.image.label)


def test_new_defect_appears_and_the_rest_stays(normal, faulty) -> None:
    after = faulty["new_defect"][DAY * PER_DAY :]
    assert 0 < sum(s.image.label == "dent" for s in after) < len(after) / 2
    for before, now in zip(normal[DAY * PER_DAY :], after, strict=True):
        assert same_image(before, now) == (now.image.label != "dent")


def test_label_rule_changes_no_image(normal, faulty) -> None:
    changed = 0
    for before, now in zip(normal, faulty["label_rule"], strict=True):
        assert same_image(before, now)
        if now.day >= DAY and before.image.label in ACCEPTED:
            assert (now.image.label, now.image.boxes) == ("ok", ())
            changed += 1
        else:
            assert now.image.label == before.image.label
    assert changed


def test_no_training_image_appears_again(normal) -> None:
    training = {generate(index, CONFIG).image.tobytes() for index in range(PER_DAY)}
    assert not training & {shot.image.image.tobytes() for shot in normal}


def test_time_runs_through_every_shift_of_every_day(normal) -> None:
    stamps = [shot.image.attributes["timestamp"] for shot in normal]
    assert stamps == sorted(stamps)
    for day in range(DAYS):
        shifts = {s.image.attributes["shift"] for s in normal if s.day == day}
        assert shifts == {"early", "late", "night"}


def test_written_stream_has_every_image_and_the_truth(tmp_path: Path, normal) -> None:
    out = write_production(tmp_path / "log", days=DAYS, per_day=PER_DAY, size=32)
    with (out / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [shot.image.label for shot in normal]
    assert [int(row["day"]) for row in rows] == [shot.day for shot in normal]
    assert all((out / row["file_name"]).is_file() for row in rows)
    assert len({row["file_name"] for row in rows}) == DAYS * PER_DAY


def test_impossible_wishes_are_refused() -> None:
    with pytest.raises(DataError, match="choose one of none, lighting"):
        Fault("fire")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="first day is 0"):
        Fault("blur", -1)
    with pytest.raises(DataError, match="at least 1"):
        next(production_stream(days=0))
