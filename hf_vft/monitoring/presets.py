"""Evidently's own presets on the same rows, for those who know and want them.

They decide nothing: without intervals or corrections, and with faults that
``tests/monitoring/test_evidently_faults.py`` watches. Where one can be gone around, it is: the
categories are compared by Jensen-Shannon distance and not by a chi-square that takes the reference
for exact, and embeddings, which a preset ignores, stay out.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from hf_vft.monitoring.delayed_labels import MIN_ROWS
from hf_vft.monitoring.input_drift import PROPERTIES
from hf_vft.monitoring.safe_markup import inert
from hf_vft.run import write_text
from hf_vft.utils.imports import require_package

NUMBERS = (*PROPERTIES, "confidence", "margin", "entropy", "energy")
CATEGORIES = ("format", "predicted")
FILE = "evidently.html"


def write_presets(
    reference: pd.DataFrame, current: pd.DataFrame, slices: Sequence[str], out: Path
) -> Path:
    """Write ``evidently.html``: data summary and drift, and with labels the classification.

    A report of Evidently has one set of rows: with `MIN_ROWS` labels, those that have one.

    Args:
        reference: Held-out rows with ``label``.
        current: Rows of the newest window; ``label`` where it is known.
        slices: Columns of the user's to compare besides.
        out: A folder that is there.

    Returns:
        The page.

    Raises:
        MissingDependencyError: If Evidently is not installed.
    """
    os.environ["DO_NOT_TRACK"] = "1"
    require_package("evidently", "monitor")
    from evidently import Dataset, Report
    from evidently.presets import ClassificationPreset, DataDriftPreset, DataSummaryPreset

    numbers = [name for name in NUMBERS if _there(name, reference, current)]
    categories = [name for name in (*CATEGORIES, *slices) if _there(name, reference, current)]
    known = current["label"].notna() if "label" in current else pd.Series(False, current.index)
    presets: list[Any] = [
        DataSummaryPreset(),
        DataDriftPreset(columns=[*numbers, *categories], cat_method="jensenshannon"),
    ]
    labelled = int(known.sum()) >= MIN_ROWS
    if labelled:
        presets.append(ClassificationPreset())
        reference, current = reference.dropna(subset=["label"]), current[known]
    definition = _definition(numbers, categories, reference if labelled else None)
    columns = [*numbers, *categories, *(["label"] if labelled else [])]
    sets = [
        Dataset.from_pandas(
            frame[columns].astype({name: str for name in columns if name not in numbers}),
            definition,
        )
        for frame in (current, reference)
    ]
    with warnings.catch_warnings():  # what does not vary has no correlation
        warnings.simplefilter("ignore", RuntimeWarning)
        snapshot = Report(presets).run(*sets)
    write_text(out / FILE, inert(snapshot.get_html_str(as_iframe=False)))
    return out / FILE


def _there(name: str, *frames: pd.DataFrame) -> bool:
    return all(name in frame and frame[name].notna().any() for frame in frames)


def _definition(
    numbers: Sequence[str], categories: Sequence[str], labelled: pd.DataFrame | None
) -> Any:
    from evidently import BinaryClassification, DataDefinition, MulticlassClassification

    kinds: list[Any] = []
    if labelled is not None:
        names = sorted(set(labelled["label"]))
        # As multi-class, two classes raise; the positive one is then the last by name.
        kinds = [
            BinaryClassification(target="label", prediction_labels="predicted", pos_label=names[-1])
            if len(names) == 2
            else MulticlassClassification(target="label", prediction_labels="predicted")
        ]
    return DataDefinition(
        numerical_columns=list(numbers),
        categorical_columns=[*categories, *(["label"] if labelled is not None else [])],
        classification=kinds or None,
    )
