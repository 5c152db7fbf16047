"""The pictures that a model got wrong, for looking at."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from PIL import Image

from hf_vft.data.images import MAX_PIXELS, decode_image
from hf_vft.data.load import ImageData
from hf_vft.errors import DataError, RunError
from hf_vft.reporting.pages import THUMBNAIL
from hf_vft.run import RunDirectory

_COLUMNS = ["file", "split", "label", "predicted", "confidence"]


@dataclass(frozen=True)
class Mistake:
    """A picture that the model got wrong.

    Attributes:
        image: The picture, of any size.
        file: How people call it.
        true: Its label.
        predicted: What the model said.
        confidence: How sure it was, in [0, 1].
    """

    image: Image.Image
    file: str
    true: str
    predicted: str
    confidence: float


def worst_mistakes(predictions: pd.DataFrame, *, split: str = "test") -> pd.DataFrame:
    """The rows of ``reference/predictions.parquet`` that are wrong, the surest first.

    Args:
        predictions: With the columns file, split, label, predicted and confidence.
        split: Of which split.
    """
    wrong = predictions[
        (predictions["split"] == split) & (predictions["label"] != predictions["predicted"])
    ]
    return wrong.sort_values(["confidence", "file"], ascending=[False, True])


def report_mistakes(
    run: RunDirectory,
    data: ImageData,
    limit: int = 12,
    *,
    split: str = "test",
    max_pixels: int = MAX_PIXELS,
) -> list[Mistake]:
    """The worst mistakes of a run, with their pictures.

    Args:
        run: With ``reference/predictions.parquet``.
        data: What the run was fitted on; pictures are found in it by their name.
        limit: At most so many; a picture that is no longer there makes room for the next.
        split: Of which split.
        max_pixels: As in the recipe.

    Raises:
        RunError: If the predictions cannot be read.
    """
    try:
        predictions = pd.read_parquet(run.predictions_file, columns=_COLUMNS)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{run.predictions_file}: cannot be read ({reason}).") from None
    rows = {file: row for row, file in enumerate(data.splits[split]["file"])}
    found: list[Mistake] = []
    for wrong in worst_mistakes(predictions, split=split).itertuples():
        if len(found) == limit:
            break
        image = _picture(data, split, rows.get(str(wrong.file)), max_pixels)
        if image is not None:
            found.append(
                Mistake(
                    image,
                    file=str(wrong.file),
                    true=str(wrong.label),
                    predicted=str(wrong.predicted),
                    confidence=float(wrong.confidence),  # type: ignore[arg-type]
                )
            )
    return found


def _picture(data: ImageData, split: str, row: int | None, max_pixels: int) -> Image.Image | None:
    if row is None:
        return None
    stored = data.splits[split][row]["image"]
    try:
        image = decode_image(stored["bytes"] or stored["path"], max_pixels=max_pixels)
    except DataError:
        return None
    # Twelve large photographs at full size would fill the memory of a small machine.
    image.thumbnail((2 * THUMBNAIL, 2 * THUMBNAIL), Image.Resampling.LANCZOS)
    return image
