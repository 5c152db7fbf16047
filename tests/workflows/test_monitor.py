"""From a run and its log to a verdict, a page, an exit status and a message."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hf_vft.errors import LogError
from hf_vft.monitoring.policy import Policy, load_policy
from hf_vft.recipe.schema import load_recipe
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from hf_vft.workflows.monitor import monitor_run
from tests.cli.exit_status import status_of
from tests.monitoring.made import drawn, reference
from tests.monitoring.made_log import log_of, run_without_weights

POLICY = "windows: {count: 1, needed: 1, rows: 100, least: 80}\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_without_weights(tmp_path_factory.mktemp("drawn") / "run")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("policy") / "policy.yaml"
    file.write_text(POLICY)
    return file


def test_a_quiet_log_exits_with_0_and_asks_for_nothing(
    run: Path, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = log_of(tmp_path / "log"), tmp_path / "out"
    assert status_of("monitor", run, log, "--policy", policy, "--out", out) == 0
    assert "In order" in capsys.readouterr().out
    assert pd.read_csv(out / "label-these.csv").empty


def test_darker_images_exit_with_3_name_the_cause_and_what_to_label(
    run: Path, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = log_of(tmp_path / "log", brightness=-1.0), tmp_path / "out"
    words = ("--policy", policy, "--out", out, "--workspace", tmp_path / "workspace", "--json")
    assert status_of("monitor", run, log, *words) == 3
    files = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    assert files == {"monitor.html", "verdict.json", "snapshot.json", "label-these.csv"}
    assert list((tmp_path / "workspace").iterdir())
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads((out / "verdict.json").read_text())
    assert said["action"] == "label"
    assert said["causes"][0]["kind"] == "lamp"
    assert "check the lamps" in said["headline"]
    assert said["actions"] == said["todo"]
    assert said["since"]["at"] is None  # it was so from the first image on
    assert said["affected"] == []
    assert said["reasons"][0].startswith("input, brightness")
    chosen = pd.read_csv(out / "label-these.csv")
    assert len(chosen) == 60
    newest = {f"r{number}" for number in range(200, 300)}
    assert set(chosen["request_id"]) <= newest
    assert set(chosen["why"]) == {"uncertain", "drifted", "diverse"}


def test_measured_loss_is_shown_over_time_and_nothing_is_left_to_label(
    run: Path, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = log_of(tmp_path / "log", labelled=True, wrong=0.4), tmp_path / "out"
    assert status_of("monitor", run, log, "--policy", policy, "--out", out) == 3
    said = capsys.readouterr().out
    assert "The model has become worse" in said
    assert "the labelling rule may have changed" in said
    assert said.index("Ask whoever labels") < said.index("hf-vft retrain RUN LOG")
    assert pd.read_csv(out / "label-these.csv").empty
    page = (out / "monitor.html").read_text(encoding="utf-8")
    assert "Accuracy over time, measured on labels" in page
    assert "How right it was over time" in page
    assert "at training" in page


def test_another_spelling_of_a_class_is_no_loss(
    run: Path, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = log_of(tmp_path / "log", labelled=True)
    with ProductionLog(log).writer() as writer:
        given = ProductionLog(log).read_labels()
        ok = given[given["label"] == "ok"]["request_id"]
        writer.append_labels({"request_id": one, "label": "OK "} for one in ok)
    assert status_of("monitor", run, log, "--policy", policy, "--out", tmp_path / "out") == 0
    assert f"'OK ' ({len(ok)}, write 'ok')" in capsys.readouterr().out


def test_a_request_that_was_logged_twice_counts_once(
    run: Path, policy: Path, tmp_path: Path
) -> None:
    log = log_of(tmp_path / "log")
    rows, _ = drawn(300, np.random.default_rng(5))
    with ProductionLog(log).writer(slices=["part"]) as writer:
        writer.append(rows[:120])
    watched = monitor_run(
        run, log, Policy.model_validate({"windows": {"rows": 300, "count": 1, "needed": 1}})
    )
    assert watched.decision.rows == 300
    assert "120 rows of requests that were logged more than once" in " ".join(
        watched.decision.reasons
    )


@pytest.mark.parametrize(("until", "told"), [(None, True), ("2100-01-01", False)])
def test_rows_dated_in_the_future_are_left_out_and_counted(
    run: Path,
    policy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    until: str | None,
    told: bool,
) -> None:
    log, far = log_of(tmp_path / "log", labelled=True), datetime(2099, 1, 1, tzinfo=UTC)
    strange, _ = drawn(150, np.random.default_rng(8), brightness=-3.0)
    with ProductionLog(log).writer(slices=["part"]) as writer:
        writer.append(
            row | {"request_id": f"f{i}", "ts_utc": far + timedelta(minutes=i)}
            for i, row in enumerate(strange)
        )
        writer.append_labels({"request_id": "r7", "label": "dent", "ts_utc": far} for _ in "ab")
    out = tmp_path / "out"
    words = ["--until", until] if until else []
    status = status_of("monitor", run, log, "--policy", policy, "--out", out, *words)
    said = capsys.readouterr().out
    verdict = json.loads((out / "verdict.json").read_text())
    sentence = "150 predictions, and labels of 1 requests"
    for text in (said, " ".join(verdict["reasons"]), (out / "monitor.html").read_text()):
        assert (sentence in text) == told
    # Left out, they change nothing; counted in by a date that was asked for, they are the newest.
    assert status == (0 if told else 3)


def test_without_loss_but_with_all_labels_the_cause_is_looked_for(
    run: Path, policy: Path, tmp_path: Path
) -> None:
    log = log_of(tmp_path / "log", labelled=True, brightness=-1.0)
    watched = monitor_run(run, log, load_policy(policy))
    assert watched.decision.action == "mend"
    assert watched.to_label.empty
    assert watched.decision.todo[0].startswith("Check the lamps")
    assert "unknown" not in watched.decision.headline
    assert "the labels prove no loss" in watched.decision.headline
    assert len(watched.over_time) == 12
    assert watched.over_time["rows"].sum() == 300


def test_evidently_presets_are_written_where_they_are_asked_for(
    run: Path, policy: Path, tmp_path: Path
) -> None:
    log = log_of(tmp_path / "log", labelled=True)
    words = ("monitor", run, log, "--policy", policy, "--out", tmp_path / "report")
    assert status_of(*words, "--presets") == 0
    page = (tmp_path / "report" / "evidently.html").read_text(encoding="utf-8")
    assert "Drift" in page
    assert "Accuracy" in page


def test_images_are_found_in_the_data_and_in_the_log(
    run: Path, policy: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    names = reference(300).sample.frame["file"]
    for number, name in enumerate(names[:20]):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(data / name)
    given = RunDirectory(shutil.copytree(run, tmp_path / "run"))
    recipe = load_recipe("staged").replaced({"data.path": str(data)})
    given.recipe_file.write_text(recipe.to_yaml())
    log = ProductionLog.open(log_of(tmp_path / "log"))
    newest = log.read()["request_id"].iloc[-1]
    with log.writer() as writer:
        writer.keep_image(newest, (data / names[0]).read_bytes(), "jpg")
    chosen = load_policy(policy)
    images = monitor_run(given.path, log.folder, chosen, with_images=True).images
    assert [(title, len(shown)) for title, shown in images] == [
        ("At training", 8),
        ("Now", 1),
        ("Now, least like training", 1),
    ]
    assert not monitor_run(given.path, log.folder, chosen).images


def test_too_few_rows_wait_and_mere_images_need_a_place_for_their_log(
    run: Path, tmp_path: Path
) -> None:
    watched = monitor_run(
        run, log_of(tmp_path / "log"), Policy.model_validate({"windows": {"least": 400}})
    )
    assert watched.decision.action == "wait"
    with pytest.raises(LogError, match="say where its images may be logged"):
        monitor_run(run, tmp_path, Policy())


def test_only_the_time_that_was_asked_for_counts(run: Path, tmp_path: Path) -> None:
    log = log_of(tmp_path / "log")
    first = ProductionLog(log).read(columns=["ts_utc"])["ts_utc"].min()
    chosen = Policy.model_validate({"windows": {"least": 80}})
    since = first + timedelta(minutes=210)
    watched = monitor_run(run, log, chosen, since=since)
    assert (watched.decision.windows, watched.decision.rows) == (1, 90)


def test_the_command_takes_the_time_as_well(run: Path, policy: Path, tmp_path: Path) -> None:
    log = log_of(tmp_path / "log")
    first = ProductionLog(log).read(columns=["ts_utc"])["ts_utc"].min()
    since, until = ((first + timedelta(minutes=m)).strftime("%Y-%m-%dT%H:%M:%S") for m in (10, 100))
    out, words = tmp_path / "out", ("--policy", policy, "--since", since, "--until", until)
    assert status_of("monitor", run, log, "--out", out, *words) == 0
    assert json.loads((out / "verdict.json").read_text())["rows"] == 90
