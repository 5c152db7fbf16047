"""The images of a retraining, as one data set: those of the champion and the new ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import datasets
import pandas as pd

from hf_vft.data.load import ImageData
from hf_vft.data.sources.table import image_rows
from hf_vft.data.splits import SPLITS
from hf_vft.errors import DataError
from hf_vft.run import write_folder

ORIGIN = "origin"
OLD, NEW = "training", "production"
DATASET = "dataset"


def save_images(
    folder: Path,
    old: ImageData,
    known_splits: dict[str, str],
    recent: pd.DataFrame,
    *,
    labels: list[str],
    group: str | None,
    slices: list[str],
) -> None:
    """Write ``folder/dataset`` for `hf_vft.data.load.load_data`: a saved dataset of three splits.

    Images of production are copied, so that the run outlives the log; of the old ones, what
    lies in files is named.

    Args:
        folder: Absolute; what is missing in it is made.
        old: The champion's images.
        known_splits: Their splits by SHA-256; images that the champion never saw are learned
            from.
        recent: `hf_vft.workflows.steps.production_images.Recent.frame`.
        labels: All classes, in the order of their ids.
        group: The column of the recipe.
        slices: The columns of the recipe.
    """
    if ORIGIN in (group, *slices):
        raise DataError(f"The column {ORIGIN!r} is taken; rename it in the data.")
    beside = [*([group] if group is not None else []), *slices]
    copies = _copied(recent, folder / "images")
    new = _table(image_rows(copies), recent, recent["label"].tolist(), labels, NEW, beside)
    rows_of: dict[str, list[datasets.Dataset]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        rows_of[split].append(new.select((recent["split"] == split).to_numpy().nonzero()[0]))
    for given, table in old.splits.items():
        frame = pd.DataFrame({name: table[name] for name in _there(table, group, slices)})
        if group is not None and (groups := old.groups(given)) is not None:
            frame[group] = groups
        names = [old.labels[number] for number in table["label"]]
        known = _table(table.select_columns(["image"]), frame, names, labels, OLD, beside)
        splits = [known_splits.get(digest, "train") for digest in old.hashes[given]]
        for split in SPLITS:
            rows = [row for row, name in enumerate(splits) if name == split]
            rows_of[split].append(known.select(rows))
    dataset = datasets.DatasetDict(
        {split: _plain(datasets.concatenate_datasets(parts)) for split, parts in rows_of.items()}
    )
    write_folder(folder / DATASET, lambda place: dataset.save_to_disk(str(place)))


def _plain(table: datasets.Dataset) -> datasets.Dataset:
    """Images as a mere struct: as ``Image`` they would be copied, and their names lost."""
    struct = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    return table.cast_column("image", struct)


def _copied(recent: pd.DataFrame, folder: Path) -> list[Path]:
    names = [
        f"{request}{Path(path).suffix.lower()}"
        for request, path in zip(recent["request_id"], recent["path"], strict=True)
    ]

    def copy(place: Path) -> None:
        for name, path in zip(names, recent["path"], strict=True):
            shutil.copyfile(path, place / name)

    write_folder(folder, copy)
    return [folder / name for name in names]


def _there(table: datasets.Dataset, group: str | None, slices: list[str]) -> list[str]:
    return [name for name in slices if name in table.column_names and name != group]


def _table(
    images: datasets.Dataset,
    frame: pd.DataFrame,
    names: list[str],
    labels: list[str],
    origin: str,
    beside: list[str],
) -> datasets.Dataset:
    """Images beside their labels and columns, all of one type wherever they come from."""
    columns: dict[str, list[Any]] = {"label": names, ORIGIN: [origin] * len(names)}
    for name in beside:
        values = frame[name] if name in frame else [None] * len(names)
        columns[name] = [None if pd.isna(value) else str(value) for value in values]
    texts = {name: datasets.Value("string") for name in columns}
    features = datasets.Features(texts | {"label": datasets.ClassLabel(names=labels)})
    ids = [labels.index(name) for name in names]
    table = datasets.Dataset.from_dict(columns | {"label": ids}, features=features)
    return datasets.concatenate_datasets([images, table], axis=1)
