"""The images that a model got wrong, for looking at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from PIL import Image

from hf_vft.data.load import ImageData
from hf_vft.errors import DataError, RunError
from hf_vft.reporting.pages import THUMBNAIL
from hf_vft.run import RunDirectory

_COLUMNS = ["file", "split", "label", "predicted", "confidence"]


@dataclass(frozen=True)
class Mistake:
    """An image that the model got wrong.

    Attributes:
        image: The image, of any size.
        file: How people call it.
        true: Its label, or labels.
        predicted: What the model said.
        confidence: How sure it was of what is wrong, in [0, 1].
    """

    image: Image.Image
    file: str
    true: str
    predicted: str
    confidence: float


def worst_mistakes(
    predictions: pd.DataFrame, *, split: str = "test", labels: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows of ``reference/predictions.parquet`` that are wrong, the surest first.

    Args:
        predictions: With the columns file, split, label, predicted and confidence; where an
            image may have several labels, lists of them, and probabilities.
        split: Of which split.
        labels: Class names in the order of the probabilities; only lists of labels need them.
    """
    rows = predictions[predictions["split"] == split]
    several = len(rows) > 0 and not isinstance(rows["label"].iloc[0], str)
    if several:
        rows = rows.assign(confidence=[_surprise(row, labels) for row in rows.itertuples()])
        rows = rows.assign(
            label=rows["label"].map(_joined), predicted=rows["predicted"].map(_joined)
        )
    wrong = rows[rows["label"] != rows["predicted"]]
    return wrong.sort_values(["confidence", "file"], ascending=[False, True])


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _surprise(row: Any, labels: Sequence[str]) -> float:
    """How sure the model was of the worst of its wrong labels."""
    wrong = set(row.label) ^ set(row.predicted)
    probabilities = dict(zip(labels, row.probabilities, strict=True))
    sure = [probabilities[n] if n in row.predicted else 1 - probabilities[n] for n in wrong]
    return float(max(sure, default=0.0))


def report_mistakes(
    run: RunDirectory,
    data: ImageData,
    limit: int = 12,
    *,
    split: str = "test",
) -> list[Mistake]:
    """The worst mistakes of a run, with their images; none where answers are boxes.

    Args:
        run: With ``reference/predictions.parquet``.
        data: What the run was fitted on; images are found in it by their name.
        limit: At most so many; an image that is no longer there makes room for the next.
        split: Of which split.

    Raises:
        RunError: If the predictions cannot be read.
    """
    if data.kind.name == "boxes":
        return []  # which have pages of their own, see hf_vft.reporting.box_mistakes
    predictions = read_predictions(run)
    rows = {file: row for row, file in enumerate(data.splits[split]["file"])}
    mistakes: list[Mistake] = []
    for wrong in worst_mistakes(predictions, split=split, labels=data.labels).itertuples():
        if len(mistakes) == limit:
            break
        image = image_of(data, split, rows.get(str(wrong.file)))
        if image is not None:
            mistakes.append(
                Mistake(
                    image,
                    file=str(wrong.file),
                    true=str(wrong.label),
                    predicted=str(wrong.predicted),
                    confidence=float(wrong.confidence),  # type: ignore[arg-type]
                )
            )
    return mistakes


def read_predictions(run: RunDirectory) -> pd.DataFrame:
    """The answers of the run's model on held-out images.

    Raises:
        RunError: If it cannot be read.
    """
    predictions = run.read_table(run.predictions_file)
    missing = set(_COLUMNS) - set(predictions)
    if missing:
        raise RunError(f"{run.predictions_file}: cannot be read (no column {min(missing)}).")
    return predictions


def image_of(
    data: ImageData,
    split: str,
    row: int | None,
    *,
    side: int | None = 2 * THUMBNAIL,
) -> Image.Image | None:
    """An image of a split, reduced to ``side``; None where it is no longer there."""
    if row is None:
        return None
    stored = data.splits[split][row]["image"]
    try:
        image = data.decoder(stored["bytes"] or stored["path"])
    except DataError:
        return None
    if side is not None:
        # Twelve large photographs at full size would fill the memory of a small machine.
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image
