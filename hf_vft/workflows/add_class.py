"""A new class for a run from a few images, without training: a row more in the last layer.

The rows of the old classes stay, so the logits of the old classes do. The new run is a folder of
its own, with scores, card, reference and report; it takes the old one's place only if it finds the
new class and the old classes do not lose.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from hf_vft.data.load import ImageData
from hf_vft.data.sources.folders import is_image_name, visible_files
from hf_vft.data.verify import image_bytes
from hf_vft.errors import DataError, RunError
from hf_vft.evaluation.comparison import Comparison, compare
from hf_vft.inference.predictor import Predictor
from hf_vft.outputs import claim
from hf_vft.recipe.schema import Recipe
from hf_vft.recipe.search import SearchConfig
from hf_vft.run import RunDirectory, write_champion, write_json
from hf_vft.tasks import get_task
from hf_vft.utils.frozen import Frozen
from hf_vft.utils.progress import Display, Silent
from hf_vft.utils.text import counted
from hf_vft.workflows.fit import fit
from hf_vft.workflows.steps.champion import TOLERANCE, judge_added_class, next_free, pointer_of
from hf_vft.workflows.steps.production_images import unseen_images
from hf_vft.workflows.steps.read_images import read_images
from hf_vft.workflows.steps.retraining_data import DATASET, NEW, ORIGIN, save_images
from hf_vft.workflows.steps.save_run import read_splits

LEAST = 3
"""Different images of a new class: to learn from, to set its row by, and to test it on."""

SHARE = 0.2
"""Of the new images, for validation and as many again for the test; one at least."""

_BATCH = 32


class Added(Frozen):
    """``comparison.json`` of `add_class`: what was added, and what became of it."""

    promoted: bool
    headline: str
    reasons: list[str]
    champion: str = Field(description="The run that got a class.")
    challenger: str = Field(description="The run that was made.")
    name: str = Field(description="Of the new class.")
    images: dict[str, int] = Field(description="New images by split.")
    notes: list[str]
    largest_difference: float = Field(
        description="Of an old class's logit between the two runs, over the test images."
    )
    found: int = Field(description="Test images of the new class that were recognised.")
    old: Comparison = Field(description="On the test images of the old classes.")


def add_class(
    run_path: str | Path,
    folder: str | Path,
    out: str | Path | None = None,
    *,
    name: str | None = None,
    champion: str | Path | None = None,
    tolerance: float = TOLERANCE,
    display: Display | None = None,
) -> Added:
    """Give a run's model a new class from a few images; nothing is trained.

    Args:
        run_path: A finished run, or a champion file that names one.
        folder: Images of the new class.
        out: The new run folder; by default the next free ``NAME-2``, ``NAME-3``, ...
        name: Of the class; by default that of the folder.
        champion: The file that says which run is in use; by default ``run_path`` if it is one,
            else ``champion`` beside the run. It is written only if the new run takes over.
        tolerance: Accuracy on the old test images that must not be able to have been lost.
        display: Where progress is shown.

    Returns:
        The verdict, which ``comparison.json`` in ``out`` holds too.

    Raises:
        VftError: If the run is not finished or not of one label an image, knows the class already,
            or there are too few images.
    """
    display = display or Silent()
    before, folder = RunDirectory.open(run_path), Path(folder)
    recipe = before.recipe()
    if get_task(recipe.task).kind != "class":
        raise RunError(f"{before.path}: {recipe.task} takes no new class so far; fit it anew.")
    name = name or folder.absolute().name
    pointer = pointer_of(Path(run_path), before, champion)
    frame = _images_in(folder)
    after = RunDirectory(next_free(before) if out is None else Path(out))
    if after.path.exists() and any(after.path.iterdir()):
        raise RunError(f"{after.path}: there is something already; choose another --out.")
    old = read_images(recipe.data, seed=recipe.seed, kind="class", display=display)
    if name in old.labels:
        raise DataError(
            f"{before.path} knows the class {name!r} already: give --name another, or learn more "
            "images of it with `hf-vft retrain`."
        )
    frame, numbers, repeats = unseen_images(frame.assign(label=name), old, None, display)
    frame = frame.assign(split=_divided(numbers, folder, recipe.seed))
    notes = []
    if repeats:
        notes.append(f"{counted(repeats, 'image')} left out: the run has nearly the same ones.")
    for note in notes:
        display.warn(note)
    claim(after.path, (after.state.name, after.data.name), command="add-class")
    save_images(
        after.data.absolute(),
        old,
        read_splits(before),
        frame,
        labels=[*old.labels, name],
        group=recipe.data.group_column,
        slices=list(recipe.data.slice_columns),
    )
    fit(_recipe(before, after), after.path, display=display)
    added = after.recipe()
    data = read_images(added.data, seed=added.seed, kind="class", display=display)
    counts = {str(split): int(n) for split, n in frame["split"].value_counts().items()}
    found = _compared(before, after, data, name, counts, notes, tolerance, display)
    write_json(after.comparison_file, found.model_dump(mode="json"))
    if found.promoted:
        write_champion(pointer, after.path)
        display.say(f"{pointer} now names {after.path}.")
    return found


def _images_in(folder: Path) -> pd.DataFrame:
    """``request_id`` and ``path`` of every image, each content once."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one with images of the new class.")
    files = sorted(path for path in visible_files(folder) if is_image_name(path))
    names = [hashlib.sha256(path.read_bytes()).hexdigest()[:32] for path in files]
    frame = pd.DataFrame({"request_id": names, "path": [str(path.absolute()) for path in files]})
    frame = frame.drop_duplicates("request_id", ignore_index=True)
    if len(frame) < LEAST:
        raise DataError(_too_few(folder, len(frame)))
    return frame


def _too_few(folder: Path, count: int) -> str:
    return (
        f"{folder}: {counted(count, 'different image')}; at least {LEAST} are needed, to learn "
        "from, to set the new row by, and to test it on."
    )


def _divided(numbers: npt.NDArray[np.int64], folder: Path, seed: int) -> npt.NDArray[np.str_]:
    """The split of each image; what looks the same stays on one side."""
    distinct = np.random.default_rng(seed).permutation(np.unique(numbers))
    if len(distinct) < LEAST:
        raise DataError(_too_few(folder, len(distinct)))
    held = max(1, round(SHARE * len(distinct)))
    split = np.full(len(numbers), "train", dtype="<U10")
    split[np.isin(numbers, distinct[:held])] = "test"
    split[np.isin(numbers, distinct[held : 2 * held])] = "validation"
    return split


def _recipe(before: RunDirectory, after: RunDirectory) -> Recipe:
    """The old recipe, for the old weights and all images; nothing is trained."""
    columns = {"image_column": "image", "label_column": "label", "label_columns": "auto"}
    return before.recipe().replaced(
        {
            "data.path": str(after.data.absolute() / DATASET),
            "data.subset": None,
            "data.split_column": "auto",
            **{f"data.{name}": column for name, column in columns.items()},
            "model.candidates": [str(before.model.absolute())],
            "model.keep_head": True,
            "model.lora": None,
            "probe.enabled": True,
            "probe.head": "logistic",
            "training.deliver": "auto",
            "search": SearchConfig().model_dump(),
            "stages": [],
        }
    )


def _compared(
    before: RunDirectory,
    after: RunDirectory,
    data: ImageData,
    name: str,
    images: dict[str, int],
    notes: list[str],
    tolerance: float,
    display: Display,
) -> Added:
    test = data.splits["test"]
    truth = np.array([data.labels[number] for number in test["label"]])
    groups = data.groups("test") or [None] * len(test)
    new = np.array(test[ORIGIN]) == NEW
    first, second = Predictor(before), Predictor(after)
    display.start("before and after", 2 * len(test))
    ours, theirs = (_logits(p, test, display, n * len(test)) for n, p in enumerate((first, second)))
    places = [second.labels.index(label) for label in first.labels]
    difference = float(np.abs(ours - theirs[:, places]).max())
    said = [np.array(p.labels)[logits.argmax(1)] for p, logits in ((first, ours), (second, theirs))]
    rows = np.flatnonzero(~new)
    champion, challenger = (answers[rows].tolist() for answers in said)
    old = compare(truth[rows].tolist(), champion, challenger, [groups[row] for row in rows])
    found = int((said[1][new] == name).sum())
    promoted, headline, reasons = judge_added_class(found, int(new.sum()), old, name, tolerance)
    return Added(
        promoted=promoted,
        headline=headline,
        reasons=reasons,
        champion=str(before.path.absolute()),
        challenger=str(after.path.absolute()),
        name=name,
        images=images,
        notes=notes,
        largest_difference=difference,
        found=found,
        old=old,
    )


def _logits(predictor: Predictor, test: datasets.Dataset, display: Display, done: int) -> Any:
    logits = []
    for start in range(0, len(test), _BATCH):
        batch = test[start : start + _BATCH]["image"]
        images = [predictor.decode(image_bytes(image)) for image in batch]
        logits.append(np.asarray(predictor.logits(images)))
        display.advance(done + start + len(batch), total=2 * len(test))
    return np.concatenate(logits)
