"""A threshold by cost, from what a run has recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hf_vft.cli.main import main
from hf_vft.errors import RunError
from hf_vft.evaluation.alarms import Alarms
from hf_vft.evaluation.results import EvalReport
from hf_vft.recipe.schema import Recipe
from hf_vft.run import RunDirectory, write_text
from hf_vft.workflows.choose_threshold import choose_threshold, remove_threshold


def made(path: Path, *, several: bool = False, task: str = "image-classification") -> Path:
    run = RunDirectory(path)
    run.model.mkdir(parents=True)
    (run.model / "config.json").write_text("{}")
    rng = np.random.default_rng(0)
    score = rng.random(800)
    truth = rng.random(800) < score
    rows: list[dict[str, Any]] = [
        {
            "split": "validation" if i % 2 else "test",
            "label": _told(bool(there), several),
            "predicted": _told(bool(s >= 0.5), several),
            "probabilities": [s, 1 - s],
        }
        for i, (s, there) in enumerate(zip(score, truth, strict=True))
    ]
    run.predictions_file.parent.mkdir()
    pd.DataFrame(rows).to_parquet(run.predictions_file)
    report = EvalReport(task=task, labels=["crack", "fine"], splits={})
    write_text(run.metrics_file, report.model_dump_json())
    write_text(run.recipe_file, Recipe(task=task).to_yaml())
    return path


def _told(crack: bool, several: bool) -> Any:
    if several:
        return ["crack"] if crack else []
    return "crack" if crack else "fine"


@pytest.mark.parametrize("several", [False, True])
def test_a_dear_miss_lowers_the_threshold_and_saves(tmp_path: Path, several: bool) -> None:
    task = "multi-label-classification" if several else "image-classification"
    found = choose_threshold(made(tmp_path / "run", several=several, task=task), "crack", miss=9)
    assert found.threshold == pytest.approx(0.1)
    assert (found.n, len(found.rules)) == (400, 4)
    saves = found.rules["threshold"].saves
    assert saves is not None
    assert (saves.low or 0) > 0
    assert found.rules["threshold"].misses < found.rules["as answered"].misses
    assert found.rules["never"].false_alarms == found.rules["always"].misses == 0


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["threshold", str(made(tmp_path / "run")), "--label", "crack", "--miss", "9"]
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as caught:
            main([*words, *more])
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        if more:
            assert json.loads(shown)["threshold"] == pytest.approx(0.1)
        else:
            assert "Threshold for crack: 0.1 (" in shown


@pytest.mark.parametrize(
    ("label", "miss", "task", "told"),
    [
        ("crak", 1.0, "image-classification", "did you mean 'crack'"),
        ("crack", 0.0, "image-classification", "both have to be above 0"),
        ("crack", 1.0, "object-detection", "evaluation.beta"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, label: str, miss: float, task: str, told: str
) -> None:
    with pytest.raises(RunError, match=told):
        choose_threshold(made(tmp_path / "run", task=task), label, miss=miss)


def test_a_kept_threshold_is_for_these_weights_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(tmp_path / "run")
    run = RunDirectory(path)
    words = ["threshold", str(path), "--label", "crack"]
    assert not Alarms.of(run)
    assert "Add --keep" in said([*words, "--miss", "9"], capsys)
    assert not Alarms.of(run)
    assert "raise this alarm from now on" in said([*words, "--miss", "9", "--keep"], capsys)
    alarms, names = Alarms.of(run), ["crack", "fine"]
    scores = np.array([0.2, 0.8])
    (alarm,) = alarms.raised(scores, names)
    assert alarm.reason == (
        "crack scores 0.2, an alarm from 0.1 on: a miss costs 9 and a false alarm 1."
    )
    assert alarms.doubt(scores, names, "fine") == alarm.reason
    assert alarms.doubt(scores, names, "crack") == ""
    assert alarms.columns(np.array([0.05, 0.95]), names) == {
        "alarms": [],
        "alarm_rules": "crack from 0.1 on (miss 9, false alarm 1)",
    }
    choose_threshold(path, "crack", miss=1, false_alarm=9, keep=True)
    dear = Alarms.of(run)
    assert "below the 0.88 of an alarm" in dear.doubt(np.array([0.6, 0.4]), names, "crack")
    (run.model / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(RunError, match="for other weights; choose them again"):
        Alarms.of(run)
    said([*words, "--miss", "9", "--keep"], capsys)
    assert "raise no alarm for crack any more" in said([*words, "--remove"], capsys)
    assert not Alarms.of(run)
    with pytest.raises(RunError, match="no threshold is kept for 'crack'"):
        remove_threshold(path, "crack")


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    return capsys.readouterr().out
