"""Labelled images of production: found in the log, and divided so that none is met twice.

The newest are the test, since what comes next is most like them. What shows the same part, or
looks the same (perceptual hash), stays on one side, and what was known before is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hf_vft.data.audit.duplicates import find_duplicates, units
from hf_vft.data.audit.measure import measure, measure_images
from hf_vft.data.load import ImageData
from hf_vft.data.sources.folder_tables import METADATA_NAMES
from hf_vft.data.sources.textfiles import read_columns
from hf_vft.data.stratify import divide
from hf_vft.errors import DataError, LogError
from hf_vft.records import PREDICTIONS, ProductionLog
from hf_vft.records.future import future_notes, latest_credible
from hf_vft.records.vocabulary import LEAST_OF_CLASS, read_vocabulary
from hf_vft.utils.cache import default_cache
from hf_vft.utils.progress import Display
from hf_vft.utils.text import counted, few

TEST_SHARE = 0.4
"""Of the labelled images, the newest: as many decide as it takes to prove a few points."""

VALIDATION_SHARE = 0.2  # of the others
LEAST = 40
"""Labelled images, without which nothing can be learned and proven."""


@dataclass(frozen=True)
class Recent:
    """Labelled images of production, divided.

    Attributes:
        frame: ``request_id``, ``ts_utc``, ``label``, ``path`` of the image, ``split`` (train,
            validation, test) and the slice columns of the log.
        new_classes: Classes that the champion does not know, and that can be learned.
        notes: One line on each thing that was left out.
    """

    frame: pd.DataFrame
    new_classes: list[str]
    notes: list[str]


def read_recent(
    log: ProductionLog,
    *,
    classes: Sequence[str] = (),
    images: Path | None = None,
    since: datetime | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """The labelled images of a log, in the order of time.

    Args:
        log: With labels.
        classes: Of the champion; labels that are slips of them are left out, see
            `hf_vft.records.vocabulary`.
        images: Where they are, unless the log keeps them: a folder in which ``metadata.csv``,
            ``metadata.jsonl`` or ``labels.csv`` names a ``file_name`` for each ``request_id``, or
            which holds the files that the log names, or files called after the request.
        since: Images from before do not count.

    Returns:
        The columns of `Recent.frame` but ``split``, and notes.

    Raises:
        LogError: If no label came with an image.
    """
    latest = latest_credible()
    labels = log.read_labels(until=latest)[["request_id", "label"]].dropna()
    shown = log.read(since, latest).drop_duplicates("request_id", keep="last")
    beside = [name for name in shown if name not in PREDICTIONS]
    frame = shown[["request_id", "ts_utc", "file", *beside]].merge(labels, on="request_id")
    if frame.empty:
        why = " ".join(future_notes(log, latest))
        raise LogError(
            f"{log.folder}: no labels yet; write them with `hf-vft log label`. {why}".rstrip()
        )
    vocabulary = read_vocabulary(frame["label"], classes)
    frame = frame[~frame["label"].isin(vocabulary.kept_out)] if classes else frame
    strange = [vocabulary.sentence()] if classes and vocabulary.unknown else []
    if frame.empty:
        raise LogError(f"{log.folder}: no label is a class of the run. {' '.join(strange)}")
    frame = frame.copy()
    frame["path"] = [
        None if path is None else str(path) for path in image_paths(frame, log, images)
    ]
    rows = frame.dropna(subset=["path"]).sort_values("ts_utc", kind="stable", ignore_index=True)
    if rows.empty:
        raise LogError(
            f"{log.folder}: {counted(len(frame), 'label')}, but no image: serve with "
            "--keep-images, or say with --images where they are."
        )
    lost = len(frame) - len(rows)
    notes = [f"{counted(lost, 'labelled image')} not found, left out."] if lost else []
    return rows.drop(columns="file"), [*strange, *notes, *future_notes(log, latest)]


def divide_recent(
    frame: pd.DataFrame,
    old: ImageData,
    known_splits: dict[str, str],
    *,
    group: str | None,
    seed: int,
    display: Display,
) -> Recent:
    """Choose what to learn from and what to test on.

    Args:
        frame: From `read_recent`.
        old: The images that the champion was made with.
        known_splits: Their splits by SHA-256, as the champion had them.
        group: Column whose values images of one part, patient or place share.
        seed: Of the validation images.
        display: Where progress is shown.

    Raises:
        DataError: If too few are left.
    """
    frame, numbers, repeats = unseen_images(frame, old, group, display)
    notes = []
    if repeats:
        notes.append(
            f"{counted(repeats, 'labelled image')} left out: nearly the same were there at "
            "training."
        )
    count = len(np.unique(numbers))
    if count < LEAST:
        raise DataError(
            f"Labelled images that show different things: {count}; at least {LEAST} are needed, "
            f"{round(LEAST * (1 - TEST_SHARE))} to learn from and the newest to prove it on. "
            "Label more."
        )
    newest = _newest(frame["ts_utc"], numbers)
    split = np.where(newest, "test", "train").astype("<U10")
    if group is not None and group in frame:
        held = _held_out_groups(old, known_splits)
        barred = frame[group].astype("string").isin(held).to_numpy() & ~newest
        split[barred] = ""
        if barred.any():
            notes.append(
                f"{counted(int(barred.sum()), 'labelled image')} left out: of a {group} that "
                "the champion is tested on."
            )
    split, new, few_notes = _learnable(frame["label"].to_numpy(dtype=str), split, old.labels)
    rows = np.flatnonzero(split == "train")
    ids = pd.factorize(frame["label"].iloc[rows])[0].astype(np.int64)
    split[rows] = divide(ids, numbers[rows], {"validation": VALIDATION_SHARE}, seed)
    divided = frame.assign(split=split)[split != ""].reset_index(drop=True)
    return Recent(divided, new, notes + few_notes)


def image_paths(frame: pd.DataFrame, log: ProductionLog, images: Path | None) -> list[Path | None]:
    """The image file of each row; None if it was not found.

    Args:
        frame: ``request_id`` and ``file`` of the log.
        log: May have kept them.
        images: A folder as for `read_recent`, for a log that did not.

    Raises:
        DataError: If there is no such folder.
    """
    if images is None:
        stored = (log.image_file(request) for request in frame["request_id"])
        return [None if path is None else path.absolute() for path in stored]
    if not images.is_dir():
        raise DataError(f"{images}: no such folder.")
    root = images.absolute()
    listed = _listed(root)
    by_request = {path.stem: path for path in root.glob("*.*")}
    paths: list[Path | None] = []
    for request, file in zip(frame["request_id"], frame["file"], strict=True):
        names = [name for name in (listed.get(request), file) if isinstance(name, str)]
        places = [root / name for name in names]
        if request in by_request:
            places.append(by_request[request])
        # Names in a log may come from whoever sent the image: none may lead out of the folder.
        inside = (p for p in places if p.resolve().is_relative_to(root.resolve()) and p.is_file())
        paths.append(next(inside, None))
    return paths


def _listed(root: Path) -> dict[str, str]:
    """File names by request, where a table in the folder says them."""
    for name in (*METADATA_NAMES, "labels.csv"):
        if (root / name).is_file():
            columns = read_columns(root / name)
            if "request_id" in columns and "file_name" in columns:
                return dict(zip(columns["request_id"], columns["file_name"], strict=True))
    return {}


def unseen_images(
    frame: pd.DataFrame, old: ImageData, group: str | None, display: Display
) -> tuple[pd.DataFrame, npt.NDArray[np.int64], int]:
    """Rows that show something new, the unit of each, and how many do not.

    Args:
        frame: ``path`` of each image, and its group where there is a group column.
        old: The images that the champion was made with.
        group: Column whose values images of one part, patient or place share.
        display: Where progress is shown.

    Raises:
        DataError: If a file is no image.
    """
    display.start("looking at new images", len(frame))
    measures = []
    for row, path in enumerate(frame["path"]):
        try:
            measures.append(measure(Path(path).read_bytes(), old.decoder))
        except DataError as error:
            raise DataError(f"{path}: {error}.") from None
        display.advance(row + 1, total=len(frame))
    known = measure_images(old, cache_dir=default_cache() / "data")
    both = pd.concat([known, pd.DataFrame(measures)], ignore_index=True)
    groups = pd.Series([None] * len(both), dtype="object")
    if group is not None and group in frame:
        groups.iloc[len(known) :] = frame[group].to_numpy(dtype=object)
    numbers = units(len(both), find_duplicates(both), groups)
    before, now = numbers[: len(known)], numbers[len(known) :]
    fresh = ~np.isin(now, before)
    return frame[fresh].reset_index(drop=True), now[fresh], int((~fresh).sum())


def _newest(times: pd.Series, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whole units from the newest on, until they are the share that tests."""
    last = times.groupby(numbers).max().sort_values(ascending=False, kind="stable")
    sizes = pd.Series(numbers).value_counts().reindex(last.index)
    before = sizes.cumsum() - sizes
    chosen = last.index[(before < TEST_SHARE * len(numbers)).to_numpy()]
    newest: npt.NDArray[np.bool_] = np.isin(numbers, chosen)
    if newest.all():
        raise DataError(
            "Most labelled images look the same or show one part, so that they cannot be "
            "divided; label others."
        )
    return newest


def _held_out_groups(old: ImageData, known_splits: dict[str, str]) -> set[str]:
    held: set[str] = set()
    for split in old.splits:
        if (groups := old.groups(split)) is not None:
            pairs = zip(groups, old.hashes[split], strict=True)
            held |= {str(g) for g, h in pairs if known_splits.get(h, split) != "train"}
    return held


def _learnable(
    labels: npt.NDArray[np.str_], split: npt.NDArray[np.str_], known: list[str]
) -> tuple[npt.NDArray[np.str_], list[str], list[str]]:
    """New classes with enough images to learn from; the others are left out everywhere."""
    learned = pd.Series(labels[split == "train"]).value_counts()
    new = sorted(set(labels[split != ""].tolist()) - set(known))
    scarce = [name for name in new if learned.get(name, 0) < LEAST_OF_CLASS]
    split = np.where(np.isin(labels, scarce), "", split)
    notes = []
    if scarce:
        listed = [f"{name!r} ({learned.get(name, 0)})" for name in scarce]
        notes.append(
            f"New classes left out, with fewer than {LEAST_OF_CLASS} images to learn from: "
            f"{few(listed)}; label more of them."
        )
    return split, [name for name in new if name not in scarce], notes
