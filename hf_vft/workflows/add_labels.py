"""Labels from a file into a production log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hf_vft.answers import answer_kind
from hf_vft.data.sources.textfiles import read_columns
from hf_vft.errors import LogError
from hf_vft.records import ProductionLog, split_names
from hf_vft.records.vocabulary import counts_for_something, read_vocabulary
from hf_vft.run import RunDirectory
from hf_vft.utils.spreadsheets import from_cell
from hf_vft.utils.text import counted, few, quoted
from hf_vft.workflows.steps.labelling_tools import is_tool_export, labels_of_export

_WAY_ON = "Correct them, or name new classes with --new-class."


@dataclass(frozen=True)
class AddedLabels:
    """The result of adding a file of labels.

    Attributes:
        written: How many labels are in the log now.
        notes: A sentence on each thing that was left out or is new.
    """

    written: int
    notes: list[str]


def add_labels(
    log_path: str | Path,
    file: str | Path,
    *,
    source: str,
    run: str | Path | None = None,
    new_classes: Sequence[str] = (),
) -> AddedLabels:
    """Write the labels of a CSV or JSON Lines file with ``request_id`` and ``label``.

    Labels that are no class are kept out, see `hf_vft.records.vocabulary`.

    Args:
        log_path: A production log.
        file: Rows whose label is empty are left alone; ``source`` is a column, too. Or an export
            of Label Studio (JSON) or CVAT (XML); images without an annotation are left alone.
        source: Who labelled, where the file does not say.
        run: Whose classes count; by default the names that the log has as answers and labels.
        new_classes: Names that are meant, though no model has answered them so far.

    Returns:
        How many labels were written, and what was left out; on an error none were.

    Raises:
        LogError: If a column is missing, a request is none of the log's, one has two different
            labels, or no label is a class.
        DataError: If the file cannot be read.
    """
    log, path = ProductionLog.open(log_path), Path(file)
    answers = log.read(columns=["request_id", "predicted", "task", "file", "width", "height"])
    rows = (
        [row | {"source": source} for row in labels_of_export(path, answers)]
        if is_tool_export(path)
        else _rows(path, source)
    )
    known = set(answers["request_id"])
    strange = [row["request_id"] for row in rows if row["request_id"] not in known]
    if strange:
        raise LogError(
            f"{path}: {counted(len(strange), 'request')} unknown to the log, {strange[0]!r} the "
            "first; nothing was written."
        )
    rows = _once(rows, path)
    several = not all(answer_kind(task).exclusive for task in answers["task"].unique())
    classes = _classes(log, answers, several=several) if run is None else _classes_of(run)
    labels = [row["label"] for row in rows]
    vocabulary = read_vocabulary(labels, classes, several=several, new=new_classes)
    counts = counts_for_something(labels, vocabulary, several=several)
    kept = [row for row, here in zip(rows, counts, strict=True) if here]
    if rows and not kept:
        raise LogError(f"{path}: nothing was written. {vocabulary.sentence()} {_WAY_ON}")
    log.append_labels(kept)
    notes = [f"{vocabulary.sentence()} {_WAY_ON}"] if vocabulary.unknown else []
    if vocabulary.new:
        named = few([f"{quoted([name])} ({n:,})" for name, n in vocabulary.new.items()])
        notes.append(f"Written as classes that the model does not know: {named}.")
    return AddedLabels(len(kept), notes)


def _rows(path: Path, source: str) -> list[dict[str, Any]]:
    """The rows of a table whose label was filled in."""
    columns = read_columns(path)
    for name in ("request_id", "label"):
        if name not in columns:
            raise LogError(f"{path}: there is no column {name!r}.")
    return [
        {"request_id": str(request), "label": from_cell(str(label).strip()), "source": by or source}
        for request, label, by in zip(
            columns["request_id"],
            columns["label"],
            columns.get("source", [None] * len(columns["label"])),
            strict=True,
        )
        if label is not None and str(label).strip()
    ]


def _once(rows: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    """One row a request: repeats say nothing more, contradictions are for a person to settle."""
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        before = first.setdefault(row["request_id"], row)
        if before["label"] != row["label"]:
            raise LogError(
                f"{path}: request {row['request_id']!r} has two labels, {before['label']!r} and "
                f"{row['label']!r}; nothing was written."
            )
    return list(first.values())


def _classes(log: ProductionLog, answers: pd.DataFrame, *, several: bool) -> set[str]:
    """The names that models have answered, and classes that came with labels since."""
    predicted = answers["predicted"].dropna().unique()
    classes = {name for text in predicted for name in (split_names(text) if several else [text])}
    labelled = log.read_labels()["label"].dropna()
    return classes | set(read_vocabulary(labelled, classes, several=several).new)


def _classes_of(run: str | Path) -> list[str]:
    opened = RunDirectory.open(run)
    return list(opened.read_json(opened.profile_file)["labels"])
