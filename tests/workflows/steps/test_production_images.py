"""Labelled images of production: which are found, and that none is met twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hf_vft.data.load import ImageData, load_data
from hf_vft.errors import DataError, LogError
from hf_vft.recipe.schema import DataConfig
from hf_vft.records import ProductionLog
from hf_vft.utils.progress import Silent
from hf_vft.workflows.steps.production_images import divide_recent, read_recent

START = datetime(2026, 5, 1, tzinfo=UTC)


def image(seed: int) -> Image.Image:
    """Blotches that no other seed has."""
    cells = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((36, 36), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> ImageData:
    root = tmp_path_factory.mktemp("old")
    for number in range(24):
        file = root / ("ok" if number % 2 else "dent") / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        image(number).save(file)
    return load_data(root, DataConfig(), seed=0)


def rows(folder: Path, n: int = 60, **columns: Any) -> pd.DataFrame:
    folder.mkdir(exist_ok=True)
    for number in range(n):
        image(1000 + number).save(folder / f"{number}.png")
    return pd.DataFrame(
        {
            "request_id": [f"r{number}" for number in range(n)],
            "ts_utc": [START + timedelta(hours=number) for number in range(n)],
            "label": ["ok", "dent"] * (n // 2),
            "path": [str(folder / f"{number}.png") for number in range(n)],
            **columns,
        }
    )


def divided(frame: pd.DataFrame, old: ImageData, **options: Any) -> Any:
    given = {"group": None, "seed": 0, "display": Silent()} | options
    return divide_recent(frame, old, {}, **given)


def test_the_newest_labels_test_and_no_others(old: ImageData, tmp_path: Path) -> None:
    recent = divided(rows(tmp_path / "new"), old)
    splits = recent.frame.set_index("request_id")["split"]
    assert set(splits.index[splits == "test"]) == {f"r{number}" for number in range(36, 60)}
    assert (splits == "validation").sum() == pytest.approx(7, abs=2)
    assert recent.notes == []


def test_images_that_look_the_same_or_show_one_part_stay_on_one_side(
    old: ImageData, tmp_path: Path
) -> None:
    frame = rows(tmp_path / "new", part=[f"part-{number}" for number in range(60)])
    # The first image again, squeezed harder, as the newest; and one part over time.
    Image.open(frame["path"][0]).save(tmp_path / "again.jpg", quality=60)
    frame.loc[59, "path"] = str(tmp_path / "again.jpg")
    frame.loc[[5, 58], "part"] = "part-shared"
    splits = divided(frame, old, group="part").frame.set_index("request_id")["split"]
    assert splits["r0"] == splits["r59"] == "test"
    assert splits["r5"] == splits["r58"] == "test"


def test_what_was_there_at_training_is_left_out(old: ImageData, tmp_path: Path) -> None:
    frame = rows(tmp_path / "new")
    image(3).save(tmp_path / "known.jpg", quality=70)
    frame.loc[[10, 50], "path"] = str(tmp_path / "known.jpg")
    recent = divided(frame, old)
    assert {"r10", "r50"}.isdisjoint(recent.frame["request_id"])
    assert recent.notes == ["2 labelled images left out: nearly the same were there at training."]


def test_groups_that_the_champion_is_tested_on_are_not_learned_from(
    old: ImageData, tmp_path: Path
) -> None:
    tables = {
        split: table.add_column("group", [f"{split}-part"] * len(table))
        for split, table in old.splits.items()
    }
    grouped = ImageData(tables, old.labels, hashes=old.hashes, fingerprint="grouped")
    frame = rows(tmp_path / "new", part=[f"part-{number}" for number in range(60)])
    frame.loc[4, "part"] = "test-part"
    frame.loc[6, "part"] = "train-part"
    splits = divided(frame, grouped, group="part").frame.set_index("request_id")["split"]
    assert "r4" not in splits
    assert splits["r6"] in ("train", "validation")


def test_a_new_class_needs_enough_images_to_learn_from(old: ImageData, tmp_path: Path) -> None:
    frame = rows(tmp_path / "new")
    frame.loc[frame.index[:40:3], "label"] = "hole"
    frame.loc[[1, 50], "label"] = "rust"
    recent = divided(frame, old)
    assert recent.new_classes == ["hole"]
    assert recent.notes == [
        "New classes left out, with fewer than 10 images to learn from: 'rust' (1); label more "
        "of them."
    ]
    assert "rust" not in set(recent.frame["label"])
    assert (recent.frame["label"] == "hole").sum() == 14


def test_too_few_labels_are_refused(old: ImageData, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="different things: 30; at least 40 are needed"):
        divided(rows(tmp_path / "few", 30), old)
    stuck = rows(tmp_path / "stuck")
    stuck["path"] = stuck["path"][0]
    with pytest.raises(DataError, match="different things: 1;"):
        divided(stuck, old)


def log_of_three(folder: Path) -> ProductionLog:
    log = ProductionLog(folder)
    known = {"model_hash": "m1", "preprocessing_hash": "p1", "task": "image-classification"}
    with log.writer(slices=["camera"]) as writer:
        writer.append(
            {**known, "request_id": f"r{i}", "ts_utc": START, "file": file, "camera": "top"}
            for i, file in enumerate(["day/0.png", "../secret.png", None])
        )
        writer.append_labels([{"request_id": f"r{i}", "label": "ok"} for i in range(3)])
    return log


def test_images_are_those_that_the_log_kept(tmp_path: Path) -> None:
    log = log_of_three(tmp_path / "log")
    with pytest.raises(LogError, match="3 labels, but no image"):
        read_recent(log)
    with log.writer() as writer:
        writer.keep_image("r1", b"image", "png")
    frame, notes = read_recent(log)
    assert frame[["request_id", "label", "camera"]].to_numpy().tolist() == [["r1", "ok", "top"]]
    assert Path(frame["path"][0]).read_bytes() == b"image"
    assert notes == ["2 labelled images not found, left out."]


def test_images_are_found_by_name_or_table_and_never_outside_of_the_folder(
    tmp_path: Path,
) -> None:
    log = log_of_three(tmp_path / "log")
    folder = tmp_path / "images"
    (folder / "day").mkdir(parents=True)
    for file in (folder / "day" / "0.png", folder / "third.png", tmp_path / "secret.png"):
        image(0).save(file)
    (folder / "metadata.csv").write_text("request_id,file_name\nr2,third.png\n")
    frame, _ = read_recent(log, images=folder)
    assert [Path(path).name for path in frame["path"]] == ["0.png", "third.png"]


def test_labels_without_an_image_in_time_are_an_error(tmp_path: Path) -> None:
    log = log_of_three(tmp_path / "log")
    with pytest.raises(LogError, match="no labels yet"):
        read_recent(log, since=START + timedelta(days=1))


def test_what_is_dated_in_the_future_is_not_the_newest(tmp_path: Path) -> None:
    far = datetime(2099, 1, 1, tzinfo=UTC)
    known = {"model_hash": "m1", "preprocessing_hash": "p1", "task": "image-classification"}
    log = ProductionLog(tmp_path / "log")
    with log.writer() as writer:
        for name, moment in (("now", START), ("far", far)):
            writer.append([{"request_id": name, "ts_utc": moment, **known}])
            writer.keep_image(name, b"-", "png")
        writer.append_labels(
            {"request_id": name, "label": label, "ts_utc": moment}
            for name, label, moment in (("now", "ok", START), ("far", "ok", START))
        )
        writer.append_labels([{"request_id": "now", "label": "dent", "ts_utc": far}])
    frame, notes = read_recent(log)
    assert frame[["request_id", "label"]].to_numpy().tolist() == [["now", "ok"]]
    assert len(notes) == 1
    assert "1 predictions, and labels of 1 requests" in notes[0]
