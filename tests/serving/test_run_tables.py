from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hf_vft.evaluation.results import Estimate, EvalReport
from hf_vft.records import ProductionLog
from hf_vft.serving import page, run_tables
from tests.serving import made

IDENTITY = {"model_hash": "m1", "preprocessing_hash": "p1", "task": "image-classification"}


def verdict(folder: Path, action: str, age: int) -> Path:
    folder.mkdir(parents=True)
    told = {"action": action, "headline": f"Now {action}.", "reasons": ["<i>why</i>"]}
    path = folder / "verdict.json"
    path.write_text(json.dumps(told | {"todo": ["Do `hf-vft it`."], "rows": 300, "judged": []}))
    (folder / "monitor.html").write_text("<html>")
    moment = path.stat().st_mtime - age
    os.utime(path, (moment, moment))
    return path


def test_the_newest_verdict_says_whether_to_retrain(tmp_path: Path) -> None:
    assert run_tables.newest_verdict(tmp_path / "none") == (None, "", None)
    verdict(tmp_path / "monday", "none", age=900)
    newest = verdict(tmp_path / "tuesday", "retrain", age=60)
    verdict(tmp_path / "wednesday", "label", age=0).write_text("{half")
    found, written, report = run_tables.newest_verdict(tmp_path)
    assert found is not None
    assert found["action"] == "retrain"
    assert report == newest.with_name("monitor.html")
    card = page.verdict_card(found, written)
    assert "Now retrain." in card
    assert "vft-card bad" in card
    assert "&lt;i&gt;why&lt;/i&gt;" in card
    assert "Do <code>hf-vft it</code>." in card
    assert "hf-vft monitor" in page.verdict_card(None)


def test_answers_that_were_not_timed_have_no_time(tmp_path: Path) -> None:
    log = ProductionLog(tmp_path)
    row = {"request_id": "r", "ts_utc": datetime(2026, 3, 2, tzinfo=UTC), "confidence": 0.5}
    with log.writer() as writer:
        writer.append([IDENTITY | row | {"predicted": "a"}])
    assert "nan" not in run_tables.log_history(log, 0.5)[0]


@pytest.mark.parametrize(("hours", "moments"), [(5, 5), (24 * 6, 6)])
def test_history_shows_the_figures_by_hour_or_by_day(
    tmp_path: Path, hours: int, moments: int
) -> None:
    log = ProductionLog(tmp_path)
    start = datetime(2026, 3, 2, tzinfo=UTC)
    old = {"request_id": "old", "ts_utc": start - timedelta(days=run_tables.DAYS), **IDENTITY}
    rows = [
        {"request_id": f"r{i}", "ts_utc": start + timedelta(hours=i), **IDENTITY}
        | {"predicted": "b|a", "confidence": 0.9 if i % 2 else 0.4, "latency_ms": 12.0}
        for i in range(hours)
    ]
    with log.writer() as writer:
        writer.append([*rows, old | {"predicted": "a", "confidence": 0.1, "latency_ms": 900.0}])
    log.append_labels([{"request_id": "r0", "label": "a|b"}, {"request_id": "r1", "label": "a"}])
    tiles, history = run_tables.log_history(log, 0.5)
    assert "12 ms" in tiles
    assert f"<strong>{hours}</strong><span>answers logged, the last {run_tables.DAYS} days" in tiles
    assert "right, by 2 feedbacks" in tiles
    assert set(history["figure"]) == {"mean confidence", "share not sure", "share right"}
    assert (history["figure"] == "mean confidence").sum() == moments
    first = history[history["figure"] == "share right"]["value"].iloc[0]
    assert first == (1.0 if hours == 5 else 0.5)
    without, again = run_tables.log_history(log, None)
    assert "not sure" not in without
    assert "share not sure" not in set(again["figure"])


@pytest.mark.parametrize(("make", "metric"), [(made.several, "f1"), (made.detector, "f1")])
def test_classes_and_slices_are_plotted_for_every_task(
    tmp_path: Path, make: object, metric: str
) -> None:
    run = make(tmp_path / "run")  # type: ignore[operator]
    report = EvalReport.model_validate(run.read_json(run.metrics_file))
    assert [name for name, _ in run_tables.class_scores(report).rows] == made.LABELS
    assert len(run_tables.slice_scores(report).rows) == 2
    assert run_tables.slice_scores(report).metric
    assert run_tables.slice_values(report) == {"camera": ["side", "top"]}


def test_bars_show_their_intervals_and_a_score_without_one_has_none() -> None:
    rows = [("<i>pit</i>", Estimate(value=0.5, low=0.4, high=0.7)), ("ok", Estimate(value=1.0))]
    shown = page.score_bars("F1 by class", rows)
    assert '<u style="left:40.0%;width:30.0%"></u>' in shown
    assert shown.count("<u ") == 1
    assert "0.50 (0.40–0.70)" in shown
    assert "<i>pit" not in shown
    table = page.score_table(rows)
    assert "<td>0.50</td><td>0.40</td><td>0.70</td>" in table
    assert "<td>–</td>" in table
