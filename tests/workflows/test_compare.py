"""Two runs side by side: what they have recorded is enough."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hf_vft.cli.main import main
from hf_vft.data.label_types import KINDS
from hf_vft.data.load import ImageData
from hf_vft.errors import RunError
from hf_vft.evaluation.results import EvalReport
from hf_vft.recipe.schema import Recipe
from hf_vft.reporting.box_mistakes import FALSE, MISSED, RIGHT
from hf_vft.run import RunDirectory
from hf_vft.workflows.compare import compare_runs

TRUTH = ["a", "a", "b", "b", "b", "a"]
WRONG = ["b", "b", "b", "b", "b", "a"]
BOX = {"label": "a", "score": 0.9, "box": {"xmin": 0, "ymin": 0, "xmax": 4, "ymax": 4}}
FAR = {**BOX, "box": {"xmin": 8, "ymin": 8, "xmax": 9, "ymax": 9}}


def run(
    path: Path,
    truth: list[Any],
    said: list[Any],
    *,
    task: str = "image-classification",
    hashes: str = "abcdef",
) -> Path:
    """What `compare_runs` reads of a run."""
    made = RunDirectory(path)
    (made.model).mkdir(parents=True)
    (made.model / "config.json").write_text("{}")
    (made.path / "reference").mkdir()
    limits = {} if task == "image-classification" else {"a": 0.5, "b": 0.5}
    report = EvalReport(task=task, labels=["a", "b"], splits={}, thresholds=limits, primary="f1")
    made.metrics_file.write_text(report.model_dump_json())
    made.recipe_file.write_text(Recipe(task=task).to_yaml())
    files = [f"{one}.png" for one in hashes[: len(truth)]]
    columns = {"split": "test", "file": files}
    pd.DataFrame({**columns, "sha256": list(hashes[: len(truth)])}).to_parquet(made.splits_file)
    pd.DataFrame({**columns, "label": truth, "predicted": said, "confidence": 0.9}).to_parquet(
        made.predictions_file
    )
    return path


def test_the_command_writes_a_page_and_says_who_is_better(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = run(tmp_path / "one", TRUTH, WRONG), run(tmp_path / "two", TRUTH, TRUTH)
    main_ended(["compare", str(one), str(two), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "Accuracy" in said
    assert "Neither run is proven better: Accuracy 0.667 for one and 1.000 for two" in said
    assert "only in one 0, only in two 2" in said
    numbers = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [row["file"] for row in numbers["images"]] == ["a.png", "b.png"]
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "Only two is right" in page
    assert "class = a" in page


def test_images_are_found_in_another_order(tmp_path: Path) -> None:
    one = run(tmp_path / "one", TRUTH, WRONG)
    two = run(tmp_path / "two", TRUTH[::-1], WRONG[::-1], hashes="fedcba")
    found = compare_runs(one, two)
    assert found.scores.scores["accuracy"].difference.value == 0.0
    assert found.images.empty


def test_other_images_labels_or_tasks_are_refused(tmp_path: Path) -> None:
    one = run(tmp_path / "one", TRUTH, WRONG)
    with pytest.raises(RunError, match=r"on 6 images and two on 6; 4 are the same\. .* same seed"):
        compare_runs(one, run(tmp_path / "two", TRUTH, WRONG, hashes="xycdef"))
    with pytest.raises(RunError, match="2 of the 6 test images have other labels in three"):
        compare_runs(one, run(tmp_path / "three", ["b", "b", *TRUTH[2:]], WRONG))
    with pytest.raises(RunError, match="only runs of one task"):
        compare_runs(
            one,
            run(tmp_path / "four", [["a"]] * 6, [["a"]] * 6, task="multi-label-classification"),
        )
    with pytest.raises(RunError, match="this is one run"):
        compare_runs(one, one)


def test_several_labels_and_boxes_are_compared_too(tmp_path: Path) -> None:
    task = "multi-label-classification"
    truth = [["a", "b"], [], ["b"]]
    one = run(tmp_path / "one", truth, [["a"], [], ["b"]], task=task)
    two = run(tmp_path / "two", truth, truth, task=task)
    found = compare_runs(one, two).scores
    assert found.scores["exact_match"].second == 1.0
    assert found.only_second == 1
    task = "object-detection"
    one = run(tmp_path / "three", [[BOX], [BOX]], [[BOX], [FAR]], task=task)
    two = run(tmp_path / "four", [[BOX], [BOX]], [[BOX], [BOX]], task=task)
    found = compare_runs(one, two).scores
    assert found.scores["map50"].second == pytest.approx(1.0)
    assert (found.both, found.only_second) == (1, 1)


def test_of_boxes_the_page_shows_what_each_run_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, found = "object-detection", [[BOX], [BOX]]
    one = run(tmp_path / "one", found, [[BOX], [FAR]], task=task)
    two = run(tmp_path / "two", found, found, task=task)
    paths = [{"bytes": None, "path": str(tmp_path / f"{name}.png")} for name in "ab"]
    for path in paths:
        Image.new("RGB", (10, 10), "white").save(str(path["path"]))
    table = datasets.Dataset.from_dict(
        {"image": paths, "file": ["a.png", "b.png"]},
        features=datasets.Features(
            {"image": datasets.Image(decode=False), "file": datasets.Value("string")}
        ),
    )
    data = ImageData({"test": table}, ["a", "b"], kind=KINDS["boxes"])
    monkeypatch.setattr("hf_vft.workflows.compare.read_images", lambda *_, **__: data)
    images = compare_runs(one, two, tmp_path / "out").images
    assert images["first"].tolist() == ["0 right, 1 missed (a), 1 false (a 90% sure)"]
    assert images["second"].tolist() == ["1 right"]
    page = (tmp_path / "out" / "compare.html").read_text()
    assert page.count("<img ") == 2
    assert 'alt="b.png, two: 1 right"' in page
    first, second = (image_at(uri) for uri in page.split('src="')[1:])
    assert near(first[10, 0], MISSED)
    assert near(first[255, 240], FALSE)
    assert near(second[10, 0], RIGHT)


def image_at(text: str) -> np.ndarray:
    data = base64.b64decode(text.split('"')[0].split(",")[1])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def near(colour: np.ndarray, wanted: tuple[int, int, int]) -> bool:
    return bool(np.abs(colour - wanted).sum() < 150)


def test_boxes_that_lie_elsewhere_are_other_boxes(tmp_path: Path) -> None:
    task = "object-detection"
    one = run(tmp_path / "one", [[BOX], [BOX]], [[BOX], [BOX]], task=task)
    two = run(tmp_path / "two", [[BOX], [FAR]], [[BOX], [BOX]], task=task)
    with pytest.raises(RunError, match="1 of the 2 test images have other boxes in two"):
        compare_runs(one, two)


def main_ended(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
