"""From a run and its labelled production log to a challenger, and perhaps a new champion.

The challenger goes on from the champion's weights, head included, on the old images and the
newly labelled ones. It takes the champion's place only if it is more often right on the newest
labels, which neither has seen, without losing on the old test images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from pydantic import BaseModel, Field

from hf_vft.data.load import ImageData
from hf_vft.data.verify import image_bytes
from hf_vft.errors import RunError
from hf_vft.evaluation.comparison import Comparison, compare
from hf_vft.inference.predictor import Predictor
from hf_vft.outputs import MARK, claim
from hf_vft.recipe.schema import Recipe
from hf_vft.recipe.search import SearchConfig
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory, write_champion, write_json
from hf_vft.tasks import get_task
from hf_vft.utils.frozen import Frozen
from hf_vft.utils.progress import Display, Silent
from hf_vft.utils.text import quoted
from hf_vft.workflows.fit import fit
from hf_vft.workflows.score_images import log_of
from hf_vft.workflows.steps.champion import TOLERANCE, judge_retrained, next_free, pointer_of
from hf_vft.workflows.steps.production_images import divide_recent, read_recent
from hf_vft.workflows.steps.read_images import read_images
from hf_vft.workflows.steps.reference import save_reference
from hf_vft.workflows.steps.retraining_data import DATASET, NEW, OLD, ORIGIN, save_images
from hf_vft.workflows.steps.save_run import read_splits

LEAST_REFERENCE = 100
"""Held-out images of production that can be the new reference by themselves."""

_PLAN = "retraining.json"
_BATCH = 32


class Retrained(Frozen):
    """``comparison.json``: what was learned, how it compares, and what became of it."""

    promoted: bool
    headline: str
    reasons: list[str]
    champion: str = Field(description="The run that was challenged.")
    challenger: str = Field(description="The run that was made.")
    images: dict[str, int] = Field(description="Labelled production images by split.")
    new_classes: list[str]
    notes: list[str]
    recent: Comparison = Field(description="On the newest labels.")
    old: Comparison = Field(description="On the champion's own test images.")


def retrain(
    run_path: str | Path,
    log_path: str | Path,
    out: str | Path | None = None,
    *,
    images: str | Path | None = None,
    since: datetime | None = None,
    changes: Mapping[str, Any] | None = None,
    champion: str | Path | None = None,
    tolerance: float = TOLERANCE,
    resume: bool = False,
    display: Display | None = None,
) -> Retrained:
    """Fine-tune a run's model further on newly labelled production images, and compare.

    Args:
        run_path: A finished run, or a champion file that names one.
        log_path: A production log with labels; or images with labels, as for
            `hf_vft.workflows.score_images.observe`.
        out: The challenger's run folder; by default the next free ``NAME-2``, ``NAME-3``, ...
        images: Where the images are that the log did not keep: see
            `hf_vft.workflows.steps.production_images.read_recent`.
        since: Images from before do not count.
        changes: Of the champion's recipe, dotted name to value.
        champion: The file that says which run is in use; by default ``run_path`` if it is one,
            else ``champion`` beside the run. It is written only if the challenger wins.
        tolerance: See `TOLERANCE`.
        resume: Go on with a retraining that was stopped; ``out`` has to be named.
        display: Where progress is shown.

    Returns:
        The verdict, which ``comparison.json`` in ``out`` holds too.

    Raises:
        VftError: If the run is not finished, or there are too few labelled images.
    """
    display = display or Silent()
    before = RunDirectory.open(run_path)
    task = get_task(before.recipe().task)
    if task.kind != "class":
        raise RunError(f"{before.path}: {task.name} is not retrained so far; fit it anew.")
    pointer = pointer_of(Path(run_path), before, champion)
    after = RunDirectory(_out(before, out, resume=resume))
    if not after.comparison_file.is_file():
        plan = _assembled(before, after, log_path, images, since, display, resume=resume)
        _fit(before, after, changes or {}, display)
        data = _images(after, display)
        _renew_reference(after, data, display)
        outcome = _compared(before, after, data, plan, tolerance, display)
        write_json(after.comparison_file, outcome.model_dump(mode="json"))
    elif not resume:
        raise RunError(f"{after.path}: there is a run already; choose another --out.")
    outcome = after.read_as(Retrained, after.comparison_file)
    if outcome.promoted:
        write_champion(pointer, after.path)
        display.say(f"{pointer} now names {after.path}.")
    return outcome


def _out(before: RunDirectory, out: str | Path | None, *, resume: bool) -> Path:
    if out is not None:
        return Path(out)
    if resume:
        raise RunError("--resume: name the stopped run with --out.")
    return next_free(before)


class _Plan(BaseModel):
    images: dict[str, int]
    new_classes: list[str]
    notes: list[str]


def _assembled(
    before: RunDirectory,
    after: RunDirectory,
    log_path: str | Path,
    images: str | Path | None,
    since: datetime | None,
    display: Display,
    *,
    resume: bool,
) -> _Plan:
    """The images, divided once: a resumed retraining goes on with the same ones."""
    plan_file = after.data / _PLAN
    if plan_file.is_file():
        if not resume:
            raise RunError(f"{after.path}: a retraining was stopped there; add --resume.")
        return after.read_as(_Plan, plan_file)
    if after.path.is_dir() and any(
        path not in (after.state, after.data, after.path / MARK) for path in after.path.iterdir()
    ):
        raise RunError(f"{after.path}: there is a run already; choose another --out.")
    claim(after.path, (after.state.name, after.data.name), command="retrain")
    if not ProductionLog.is_log(log_path) and images is None:
        images = log_path
    log = log_of(before.path, log_path, after.state / "log", display)
    recipe = before.recipe()
    old = read_images(recipe.data, seed=recipe.seed, kind="class", display=display)
    frame, missing = read_recent(
        log, classes=old.labels, images=Path(images) if images else None, since=since
    )
    known, group = read_splits(before), recipe.data.group_column
    recent = divide_recent(
        frame,
        old,
        known,
        group=group,
        seed=recipe.seed,
        display=display,
    )
    labels = [*old.labels, *recent.new_classes]
    counts = recent.frame["split"].value_counts()
    plan = _Plan(
        images={str(split): int(n) for split, n in counts.items()},
        new_classes=recent.new_classes,
        notes=[*missing, *recent.notes],
    )
    for note in plan.notes:
        display.warn(note)
    if plan.new_classes:
        display.say(f"New classes: {quoted(plan.new_classes)}; the head grows by a row for each.")

    save_images(
        after.data.absolute(),
        old,
        known,
        recent.frame,
        labels=labels,
        group=group,
        slices=list(recipe.data.slice_columns),
    )
    # Last: with it all is there.
    write_json(plan_file, plan.model_dump())
    return plan


def _fit(
    before: RunDirectory, after: RunDirectory, changes: Mapping[str, Any], display: Display
) -> None:
    if after.report_file.is_file():  # what a fit writes last
        return
    if after.asked_file.is_file():
        fit(None, after.path, resume=True, display=display)
        return
    fit(_recipe(before, after).replaced(changes), after.path, display=display)


def _recipe(before: RunDirectory, after: RunDirectory) -> Recipe:
    """The champion's recipe, for its own weights and the assembled images."""
    columns = {"image_column": "image", "label_column": "label", "label_columns": "auto"}
    return before.recipe().replaced(
        {
            "data.path": str(after.data.absolute() / DATASET),
            "data.subset": None,
            "data.split_column": "auto",
            **{f"data.{name}": column for name, column in columns.items()},
            "model.candidates": [str(before.model.absolute())],
            "model.keep_head": True,
            "training.deliver": "auto",
            "search": SearchConfig().model_dump(),
        }
    )


def _images(after: RunDirectory, display: Display) -> ImageData:
    recipe = after.recipe()
    return read_images(recipe.data, seed=recipe.seed, kind="class", display=display)


def _renew_reference(after: RunDirectory, data: ImageData, display: Display) -> None:
    """What is normal now: held-out images of production alone, where there are enough.

    Beside the old ones they would make two kinds of images of it, and a window of the new kind
    would seem to have drifted for ever.
    """
    new = {
        split: table.select(np.flatnonzero(np.array(table[ORIGIN]) == NEW))
        for split, table in data.splits.items()
    }
    held_out = sum(len(table) for split, table in new.items() if split != "train")
    if held_out < LEAST_REFERENCE:
        display.warn(
            f"The monitor's reference holds old images too: {held_out} held-out ones of "
            f"production are too few, {LEAST_REFERENCE} are needed."
        )
        return
    save_reference(after, replace(data, splits=new), display)


def _compared(
    before: RunDirectory,
    after: RunDirectory,
    data: ImageData,
    plan: _Plan,
    tolerance: float,
    display: Display,
) -> Retrained:
    test = data.splits["test"]
    truth = np.array([data.labels[number] for number in test["label"]])
    groups = data.groups("test") or [None] * len(test)
    origins = np.array(test[ORIGIN])
    display.start("champion against challenger", 2 * len(test))
    predicted = [
        _answers(Predictor(run), test, display, n) for n, run in enumerate((before, after))
    ]
    comparisons = {}
    for origin in (NEW, OLD):
        rows = np.flatnonzero(origins == origin).tolist()
        champion, challenger = (answers[rows].tolist() for answers in predicted)
        comparisons[origin] = compare(
            truth[rows].tolist(), champion, challenger, [groups[row] for row in rows]
        )
    promoted, headline, reasons = judge_retrained(comparisons[NEW], comparisons[OLD], tolerance)
    return Retrained(
        promoted=promoted,
        headline=headline,
        reasons=reasons,
        champion=str(before.path.absolute()),
        challenger=str(after.path.absolute()),
        recent=comparisons[NEW],
        old=comparisons[OLD],
        **plan.model_dump(),
    )


def _answers(
    predictor: Predictor, test: datasets.Dataset, display: Display, number: int
) -> np.ndarray:
    answers: list[str] = []
    for start in range(0, len(test), _BATCH):
        batch = test[start : start + _BATCH]["image"]
        images = [predictor.decode(image_bytes(image)) for image in batch]
        answers += [prediction.labels[0] for prediction in predictor.predictions(images)]
        display.advance(number * len(test) + len(answers), total=2 * len(test))
    return np.array(answers)
