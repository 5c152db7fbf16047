"""Tables of answers: whole, sorted, and continued after a kill."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from hf_vft.errors import DataError, OutputError
from hf_vft.evaluation.alarms import keep_threshold
from hf_vft.evaluation.costs import CostChoice
from hf_vft.inference.predictor import Predictor
from hf_vft.run import RunDirectory
from hf_vft.serving.abstention import abstention
from hf_vft.serving.page import answer_card
from hf_vft.serving.service import Service
from hf_vft.workflows.answer_images import answer_images
from tests.runs import KillAt, vft


@pytest.fixture
def folder(images: Path, tmp_path: Path) -> Path:
    """Seven images, one of them broken, in two folders."""
    for number, file in enumerate(sorted(images.rglob("*.jpg"))[:6]):
        target = tmp_path / "in" / ("b" if number % 2 else "a") / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    (tmp_path / "in" / "a" / "6.jpg").write_bytes(b"no image")
    return tmp_path / "in"


def test_the_command_writes_a_row_for_each_image(fitted: Path, folder: Path) -> None:
    out = folder.parent / "answers.csv"
    done = vft("predict", fitted, folder, "--out", out)
    assert done.returncode == 1, done.stderr
    assert "7 images, " in done.stdout
    assert "1 image could not be read" in done.stderr
    table = pd.read_csv(out)
    assert list(table["file"]) == sorted(table["file"])
    assert len(table) == 7
    read = table[table["error"].isna()]
    scores = [name for name in table.columns if name.startswith("score_")]
    assert len(scores) == 6
    assert (read[scores].max(axis=1) == read["confidence"]).all()
    assert (read["label"] == read[scores].idxmax(axis=1).str.removeprefix("score_")).all()
    limit = abstention(RunDirectory.open(fitted)).threshold
    assert (read["sure"].astype(bool) == (read["confidence"] >= limit)).all()
    assert set(table[table["error"].notna()]["file"]) == {str(folder / "a" / "6.jpg")}
    assert not list(folder.parent.glob(".answers*"))


def test_all_formats_hold_the_same(fitted: Path, folder: Path) -> None:
    tables = []
    for suffix in (".csv", ".jsonl", ".parquet"):
        out = folder.parent / f"answers{suffix}"
        assert answer_images(fitted, [folder], out).errors == 1
        read = {".csv": pd.read_csv, ".parquet": pd.read_parquet}.get(suffix)
        tables.append(read(out) if read else pd.read_json(out, lines=True))
    for other in tables[1:]:
        assert list(other["file"]) == list(tables[0]["file"])
        assert list(other.columns) == list(tables[0].columns)
        pd.testing.assert_series_equal(
            other["confidence"], tables[0]["confidence"], check_exact=False, atol=1e-5
        )


def test_a_killed_run_goes_on_and_no_row_is_half(
    fitted: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = answer_images(fitted, [folder], folder.parent / "whole.csv").file.read_text()
    out = folder.parent / "answers.csv"

    class Stopped(KillAt):
        def _seen(self, what: str) -> None:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answer_images(fitted, [folder], out, batch_size=2, display=Stopped("step", 2))
    assert not out.exists()
    journal = folder.parent / ".answers.csv.answered"
    assert len(journal.read_bytes().splitlines()) == 5
    journal.write_bytes(journal.read_bytes()[:-7])  # a kill in the middle of a row
    asked: list[str] = []
    answer = Predictor.answer_files

    def counted(self: Predictor, paths, **options):
        given = list(paths)
        asked.extend(map(str, given))
        return answer(self, given, **options)

    monkeypatch.setattr(Predictor, "answer_files", counted)
    found = answer_images(fitted, [folder], out, batch_size=2)
    assert found.kept == 3
    assert len(asked) == 4
    assert out.read_text() == whole


def test_rows_of_changed_images_and_of_other_models_are_not_kept(
    fitted: Path, folder: Path
) -> None:
    out = folder.parent / "answers.csv"
    journal = folder.parent / ".answers.csv.answered"
    answer_images(fitted, [folder], out)

    class Stopped(KillAt):
        def _seen(self, what: str) -> None:
            raise KeyboardInterrupt

    def stop() -> list[str]:
        with pytest.raises(KeyboardInterrupt):
            answer_images(fitted, [folder], out, display=Stopped("step"))
        return journal.read_text().splitlines(keepends=True)

    stop()
    shutil.copy(folder / "a" / "0.jpg", folder / "a" / "6.jpg")
    found = answer_images(fitted, [folder], out)
    assert (found.kept, found.errors) == (6, 0)
    lines = stop()
    journal.write_text(json.dumps(json.loads(lines[0]) | {"temperature": 9.0}) + "\n" + lines[1])
    assert answer_images(fitted, [folder], out).kept == 0


def test_what_cannot_be_done_is_said(fitted: Path, folder: Path) -> None:
    with pytest.raises(OutputError, match=r"has to end in \.csv, \.parquet or \.jsonl"):
        answer_images(fitted, [folder], folder / "answers.xlsx")
    (folder / "none").mkdir()
    with pytest.raises(DataError, match="no image in it"):
        answer_images(fitted, [folder / "none"], folder / "answers.csv")
    with pytest.raises(DataError, match="no such file"):
        answer_images(fitted, [folder / "gone.jpg"], folder / "answers.csv")
    (folder / "mine.csv").write_text("a,b\n")
    with pytest.raises(OutputError, match="was not written by `hf-vft predict`"):
        answer_images(fitted, [folder], folder / "mine.csv")


def test_an_alarm_by_cost_is_in_table_answer_log_and_page(
    fitted: Path, folder: Path, tmp_path: Path
) -> None:
    run = RunDirectory(shutil.copytree(fitted, tmp_path / "run"))
    labels = Predictor(run).labels
    file = folder / "a" / "0.jpg"
    answer = next(iter(Predictor(run).answer_files([file]))).prediction
    assert answer is not None
    other = next(name for name in labels if name != answer.labels[0])
    costs = {"miss": 20.0, "false_alarm": 1.0, "reason": "", "n": 1, "support": 1, "rules": {}}
    keep_threshold(run, CostChoice(label=other, threshold=1e-9, **costs))
    out = tmp_path / "answers.csv"
    answered = answer_images(run.path, [file], out)
    assert (answered.alarms, answered.unsure) == (1, 1)
    row = pd.read_csv(out).iloc[0]
    assert (row["label"], row["alarms"]) == (answer.labels[0], other)
    assert row["alarm_reason"].startswith(f"{other} scores ")
    assert row["alarm_reason"].endswith("a miss costs 20 and a false alarm 1.")
    service = Service(run, log=tmp_path / "log")
    try:
        served = service.predict(file)
        assert service.log is not None
        logged = service.log.read().iloc[-1]
    finally:
        service.close()
    told = served.as_dict()
    assert (told["label"], told["sure"]) == (answer.labels[0], False)
    assert told["alarms"][0]["reason"] == told["reason"]
    assert f"Alarm: {other}" in answer_card(told)
    assert list(logged["alarms"]) == [other]
    assert logged["alarm_rules"] == f"{other} from 1e-09 on (miss 20, false alarm 1)"
