from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hf_vft.cli.main import main
from hf_vft.errors import RunError
from hf_vft.inference.predictor import Predictor
from hf_vft.run import RunDirectory


@pytest.fixture(scope="module")
def predictor(fitted: Path) -> Predictor:
    return Predictor(RunDirectory.open(fitted))


def images_of(folder: Path, n: int) -> list[Path]:
    return sorted(folder.rglob("*.png"))[:n] or sorted(folder.rglob("*.jpg"))[:n]


def test_batches_do_not_change_answers(predictor: Predictor, images: Path) -> None:
    files = images_of(images, 7)
    one = list(predictor.answer_files(files, batch_size=1, top=6))
    many = list(predictor.answer_files(files, batch_size=4, top=6))
    assert [answer.file for answer in many] == [str(file) for file in files]
    for a, b in zip(one, many, strict=True):
        first, second = a.fields["scores"], b.fields["scores"]
        assert [one["label"] for one in first] == [one["label"] for one in second]
        np.testing.assert_allclose(
            [one["score"] for one in first], [one["score"] for one in second], atol=1e-5
        )
        assert sum(one["score"] for one in first) == pytest.approx(1.0)


def test_confidence_is_calibrated_by_the_runs_temperature(
    predictor: Predictor, images: Path
) -> None:
    image = predictor.decode(images_of(images, 1)[0])
    temperature = json.loads((predictor.run.path / "metrics.json").read_text())["temperature"]
    logits = torch.from_numpy(predictor.logits([image]))
    expected = torch.softmax(logits.double() / temperature, 1).numpy()
    np.testing.assert_allclose(predictor.probabilities([image]), expected, atol=1e-6)


def test_held_out_predictions_are_served_again(predictor: Predictor, images: Path) -> None:
    import pandas as pd

    table = pd.read_parquet(predictor.run.predictions_file).iloc[:5]
    files = [images / name for name in table["file"]]
    answers = list(predictor.answer_files(files))
    assert [answer.fields["label"] for answer in answers] == list(table["predicted"])
    np.testing.assert_allclose(
        [answer.fields["confidence"] for answer in answers], table["confidence"], atol=1e-4
    )


def test_a_broken_file_does_not_stop_the_others(
    predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    good = images_of(images, 2)
    answers = list(predictor.answer_files([good[0], broken, tmp_path / "gone.png", good[1]]))
    assert [answer.error is None for answer in answers] == [True, False, False, True]
    assert answers[1].as_dict() == {
        "file": str(broken),
        "error": "not an image that Pillow can read",
    }


def test_folders_are_searched(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b/c.PNG", "notes.txt", ".hidden/d.png"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (20, 20)).save(file.with_suffix(".png"))
        file.with_suffix(".png").rename(file)
    names = [Path(answer.file).name for answer in predictor.answer_files([tmp_path])]
    assert sorted(names) == ["a.png", "c.PNG"]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        RunDirectory.open(tmp_path / "run")
    with pytest.raises(RunError, match="is it a run folder"):
        RunDirectory.open(tmp_path)


def test_command_prints_a_json_object_a_line(
    fitted: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    words = ["predict", fitted, *images_of(images, 2), broken, "--json", "--top", "2"]
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ended.value.code == 1
    assert [len(line.get("scores", [])) for line in lines] == [2, 2, 0]
    assert lines[0]["label"] == lines[0]["scores"][0]["label"]
    assert "error" in lines[2]
