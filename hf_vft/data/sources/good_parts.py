"""Good parts alone: when labelled images are read as anomaly detection, and how.

Where one class is all there is to learn from, as on the first day of an inspection line or in the
layout of MVTec AD (``train/good``, ``test/good``, ``test/scratch``, ``ground_truth``), no
classifier can be trained. What is learned then is the good class, and every other is an anomaly.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from hf_vft.data.extra_columns import DEFECT, MASK
from hf_vft.data.label_types import KINDS
from hf_vft.data.sources.reading import Option, ask, refuse
from hf_vft.data.sources.table import Table
from hf_vft.recipe.schema import DataConfig
from hf_vft.records.vocabulary import folded
from hf_vft.utils.text import counted, few

KIND = "anomaly"
ANOMALY = "anomaly"
"""The class of all images that are not good."""

GROUND_TRUTH = "ground_truth"
TASK = "task=anomaly-detection"
_GOOD = frozenset({
    "good", "ok", "okay", "normal", "free", "pass", "passed", "healthy", "defect free",
    "no defect", "nodefect", "non defective", "nondefective", "intact", "fine", "sound", "perfect",
    "clean", "gut", "io", "in ordnung", "bueno", "bon", "buono", "bom", "良品", "正常", "合格",
    "норма", "годен",
})  # fmt: skip
_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")


def is_good(name: str) -> bool:
    """Whether a class is called as good parts are."""
    return folded(name).replace("_", " ").replace("-", " ") in _GOOD


def good_parts(table: Table, config: DataConfig, source: str, *, kind: str | None) -> Table:
    """The table with its classes as good and anomaly, where that is what it is for.

    Args:
        table: Of one class an image; others are returned as they are.
        config: May name the good class.
        source: What it is called.
        kind: What the labels have to be; None takes what is there.

    Raises:
        AmbiguousSourceError: If one class is all there is, or to learn from, and nothing says that
            it is the good one.
    """
    if table.kind.name != "class" or kind not in (None, KIND):
        return table
    if kind == KIND:
        good = _named_good(table, config, source)
        return _converted(table, good, config.good_class or good)
    classes, learned = _classes(table), _classes(table, "train")
    if len(classes) > 1 and (table.splits is None or len(learned) != 1):
        return table
    if not classes:
        return table
    [only] = learned or classes
    if not is_good(only):
        raise _ask_of_one(only, source)
    return _converted(table, only, only)


def _ask_of_one(only: str, source: str) -> Exception:
    return ask(
        source,
        f"Only one class, {only!r}, to learn from: a classifier needs images of at least two. Add "
        f"them, or take {only!r} for good parts, from which everything else is told apart.",
        [Option(f"good parts only: {only}", TASK)],
    )


def _named_good(table: Table, config: DataConfig, source: str) -> str:
    """The good class of images that are asked to be read so."""
    classes = _classes(table)
    if config.good_class is not None:
        # Other images may hold anomalies alone, or call good parts otherwise.
        if config.good_class in classes or not any(map(is_good, classes)):
            return config.good_class
        return next(name for name in classes if is_good(name))
    learned = _classes(table, "train") or classes
    candidates = learned if len(learned) == 1 else [name for name in classes if is_good(name)]
    if len(candidates) == 1:
        return candidates[0]
    if not classes:
        raise refuse(source, "no image has a label.")
    raise ask(
        source,
        "which class is the good one cannot be told.",
        [Option(f"good parts: {name}", f"data.good_class={name}") for name in classes[:6]],
    )


def _classes(table: Table, *splits: str) -> list[str]:
    """Classes of some splits, or of all images."""
    labels: Sequence[str | None] = table.labels
    if splits:
        where: Collection[str] = splits
        pairs = zip(labels, table.splits or (), strict=False)
        labels = [label for label, split in pairs if split in where]
    return sorted({label for label in labels if label is not None})


def _converted(table: Table, good: str, called: str) -> Table:
    """With the class of good images, whatever its name here, called as the model calls it."""
    labels = [
        None if name is None else called if name == good else ANOMALY for name in table.labels
    ]
    if ANOMALY in (good, called):
        raise refuse("data.good_class", f"{ANOMALY!r} is what the others are called.")
    bad = sorted({name for name in table.labels if name not in (None, good)})
    extras = dict(table.extras)
    if bad:
        extras.setdefault(DEFECT, [name or "" for name in table.labels])
    masks = [
        _mask(row["path"]) if label == ANOMALY else None
        for row, label in zip(table.images["image"], labels, strict=True)
    ]
    if any(masks):
        extras[MASK] = masks
    marked = sum(mask is not None for mask in masks)
    # Masks stand beside the images, in a folder that is no split.
    notes = [note for note in table.notes if not (marked and GROUND_TRUTH in note)]
    moved = sum(
        label == ANOMALY and split == "train"
        for label, split in zip(labels, table.splits or (), strict=False)
    )
    if moved:
        notes.append(
            f"{counted(moved, 'image')} of anomalies in train: learned from are good parts alone, "
            "so they are held out and measured with the test images."
        )
    reading = table.reading
    if reading is not None:
        what = f"good parts only: {good!r} is learned"
        what += f", {few([repr(name) for name in bad], 4)} are anomalies" if bad else ""
        what += f" ({reading.format})"
        masked = f"{counted(marked, 'mask')} of anomalies in {GROUND_TRUTH}" if marked else ""
        reading = replace(
            reading,
            format=what,
            matched="; ".join(filter(None, (reading.matched, masked))),
            left_out=tuple(
                item for item in reading.left_out if not (marked and item.what == GROUND_TRUTH)
            ),
        )
    return replace(
        table,
        labels=labels,
        kind=KINDS[KIND],
        class_names=[called, ANOMALY],
        extras=extras,
        notes=notes,
        reading=reading,
    )


def _mask(path: str | None) -> str | None:
    """The mask of an anomaly as MVTec AD lays it: ``ground_truth/scratch/000_mask.png``."""
    if path is None:
        return None
    file = Path(path)
    beside = file.parent.parent.parent / GROUND_TRUTH / file.parent.name
    for stem in (f"{file.stem}_mask", file.stem):
        for suffix in _SUFFIXES:
            if (found := beside / f"{stem}{suffix}").is_file():
                return str(found)
    return None
