"""`hf-vft log`: labels that come late are written, and a log becomes Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hf_vft.records import ProductionLog
from tests.cli.exit_status import status_of
from tests.monitoring.made import drawn
from tests.monitoring.made_log import log_of, run_without_weights


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_without_weights(tmp_path_factory.mktemp("drawn") / "run")


def test_labels_of_a_file_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = log_of(tmp_path / "log")
    file = tmp_path / "label-these.csv"
    file.write_text("request_id,label,source\nr1,ok,ann\nr2, dent ,\nr3,,\n")
    assert status_of("log", "label", log, file, "--source", "line 2") == 0
    assert "2 labels written" in capsys.readouterr().out
    found = ProductionLog(log).read_labels().set_index("request_id")
    assert found["label"].to_dict() == {"r1": "ok", "r2": "dent"}
    assert found["source"].to_dict() == {"r1": "ann", "r2": "line 2"}


def test_a_label_of_an_unknown_request_writes_nothing(tmp_path: Path, capsys) -> None:
    log = log_of(tmp_path / "log")
    file = tmp_path / "labels.csv"
    file.write_text("request_id,label\nr1,ok\nx9,ok\n")
    assert status_of("log", "label", log, file) == 1
    assert "'x9' the first; nothing was written" in capsys.readouterr().err
    assert ProductionLog(log).read_labels().empty
    file.write_text("request,label\nr1,ok\n")
    assert status_of("log", "label", log, file) == 1
    assert "no column 'request_id'" in capsys.readouterr().err


def test_labels_that_are_no_class_are_kept_out_and_told(run: Path, tmp_path: Path, capsys) -> None:
    log = log_of(tmp_path / "log")
    file = tmp_path / "labels.csv"
    file.write_text("request_id,label\nr1,ok\nr2,OK\nr3,nonsense\nr4,scrath\n")
    assert status_of("log", "label", log, file, "--run", run) == 0
    said = capsys.readouterr()
    assert "1 labels written" in said.out
    for told in ("'OK' (1, write 'ok')", "'nonsense' (1)", "'scrath' (1, perhaps 'scratch')"):
        assert told in said.err
    assert list(ProductionLog(log).read_labels()["request_id"]) == ["r1"]
    file.write_text("request_id,label\nr3,nonsense\n")
    assert status_of("log", "label", log, file) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert status_of("log", "label", log, file, "--new-class", "nonsense") == 0


def test_two_labels_of_one_request_are_for_a_person_to_settle(tmp_path: Path, capsys) -> None:
    log = log_of(tmp_path / "log")
    file = tmp_path / "labels.csv"
    file.write_text("request_id,label\nr1,ok\nr1,dent\n")
    assert status_of("log", "label", log, file) == 1
    assert "'r1' has two labels, 'ok' and 'dent'" in capsys.readouterr().err


def test_a_line_separator_within_a_label_ends_no_row(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log")
    file = tmp_path / "labels.csv"
    file.write_text("request_id,label\nr1,a\u2028b\nr2,ok\n", encoding="utf-8")
    assert status_of("log", "label", log, file, "--new-class", "a\u2028b") == 0
    found = ProductionLog(log).read_labels().set_index("request_id")["label"]
    assert found.to_dict() == {"r1": "a\u2028b", "r2": "ok"}


def test_a_log_is_compacted(tmp_path: Path, capsys) -> None:
    log = log_of(tmp_path / "log")
    before = ProductionLog(log).read()
    rows, _ = drawn(10, np.random.default_rng(1))
    with ProductionLog(log).writer(slices=["part"]) as writer:
        writer.append(row | {"request_id": f"s{i}"} for i, row in enumerate(rows))
    assert status_of("log", "compact", log) == 0
    assert "4 files became 2" in capsys.readouterr().out
    assert len(ProductionLog(log).read()) == len(before) + 10
    assert status_of("log", "compact", tmp_path) == 1
