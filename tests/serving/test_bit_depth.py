"""A run that learned from images of twelve bits sees them so wherever it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hf_vft.cli.main import app
from hf_vft.inference.log_rows import Recorder
from hf_vft.inference.predictor import Predictor
from hf_vft.run import RunDirectory, write_text
from hf_vft.serving.service import Service
from hf_vft.workflows.score_images import observe
from tests.data.deep_images import png
from tests.serving import made

EIGHT = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = made.several(tmp_path_factory.mktemp("deep") / "run")
    write_text(run.recipe_file, run.recipe().replaced({"data.bit_depth": 12}).to_yaml())
    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same scene in 8 bits and in 12, and one that is brighter than 12 bits can be."""
    folder = tmp_path_factory.mktemp("files")
    found = {name: folder / f"{name}.png" for name in ("eight", "twelve", "brighter")}
    Image.fromarray(EIGHT).save(found["eight"])
    deep = EIGHT.astype(np.uint16) << 4
    found["twelve"].write_bytes(png(deep))
    brighter = deep.copy()
    brighter[0, :32] = 5000
    found["brighter"].write_bytes(png(brighter))
    return found


def test_twelve_bits_are_answered_like_the_same_image_of_eight(
    run: RunDirectory, files: dict[str, Path]
) -> None:
    predictor = Predictor(run)
    scores = [answer.fields["scores"] for answer in predictor.answer_files(files.values(), top=3)]
    assert scores[0] == scores[1]
    service = Service(run)
    try:
        served = [service.predict(file).scores for file in files.values()]
    finally:
        service.close()
    assert served[0] == served[1]


def test_values_beyond_are_said_with_the_answer(run: RunDirectory, files: dict[str, Path]) -> None:
    service = Service(run)
    try:
        notes = {name: service.predict(file).as_dict().get("note") for name, file in files.items()}
    finally:
        service.close()
    assert notes["eight"] is notes["twelve"] is None
    assert "1.0% of its values are above the bit depth" in str(notes["brighter"])
    told = CliRunner().invoke(app, ["predict", str(run.path), str(files["brighter"])])
    assert told.exit_code == 0
    assert "the greatest is 5,000); they were cut off." in told.stderr


def test_observed_images_are_decoded_alike_and_what_was_cut_off_is_told(
    run: RunDirectory, files: dict[str, Path], tmp_path: Path
) -> None:
    said: list[str] = []

    class Display:
        def __getattr__(self, name: str) -> object:
            return said.append if name == "warn" else lambda *_, **__: None

    seen = observe(run.path, files["eight"].parent, tmp_path / "log", display=Display())
    rows = seen.log.read().set_index("file")
    assert rows.loc["eight.png", "brightness"] == rows.loc["twelve.png", "brightness"]
    assert any("cut off; brighter.png" in text for text in said)


def test_the_log_tells_another_bit_depth_apart(run: RunDirectory, tmp_path: Path) -> None:
    other = made.several(tmp_path / "run")
    hashes = {Recorder(Predictor(one)).identity["preprocessing_hash"] for one in (run, other)}
    assert len(hashes) == 2
