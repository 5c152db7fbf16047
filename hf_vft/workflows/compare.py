"""Two runs on the images that both have held out: which is better, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from hf_vft.data.label_types import KINDS
from hf_vft.errors import RunError, VftError
from hf_vft.evaluation.box_matching import Boxes, match_all
from hf_vft.evaluation.detection import weighted_scores
from hf_vft.evaluation.intervals import Bools, Floats
from hf_vft.evaluation.paired import (
    RESAMPLES,
    Measure,
    PairedScores,
    label_measure,
    marks_measure,
    paired_scores,
)
from hf_vft.evaluation.results import EvalReport
from hf_vft.outputs import claim
from hf_vft.reporting.box_mistakes import JudgedBoxes, judge_boxes
from hf_vft.reporting.compare_page import Disagreement, comparison_sentence, render_comparison
from hf_vft.reporting.mistakes import image_of, read_predictions
from hf_vft.run import RunDirectory, write_json
from hf_vft.tasks import get_task
from hf_vft.utils.progress import Display, Silent
from hf_vft.workflows.steps.read_images import read_images

PAGE = "compare.html"
NUMBERS = "compare.json"
_SHOWN = 12
_BUDGET = 10_000_000
"""Found boxes times resamples that are worth some seconds; never fewer than `_FEWEST`."""

_FEWEST = 100
_PLACES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class ComparedRuns:
    """Two runs, compared.

    Attributes:
        first: Name of the first run.
        second: Name of the second run.
        scores: Of both, with paired intervals.
        sentence: The result in words.
        images: Held-out images that one run alone has right: file, truth, and both answers.
        page: ``compare.html``, if it was written.
    """

    first: str
    second: str
    scores: PairedScores
    sentence: str
    images: pd.DataFrame
    page: Path | None = None


def compare_runs(
    first: str | Path,
    second: str | Path,
    out: str | Path | None = None,
    *,
    display: Display | None = None,
) -> ComparedRuns:
    """Compare two runs on the test images that both have held out, from what they have recorded.

    Args:
        first: A run folder.
        second: Another one, fitted on data that was split alike.
        out: Folder for ``compare.html`` and ``compare.json``; None writes nothing.
        display: Where progress is shown.

    Raises:
        RunError: If a run is not finished, or the tasks, test images or labels differ.
        OutputError: If ``out`` holds files of these names that hf-vft did not write.
    """
    display = display or Silent()
    runs = [RunDirectory.open(path) for path in (first, second)]
    names = _names(runs)
    if out is not None:
        claim(Path(out), (PAGE, NUMBERS), command="compare")
    reports = [run.read_as(EvalReport, run.metrics_file) for run in runs]
    if reports[0].task != reports[1].task:
        raise RunError(
            f"{names[0]} is for {reports[0].task}, {names[1]} for {reports[1].task}: only runs of "
            "one task can be compared."
        )
    frames = _aligned(runs, names)
    sides = [_side(frame, report) for frame, report in zip(frames, reports, strict=True)]
    differ = sum(a != b for a, b in zip(sides[0].marks, sides[1].marks, strict=True))
    if differ:
        raise RunError(
            f"{differ} of the {len(frames[0])} test images have other {sides[0].called} in "
            f"{names[1]} than in {names[0]}; fit both runs on the same {sides[0].called}."
        )
    boxes = sides[0].boxes + sides[1].boxes
    groups = frames[0]["group"].tolist() if "group" in frames[0] else None
    scores = paired_scores(
        sides[0].measure,
        sides[1].measure,
        (sides[0].right, sides[1].right),
        clusters=groups,
        parts=_parts(frames[0], sides[0], runs[0]),
        n_bootstrap=min(RESAMPLES, max(_FEWEST, _BUDGET // max(boxes, 1))),
    )
    sentence = comparison_sentence(scores, reports[0].primary, *names)
    alone = np.flatnonzero(sides[0].right != sides[1].right).tolist()
    images = pd.DataFrame(
        {
            "file": frames[0]["file"].iloc[alone].to_numpy(),
            "truth": [", ".join(sides[0].truth[row]) or "none" for row in alone],
            "first": [sides[0].said(row) for row in alone],
            "second": [sides[1].said(row) for row in alone],
            "right": np.where(sides[0].right[alone], "first", "second"),
        },
        index=alone,
    )
    page = None
    if out is not None:
        page = Path(out) / PAGE
        write_json(
            Path(out) / NUMBERS,
            {
                "first": str(runs[0].path),
                "second": str(runs[1].path),
                "sentence": sentence,
                **scores.model_dump(mode="json"),
                "images": images.to_dict("records"),
            },
        )
        seen = _seen(runs[0], images, (sides[0].draw, sides[1].draw), display)
        render_comparison(
            page,
            names=names,
            scores=scores,
            sentence=sentence,
            seen=seen,
            primary=reports[0].primary,
            alone=len(images),
        )
    images = images.reset_index(drop=True)
    return ComparedRuns(names[0], names[1], scores, sentence, images, page)


Draw = Callable[[int, Image.Image], Image.Image]
"""Number of an image, and the image, to the image with what a run found in it."""


@dataclass(frozen=True)
class _Side:
    """What one run says of the N images.

    Attributes:
        measure: Its scores.
        right: Which images it has right, ``[N]``.
        truth: The labels of each image, sorted.
        marks: What both runs have to have been told of each image, to be compared.
        said: Number of an image to the answer in words.
        draw: Only with boxes.
        boxes: Found ones.
        called: What ``marks`` are, in a word.
    """

    measure: Measure
    right: Bools
    truth: Sequence[tuple[str, ...]]
    marks: Sequence[object]
    said: Callable[[int], str]
    draw: Draw | None = None
    boxes: int = 0
    called: str = "labels"


def _names(runs: Sequence[RunDirectory]) -> tuple[str, str]:
    """Short where that tells them apart."""
    paths = [run.path.resolve() for run in runs]
    if paths[0] == paths[1]:
        raise RunError(f"{runs[0].path}: this is one run; name two.")
    a, b = (path.name for path in paths)
    return (a, b) if a != b else (str(runs[0].path), str(runs[1].path))


def _aligned(runs: Sequence[RunDirectory], names: Sequence[str]) -> list[pd.DataFrame]:
    """The test predictions of both runs, in one order; images are known by their SHA-256."""
    frames = []
    for run in runs:
        frame = read_predictions(run)
        frame = frame[frame["split"] == "test"].reset_index(drop=True)
        splits = run.read_table(run.splits_file, ["split", "file", "sha256"])
        splits = splits[splits["split"] == "test"].reset_index(drop=True)
        if frame["file"].tolist() != splits["file"].tolist():
            raise RunError(f"{run.path}: its predictions are not of its test images; fit it again.")
        digest = splits["sha256"]
        copy = digest.groupby(digest).cumcount().astype(str)
        frames.append(frame.set_index(digest + "/" + copy).sort_index())
    same = frames[0].index.intersection(frames[1].index)
    if len(same) != len(frames[0]) or len(same) != len(frames[1]):
        raise RunError(
            f"{names[0]} was tested on {len(frames[0])} images and {names[1]} on "
            f"{len(frames[1])}; {len(same)} are the same. A comparison needs the same test images: "
            "fit both runs on the same data with the same seed and data settings, or give the data "
            "a split column."
        )
    return frames


def _side(frame: pd.DataFrame, report: EvalReport) -> _Side:
    kind = get_task(report.task).kind
    if kind == "boxes":
        return _boxes_side(frame, report)
    if KINDS[kind].exclusive:
        names = sorted({*report.labels, *frame["label"], *frame["predicted"]})
        true, said = frame["label"].tolist(), frame["predicted"].tolist()
        right = (frame["label"] == frame["predicted"]).to_numpy(bool)
        truth_of = [(name,) for name in true]
        return _Side(label_measure(true, said, names), right, truth_of, true, said.__getitem__)
    truth, answers = (_marks(frame[column], report.labels) for column in ("label", "predicted"))
    said = [", ".join(sorted(names)) or "none" for names in frame["predicted"]]
    labels = [tuple(sorted(names)) for names in frame["label"]]
    right = (truth == answers).all(1)
    return _Side(marks_measure(truth, answers), right, labels, labels, said.__getitem__)


def _marks(column: pd.Series, labels: Sequence[str]) -> Bools:
    return np.array([[name in set(names) for name in labels] for names in column], dtype=bool)


def _boxes_side(frame: pd.DataFrame, report: EvalReport) -> _Side:
    """Right is an image whose boxes were all found at the threshold, and nothing else."""
    number = {name: i for i, name in enumerate(report.labels)}
    truths = [_as_boxes(found, number) for found in frame["label"]]
    found = [_as_boxes(boxes, number) for boxes in frame["predicted"]]
    limits = [report.thresholds[name] for name in report.labels]
    matches = match_all(truths, found, len(number))
    n = len(frame)
    wrong = np.zeros(n, dtype=np.int64)
    for of_class, limit in zip(matches, limits, strict=True):
        answered = of_class.score >= limit
        hits = np.bincount(of_class.image[answered & of_class.right[:, 0]], minlength=n)
        wrong += np.bincount(of_class.image[answered], minlength=n) - hits + of_class.true - hits

    def measure(weights: Floats) -> dict[str, Floats]:
        overall, _ = weighted_scores(matches, weights, limits)
        return {name: overall[name] for name in ("map50", "map", "f1")}

    def judged(row: int) -> JudgedBoxes:
        image = frame.iloc[row]
        return judge_boxes(image["file"], image["label"], image["predicted"], report.thresholds)

    return _Side(
        measure,
        wrong == 0,
        [tuple(sorted(box["label"] for box in boxes)) for boxes in frame["label"]],
        [sorted(_mark(box) for box in boxes) for boxes in frame["label"]],
        lambda row: judged(row).words,
        lambda row, image: judged(row).drawn(image),
        sum(len(match.score) for match in matches),
        "boxes",
    )


def _mark(box: Mapping[str, Any]) -> tuple[str, ...]:
    """Class and place, to the pixel."""
    return (box["label"], *(f"{box['box'][p]:.0f}" for p in _PLACES))


def _as_boxes(objects: Sequence[Mapping[str, Any]], number: Mapping[str, int]) -> Boxes:
    corners = np.array([[item["box"][p] for p in _PLACES] for item in objects], dtype=np.float64)
    return Boxes(
        corners.reshape(-1, 4),
        np.array([number[item["label"]] for item in objects], dtype=np.int64),
        np.array([item["score"] for item in objects], dtype=np.float64),
    )


def _parts(frame: pd.DataFrame, side: _Side, run: RunDirectory) -> dict[tuple[str, str], Bools]:
    """Images of each class and of each slice."""
    names = sorted({name for labels in side.truth for name in labels})
    parts = {("class", name): np.array([name in labels for labels in side.truth]) for name in names}
    for column in run.recipe().data.slice_columns:
        if column in frame:
            values = frame[column].astype(str)
            parts |= {(column, v): (values == v).to_numpy() for v in sorted(values.unique())}
    return parts


def _seen(
    run: RunDirectory,
    images: pd.DataFrame,
    draws: tuple[Draw | None, Draw | None],
    display: Display,
) -> list[Disagreement]:
    """The first images that one run alone has right; none where the data is gone."""
    if images.empty:
        return []
    recipe = run.recipe()
    try:
        kind = get_task(recipe.task).kind
        data = read_images(recipe.data, seed=recipe.seed, kind=kind, display=display)
    except VftError as error:
        display.warn(f"The page shows no images: {error}")
        return []
    rows = {file: row for row, file in enumerate(data.splits["test"]["file"])}
    disagreements: list[Disagreement] = []
    for side in ("first", "second"):
        for row in images[images["right"] == side].head(_SHOWN).itertuples():
            boxes = [draw for draw in draws if draw is not None]
            image = image_of(
                data, "test", rows.get(str(row.file)), **({"side": None} if boxes else {})
            )
            if image is not None:
                drawn = tuple(draw(int(str(row.Index)), image) for draw in boxes) or (image,)
                disagreements.append(
                    Disagreement(
                        drawn, str(row.file), str(row.truth), str(row.first), str(row.second), side
                    )
                )
    return disagreements
