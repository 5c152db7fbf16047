"""Images that nobody logged, and the reference that a run writes: measured in one way."""

from __future__ import annotations

import shutil
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest

from hf_vft.data.demo.production import write_production
from hf_vft.errors import DataError, OutputError, RunError
from hf_vft.monitoring.drift import find_drift, read_window
from hf_vft.monitoring.profile import Reference
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from hf_vft.utils.progress import Silent
from hf_vft.workflows.fit import fit
from hf_vft.workflows.score_images import log_of, observe
from tests.runs import IMAGE_SIZE


@pytest.fixture(scope="module")
def reference(fitted: Path) -> Reference:
    return Reference.load(RunDirectory(fitted))


def test_fit_writes_a_reference_of_held_out_images(fitted: Path, reference: Reference) -> None:
    known = pd.read_parquet(RunDirectory(fitted).predictions_file)
    frame = reference.sample.frame
    assert set(frame["split"]) == {"validation", "test"}
    assert list(frame["file"]) == list(known["file"])
    assert list(frame["label"]) == list(known["label"])
    assert list(frame["predicted"]) == list(known["predicted"])
    np.testing.assert_allclose(frame["confidence"], known["confidence"], atol=1e-4)
    assert reference.sample.embeddings is not None
    assert len(reference.sample.embeddings) == len(frame)
    assert reference.reduction is not None
    assert "camera" in frame
    assert reference.chance("input.brightness", 100) is not None


def test_images_of_the_reference_are_observed_as_the_reference_has_them(
    fitted: Path, images: Path, reference: Reference, tmp_path: Path
) -> None:
    folder = tmp_path / "plain"
    for name in reference.sample.frame["file"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(images / name, folder / name)
    (folder / "broken.png").write_bytes(b"no image")
    seen = observe(fitted, folder, tmp_path / "log")
    assert (seen.images, seen.labels) == (len(reference.sample), 0)
    assert seen.rejected == {"broken.png": "not an image that Pillow can read"}
    now = read_window(seen.log, reference).sample
    before = reference.sample.frame.set_index("file")
    after = now.frame.set_index("file").loc[before.index]
    for name in ("brightness", "sharpness", "saturation", "confidence", "entropy", "energy"):
        np.testing.assert_allclose(after[name], before[name], atol=1e-4)
    assert list(after["phash"]) == list(before["phash"])
    again = observe(fitted, folder, tmp_path / "again")
    assert set(again.log.read()["request_id"]) == set(now.frame["request_id"])


def test_a_log_that_somebody_keeps_is_not_scored_over(
    fitted: Path, images: Path, tmp_path: Path
) -> None:
    folder, scored = tmp_path / "new", tmp_path / "out" / "log"
    folder.mkdir()
    shutil.copy(sorted(images.rglob("*.jpg"))[0], folder)
    first = log_of(fitted, folder, scored, Silent())
    again = log_of(fitted, folder, scored, Silent())
    assert len(first.read()) == len(again.read()) == 1
    observe(fitted, folder, scored)  # from now on it is a log that is continued
    rows = len(ProductionLog.open(scored).read())
    with pytest.raises(OutputError, match="log: is not empty and was not made by"):
        log_of(fitted, folder, scored, Silent())
    assert len(ProductionLog.open(scored).read()) == rows


def test_a_production_stream_brings_its_times_slices_and_labels(
    fitted: Path, reference: Reference, tmp_path: Path
) -> None:
    stream = write_production(tmp_path / "stream", days=2, per_day=60, size=IMAGE_SIZE)
    seen = observe(fitted, stream, tmp_path / "log")
    truth = pd.read_csv(stream / "labels.csv")
    frame = seen.log.read()
    assert seen.labels == len(truth) == len(frame) == 120
    assert list(frame["ts_utc"].dt.strftime("%Y-%m-%dT%H:%M:%S")) == sorted(
        pd.to_datetime(truth["timestamp"]).dt.strftime("%Y-%m-%dT%H:%M:%S")
    )
    joined = frame.merge(seen.log.read_labels(), on="request_id").merge(
        truth, left_on="file", right_on="file_name", suffixes=("", "_true")
    )
    assert (joined["label"] == joined["label_true"]).all()
    assert (joined["camera"] == joined["camera_true"]).all()
    drift = find_drift(reference, read_window(seen.log, reference), permutations=19)
    assert {f.section for f in drift.findings} >= {"sanity", "input", "prediction", "embedding"}
    assert len(drift.unlike) == 120


def test_images_whose_time_cannot_be_read_are_left_out_and_counted(
    fitted: Path, images: Path, tmp_path: Path
) -> None:
    warnings: list[str] = []

    class Heard(Silent):
        def warn(self, text: str) -> None:
            warnings.append(text)

    files = sorted((images / "images").iterdir())[:4]
    for file in files:
        shutil.copy(file, tmp_path)
    times = ["2026:03:01 10:00:00", "2026-03-01T10:00:00Z", "yesterday", ""]
    names = [file.name for file in files]
    listed = pd.DataFrame({"file_name": names, "timestamp": times, "label": "a|b"})
    listed.to_csv(tmp_path / "labels.csv", index=False)
    seen = observe(fitted, tmp_path, tmp_path / "log", display=Heard())
    assert set(seen.log.read()["ts_utc"].dt.strftime("%Y-%m-%d %H:%M")) == {"2026-03-01 10:00"}
    assert (seen.images, seen.labels) == (2, 2)
    assert set(seen.log.read_labels()["label"]) == {"a|b"}  # of one label: no separator
    said = " ".join(warnings)
    assert "2 images of 4 left out: column 'timestamp' holds no time" in said
    assert f"'yesterday' of {names[2]} the first" in said


def test_a_folder_without_images_is_refused(fitted: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image in it"):
        observe(fitted, tmp_path, tmp_path / "log")
    (tmp_path / "broken.jpg").write_bytes(b"none")
    with pytest.raises(DataError, match="no image could be scored, not an image"):
        observe(fitted, tmp_path, tmp_path / "log")


def test_a_table_or_dataset_without_labels_is_observed_too(
    fitted: Path, images: Path, tmp_path: Path
) -> None:
    files = sorted((images / "images").iterdir())[:6]
    rows = {"image": [str(file) for file in files], "camera": ["top", "side"] * 3}
    table = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    table.to_parquet(str(tmp_path / "week.parquet"))
    table.save_to_disk(str(tmp_path / "saved"))
    names = [f"images/{file.name}" for file in files]
    listed = pd.DataFrame({"file_name": names, "camera": rows["camera"]})
    listed.to_csv(images / "week.csv", index=False)
    for source in (tmp_path / "week.parquet", tmp_path / "saved", images / "week.csv"):
        seen = observe(fitted, source, tmp_path / f"log-{source.name}")
        assert (seen.images, seen.labels) == (6, 0)
        assert sorted(seen.log.read(columns=["camera"])["camera"]) == sorted(rows["camera"])
    (images / "week.csv").unlink()


@pytest.mark.slow
def test_a_reference_that_a_kill_prevented_is_written_by_resume(
    fitted: Path, reference: Reference, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path / "run")
    shutil.copytree(fitted, run.path)
    shutil.rmtree(run.profile_file.parent)
    with pytest.raises(RunError, match=r"no reference to compare with.*--resume` writes it"):
        Reference.load(run)
    fit(None, run.path, resume=True)
    again = Reference.load(run)
    assert again.identity == reference.identity
    assert list(again.sample.frame["predicted"]) == list(reference.sample.frame["predicted"])
