"""How far a run's answers move where the colour profile of an image is followed or ignored.

``python -m tests.benchmarks.profile_answers RUN IMAGES`` answers up to 200 test images of a run
three times: as they are, as Display P3 files with their profile, and the same without it.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageCms

from hf_vft.inference.predictor import Predictor
from hf_vft.run import RunDirectory
from tests.benchmarks.bench_images import P3

MOST = 200


def main() -> None:
    """Print the figures."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("run", type=Path)
    words.add_argument("images", type=Path)
    given = words.parse_args()
    kept = pd.read_parquet(given.run / "reference" / "predictions.parquet")
    names = kept.loc[kept["split"] == "test", "file"][:MOST]
    predictor = Predictor(RunDirectory.open(given.run))
    with tempfile.TemporaryDirectory() as folder:
        written = [write(given.images / name, Path(folder), n) for n, name in enumerate(names)]
        plain, followed, ignored = (
            scores(predictor, list(files)) for files in zip(*written, strict=True)
        )
    for what, found in (("followed", followed), ("ignored", ignored)):
        answers = plain.argmax(axis=1)
        rows = np.arange(len(answers))
        moved = np.abs(found[rows, answers] - plain[rows, answers])
        changed = int((found.argmax(axis=1) != answers).sum())
        print(
            f"profile {what}: confidence moves by {moved.mean():.4f} on average, "
            f"{moved.max():.3f} at most; {changed} of {len(answers)} answers change"
        )


def write(source: Path, folder: Path, number: int) -> tuple[Path, Path, Path]:
    """The image as it is, as a Display P3 file, and as that file without its profile."""
    image = Image.open(source).convert("RGB")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(P3))
    wide = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile, "RGB", "RGB").apply(
        image
    )
    files = (folder / f"{number}a.png", folder / f"{number}b.png", folder / f"{number}c.png")
    image.save(files[0], icc_profile=None)
    wide.save(files[1], icc_profile=P3)
    wide.save(files[2], icc_profile=None)
    return files


def scores(predictor: Predictor, files: list[Path]) -> np.ndarray:
    """``float [N, C]``, in the order of the classes."""
    answers = predictor.answer_files(files, top=len(predictor.labels))
    found = [{one["label"]: one["score"] for one in a.fields["scores"]} for a in answers]
    return np.array([[one[name] for name in predictor.labels] for one in found])


if __name__ == "__main__":
    main()
