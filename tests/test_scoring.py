from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hf_vft.errors import DataError
from hf_vft.scoring import evaluate_run
from tests.runs import metrics, vft


def test_the_test_split_gets_the_scores_that_the_run_wrote(
    fitted: Path, pictures: Path, tmp_path: Path
) -> None:
    import pandas as pd

    table = pd.read_parquet(fitted / "reference" / "predictions.parquet")
    for row in table[table["split"] == "test"].itertuples():
        target = tmp_path / "held-out" / row.label / Path(row.file).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pictures / row.file, target)
    measured = evaluate_run(fitted, tmp_path / "held-out")
    written = metrics(fitted)["splits"]["test"]
    assert measured.result.n == written["n"]
    for name in ("accuracy", "f1_macro", "ece", "ece_calibrated"):
        found = measured.result.metrics[name].value
        assert found == pytest.approx(written["metrics"][name]["value"], abs=1e-4)


def test_slices_by_column(fitted: Path, pictures: Path) -> None:
    result = evaluate_run(fitted, pictures, by=["camera"]).result
    assert sum(found.n for found in result.slices["camera"].values()) == result.n


def test_a_class_that_the_model_does_not_know_is_refused(
    fitted: Path, pictures: Path, tmp_path: Path
) -> None:
    first = next(pictures.rglob("*.png"), None) or next(pictures.rglob("*.jpg"))
    for name in ("ok", "novel"):
        (tmp_path / name).mkdir()
        shutil.copy(first, tmp_path / name)
    with pytest.raises(DataError, match="the model does not know 'novel'; it knows"):
        evaluate_run(fitted, tmp_path)


def test_one_class_and_one_picture_are_enough(fitted: Path, pictures: Path, tmp_path: Path) -> None:
    first = next(pictures.rglob("*.png"), None) or next(pictures.rglob("*.jpg"))
    (tmp_path / "ok").mkdir()
    shutil.copy(first, tmp_path / "ok")
    assert evaluate_run(fitted, tmp_path).result.n == 1


def test_a_split_that_is_not_there_is_refused(fitted: Path, pictures: Path) -> None:
    with pytest.raises(DataError, match="no split 'holdout'"):
        evaluate_run(fitted, pictures, split="holdout")


def test_command(fitted: Path, pictures: Path) -> None:
    done = vft("evaluate", fitted, pictures, "--by", "camera", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result["slices"]) == {"camera"}
    shown = vft("evaluate", fitted, pictures)
    assert "macro F1" in shown.stdout
    assert "By class" in shown.stdout
