"""The monitoring reference of a run: its held-out images, recorded as a server would."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import datasets
import pandas as pd

from hf_vft.data.extra_columns import MASK
from hf_vft.data.load import ImageData
from hf_vft.data.verify import image_bytes
from hf_vft.inference.log_rows import ImageInfo, Recorder
from hf_vft.inference.predictor import Predictor
from hf_vft.monitoring.answer_checks import checks_of
from hf_vft.monitoring.drift import with_null_quantiles
from hf_vft.monitoring.profile import Reference, make_reference
from hf_vft.run import RunDirectory
from hf_vft.utils.progress import Display
from hf_vft.workflows.steps.held_out_scores import HELD_OUT
from hf_vft.workflows.steps.log_labels import label_stored
from hf_vft.workflows.steps.stress_tests import stress_tests

BATCH = 32


def save_reference(run: RunDirectory, data: ImageData, display: Display) -> Reference:
    """Record the held-out images with the saved model, and write ``run/reference``.

    Args:
        run: With its model, recipe and metrics.
        data: Of the run.
        display: Where progress is shown.
    """
    predictor = Predictor(run)
    recorder = Recorder(predictor)
    rows: list[dict[str, Any]] = []
    beside = []
    tables = {
        split: data.splits[split].select(predictor.task.usual(data.splits[split]["label"]))
        for split in HELD_OUT
    }
    total = sum(map(len, tables.values()))
    display.start("recording the reference", total)
    for split in HELD_OUT:
        table = tables[split]
        beside.append(_beside(table, split, data, predictor.recipe.data.group_column))
        for start in range(0, len(table), BATCH):
            batch = table[start : start + BATCH]
            contents = [image_bytes(image) for image in batch["image"]]
            images = [predictor.decode(content) for content in contents]
            shown = [
                ImageInfo.of(image, content, file=file)
                for image, content, file in zip(images, contents, batch["file"], strict=True)
            ]
            rows += recorder.rows(shown, predictor.outputs(images))
            display.advance(len(rows), total=total)
    reference = with_null_quantiles(
        make_reference(
            rows,
            pd.concat(beside, ignore_index=True),
            labels=predictor.labels,
            temperature=predictor.temperature,
            group_column=predictor.recipe.data.group_column,
            slice_columns=list(predictor.recipe.data.slice_columns),
            thresholds=dict(zip(predictor.labels, predictor.calibration.thresholds, strict=False)),
        ),
        seed=predictor.recipe.seed,
    )
    if checks_of(reference).estimates and predictor.recipe.evaluation.stress:
        places = [(split, row) for split in HELD_OUT for row in range(len(tables[split]))]

        def image_at(row: int) -> Any:
            split, place = places[row]
            return tables[split][place]["image"]

        tests = stress_tests(predictor, reference, image_at, display)
        profile = reference.profile.model_copy(update={"stress": tests})
        reference = replace(reference, profile=profile)
    reference.save(run)
    return reference


def _beside(
    table: datasets.Dataset, split: str, data: ImageData, group: str | None
) -> pd.DataFrame:
    """The truth and the other columns of the data; the group under its own name too."""
    names = [name for name in table.column_names if name not in ("image", "label", "file", MASK)]
    frame = pd.DataFrame({name: table[name] for name in names}, index=range(len(table)))
    frame["split"] = split
    truths = [label_stored(value, data.kind, data.labels) for value in table["label"]]
    for column in truths[0] if truths else ():
        frame[column] = [truth[column] for truth in truths]
    if group is not None and "group" in frame and group not in frame:
        frame[group] = frame["group"]
    return frame
