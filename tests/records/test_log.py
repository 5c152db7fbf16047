from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from hf_vft.errors import LogError
from hf_vft.records import PREDICTIONS, SCHEMA_VERSION, ProductionLog
from hf_vft.records.schema import schema_of
from tests.records.rows import START, row


@pytest.fixture
def log(tmp_path: Path) -> ProductionLog:
    return ProductionLog(tmp_path / "log")


def ids(frame: pd.DataFrame) -> list[str]:
    return list(frame["request_id"])


def test_what_is_written_is_read_from_the_journal_and_from_parts_alike(log: ProductionLog) -> None:
    with log.writer(slices=["camera"]) as writer:
        writer.append([row(i, camera="top", embedding=np.arange(4) + i) for i in range(3)])
        before, embedded = log.read(), log.read_embeddings()
        assert not list(log.folder.rglob("*.parquet"))
    after = log.read()
    assert not list(log.folder.rglob("*.jsonl"))
    assert len(list(log.folder.rglob("*.parquet"))) == 2
    pd.testing.assert_frame_equal(before, after)
    np.testing.assert_array_equal(embedded.values, log.read_embeddings().values)
    assert list(after.columns) == [*PREDICTIONS, "camera"]
    for i in range(3):
        expected = row(i)
        assert after["ts_utc"][i] == expected["ts_utc"]
        assert after["brightness"][i] == np.float32(expected["brightness"])
        np.testing.assert_array_equal(
            after["probabilities"][i], expected["probabilities"].astype(np.float32)
        )
    assert embedded.values.dtype == np.float16
    np.testing.assert_array_equal(embedded.values[1], [1, 2, 3, 4])
    assert list(embedded.request_ids) == ["r0", "r1", "r2"]


def test_other_tools_read_the_tables_as_they_are(log: ProductionLog, tmp_path: Path) -> None:
    with log.writer() as writer:
        writer.append(row(i * 1440, embedding=[1.0, 2.0]) for i in range(3))
    frame = pd.read_parquet(log.folder / "predictions")
    assert sorted(frame["request_id"]) == ["r0", "r1440", "r2880"]
    assert sorted(frame["date"].astype(str)) == ["2026-04-01", "2026-04-02", "2026-04-03"]
    assert set(frame["model"]) == {"m1"}
    for table in ("predictions", "embeddings"):
        files = [str(path) for path in (log.folder / table).rglob("*.parquet")]
        found = datasets.Dataset.from_parquet(files, cache_dir=str(tmp_path / "cache"))
        assert len(found) == 3
    assert found[0]["embedding"] == [1.0, 2.0]
    assert pq.ParquetFile(files[0]).metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_time_selects_rows_and_reads_only_the_days_it_touches(log: ProductionLog) -> None:
    with log.writer() as writer:
        writer.append(row(i * 720) for i in range(6))  # twice a day from 06:00
    later = log.read(START + timedelta(days=1), START + timedelta(days=2))
    assert ids(later) == ["r1440", "r2160"]
    day = next(log.folder.rglob("date=2026-04-01"))
    next(day.glob("*.parquet")).write_bytes(b"damaged")
    assert ids(log.read(START + timedelta(days=1, hours=12))) == ["r2160", "r2880", "r3600"]
    with pytest.raises(LogError, match=r"damaged .* move it away"):
        log.read()


def test_columns_and_models_can_be_chosen(log: ProductionLog) -> None:
    with log.writer(slices=["shift"]) as writer:
        writer.append([row(0, shift="night"), row(1, model="m2", shift="day")])
    with log.writer() as writer:
        writer.append([row(2)])
    frame = log.read(columns=["request_id", "shift", "energy"])
    assert list(frame.columns) == ["request_id", "shift", "energy"]
    assert list(frame["shift"].fillna("-")) == ["night", "day", "-"]
    assert frame["energy"].isna().all()
    assert list(log.read(columns=["ts_utc", "task"]).columns) == ["ts_utc", "task"]
    assert ids(log.read(model="m2")) == ["r1"]
    with pytest.raises(LogError, match="no column 'speed'"):
        log.read(columns=["speed"])


def test_the_last_label_of_a_request_counts(log: ProductionLog) -> None:
    first, second = START, START + timedelta(days=3)
    log.append_labels([{"request_id": "r1", "label": "b", "source": "audit", "ts_utc": second}])
    log.append_labels([{"request_id": "r1", "label": "a", "source": "line", "ts_utc": first}])
    log.append_labels([{"request_id": "r2", "label": "c"}])
    labels = log.read_labels().set_index("request_id")
    assert dict(labels["label"]) == {"r1": "b", "r2": "c"}
    assert abs(labels.loc["r2", "ts_utc"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert len(log.read_labels(until=second)) == 1


def test_an_empty_log_has_all_columns_and_no_rows(log: ProductionLog) -> None:
    assert not ProductionLog.is_log(log.folder)
    with pytest.raises(LogError, match="no production log"):
        ProductionLog.open(log.folder)
    with log.writer() as writer:
        writer.append([])
    assert not log.folder.exists()
    assert list(log.read().columns) == list(PREDICTIONS)
    assert log.read_embeddings().values.shape == (0, 0)
    assert log.read_labels().empty


def test_embeddings_of_different_models_are_not_mixed(log: ProductionLog) -> None:
    with log.writer() as writer:
        writer.append([row(0, embedding=[1, 2]), row(1, model="m2", embedding=[1, 2, 3])])
    with pytest.raises(LogError, match="several models"):
        log.read_embeddings()
    assert log.read_embeddings(model="m2").values.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"request_id": "../../etc"}, "request_id '../../etc' must match"),
        ({"request_id": None}, "a row has no 'request_id'"),
        ({"model_hash": "123"}, "model_hash '123' must match"),
        ({"ts_utc": datetime(2026, 1, 1)}, "the time zone is missing"),
        ({"ts_utc": "yesterday"}, "a datetime is needed"),
        ({"camera": "top"}, "no column 'camera'; name it as a slice column"),
        ({"width": "wide"}, "column 'width', value 'wide'"),
        ({"embedding": [[1.0], [2.0, 3.0]]}, "column 'embedding'"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_all_of_its_call(
    log: ProductionLog, changes: dict, said: str
) -> None:
    with log.writer() as writer:
        with pytest.raises(LogError) as caught:
            writer.append([row(0), row(1, **changes)])
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    assert log.read().empty


def test_slice_columns_do_not_replace_the_logs_own(log: ProductionLog) -> None:
    for taken in ("confidence", "model"):
        with pytest.raises(LogError, match="has a column of this name"):
            log.writer(slices=[taken])


def test_what_is_no_number_is_null(log: ProductionLog) -> None:
    with log.writer() as writer:
        writer.append([row(0, sharpness=float("nan"), energy=float("inf"))])
        assert log.read()[["sharpness", "energy"]].isna().all(axis=None)


def test_a_log_of_a_newer_version_is_refused(log: ProductionLog) -> None:
    with log.writer() as writer:
        writer.append([row(0)])
    path = next(log.folder.rglob("*.parquet"))
    newer = {b"hf_vft.schema_version": str(SCHEMA_VERSION + 1).encode()}
    pq.write_table(pq.read_table(path, partitioning=None).replace_schema_metadata(newer), path)
    with pytest.raises(LogError, match=r"written with schema 2, .* upgrade"):
        log.read()


def test_every_column_is_documented_and_versioned(log: ProductionLog) -> None:
    assert all(meaning for _, meaning in PREDICTIONS.values())
    assert schema_of("predictions").metadata == {b"hf_vft.schema_version": b"1"}
    with log.writer() as writer:
        writer.append([row(0)])
    assert json.loads((log.folder / "production-log.json").read_text())["schema_version"] == 1


def test_images_are_kept_by_request_and_nowhere_else(log: ProductionLog) -> None:
    with log.writer() as writer:
        path = writer.keep_image("r1", b"content", "PNG")
        for name, suffix in (("../r1", "png"), ("r1", "../../png"), ("r*", "png")):
            with pytest.raises(LogError, match="must match"):
                writer.keep_image(name, b"content", suffix)
    assert log.image_file("r1") == path
    assert path.read_bytes() == b"content"
    assert log.image_file("r2") is None
    with pytest.raises(LogError, match="must match"):
        log.image_file("*")


@pytest.mark.parametrize(
    "name",
    [
        "date=",
        "date=soon",
        "date=2026-13-01",
        "date=20260401",
        "2026-04-01",
        "date=2026-04-01/more",
    ],
)
@pytest.mark.parametrize("table", ["predictions/model=m1", "labels"])
def test_a_stray_folder_is_named_in_a_line_rather_than_left_out(
    log: ProductionLog, table: str, name: str
) -> None:
    with log.writer() as writer:
        writer.append([row(0)])
        writer.append_labels([{"request_id": "r0", "label": "a"}])
    stray = log.folder / table / name
    stray.mkdir(parents=True)
    assert len(log.read()) == 1  # an empty one holds nothing that could be missed
    part = next((log.folder / table.split("/")[0]).rglob("part-*.parquet"))
    (stray / "part-x.parquet").write_bytes(part.read_bytes())
    for act in (log.compact, log.read if table != "labels" else log.read_labels):
        with pytest.raises(LogError, match=r"not a folder of .*move it away") as found:
            act()
        assert str(stray) in str(found.value)
        assert "\n" not in str(found.value)


def test_damage_behind_a_sound_footer_is_named_in_a_line(log: ProductionLog) -> None:
    with log.writer() as writer:
        writer.append([row(i) for i in range(50)])
    part = next(log.folder.rglob("part-*.parquet"))
    content = bytearray(part.read_bytes())
    content[4:2000] = bytes(1996)
    part.write_bytes(bytes(content))
    with pytest.raises(LogError, match=r"damaged .* move it away") as found:
        log.read()
    assert "\n" not in str(found.value)


def test_a_journal_becomes_parts_in_time_however_few_its_rows_are(log: ProductionLog) -> None:
    with log.writer(roll_seconds=0.05) as writer:
        for number in range(2):
            writer.append([row(number)])
            patience = time.monotonic() + 10
            while (
                len(list(log.folder.rglob("*.parquet"))) <= number and time.monotonic() < patience
            ):
                time.sleep(0.01)
            assert len(pd.read_parquet(log.folder / "predictions")) == number + 1
    assert ids(log.read()) == ["r0", "r1"]
