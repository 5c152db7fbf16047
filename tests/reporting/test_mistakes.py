from pathlib import Path

import datasets
import pandas as pd
import pytest
from PIL import Image

from hf_vft.data.load import ImageData
from hf_vft.errors import RunError
from hf_vft.reporting.mistakes import report_mistakes, worst_mistakes
from hf_vft.reporting.pages import THUMBNAIL
from hf_vft.run import RunDirectory

LABELS = ["ok", "scratch"]


def predictions() -> pd.DataFrame:
    rows = [
        ("sure.png", "test", "ok", "scratch", 0.9),
        ("right.png", "test", "ok", "ok", 0.99),
        ("surest.png", "test", "scratch", "ok", 0.95),
        ("unsure.png", "test", "scratch", "ok", 0.51),
        ("other.png", "validation", "scratch", "ok", 0.97),
    ]
    return pd.DataFrame(rows, columns=["file", "split", "label", "predicted", "confidence"])


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.predictions_file.parent.mkdir(parents=True)
    predictions().to_parquet(run.predictions_file)
    return run


@pytest.fixture
def data(tmp_path: Path) -> ImageData:
    """The test split; each image has a grey of its own."""
    files = ["right.png", "sure.png", "surest.png", "unsure.png"]
    for number, name in enumerate(files):
        Image.new("RGB", (1000, 500), (10 * number,) * 3).save(tmp_path / name)
    table = {
        "image": [{"bytes": None, "path": str(tmp_path / name)} for name in files],
        "label": [0, 0, 1, 1],
        "file": files,
    }
    features = datasets.Features(
        {
            "image": datasets.Image(decode=False),
            "label": datasets.ClassLabel(names=LABELS),
            "file": datasets.Value("string"),
        }
    )
    return ImageData({"test": datasets.Dataset.from_dict(table, features=features)}, LABELS)


def test_only_wrong_answers_of_the_split_the_surest_first():
    found = worst_mistakes(predictions())
    assert list(found["file"]) == ["surest.png", "sure.png", "unsure.png"]


def test_each_mistake_has_its_own_image_and_words(run, data):
    found = report_mistakes(run, data)
    assert [(m.file, m.true, m.predicted, m.confidence) for m in found] == [
        ("surest.png", "scratch", "ok", 0.95),
        ("sure.png", "ok", "scratch", 0.9),
        ("unsure.png", "scratch", "ok", 0.51),
    ]
    assert [m.image.getpixel((0, 0))[0] for m in found] == [20, 10, 30]
    assert max(found[0].image.size) <= 2 * THUMBNAIL


def test_at_most_so_many(run, data):
    assert [m.file for m in report_mistakes(run, data, 2)] == ["surest.png", "sure.png"]


def test_an_image_that_is_gone_makes_room_for_the_next(run, data, tmp_path):
    (tmp_path / "surest.png").unlink()
    assert [m.file for m in report_mistakes(run, data, 2)] == ["sure.png", "unsure.png"]


@pytest.mark.parametrize("content", [None, b"not parquet"])
def test_predictions_that_cannot_be_read_are_one_line(run, data, content):
    run.predictions_file.unlink()
    if content:
        run.predictions_file.write_bytes(content)
    with pytest.raises(RunError, match=r"predictions\.parquet: cannot be read") as caught:
        report_mistakes(run, data)
    assert "\n" not in str(caught.value)
