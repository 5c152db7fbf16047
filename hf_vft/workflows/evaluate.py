"""A finished run, measured on other images than it was made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import PartialState

from hf_vft.data.load import LabelledImages
from hf_vft.data.sources.read_source import describe_source
from hf_vft.errors import MissingColumnError, RecipeError
from hf_vft.evaluation.results import SplitResult
from hf_vft.evaluation.robustness import Robustness
from hf_vft.hub.card import write_card
from hf_vft.inference.predictor import Predictor
from hf_vft.recipe.schema import DataConfig, Recipe
from hf_vft.reporting.run_files import read_choices
from hf_vft.run import RunDirectory, write_json
from hf_vft.training.predict import predict_split, score_split
from hf_vft.utils.progress import Display, Silent
from hf_vft.workflows.steps.read_images import read_labelled
from hf_vft.workflows.steps.robustness import measure_robustness
from hf_vft.workflows.steps.save_run import read_splits

_SETTLED = {"data.bit_depth", "data.good_class", "data.path"}
"""Fields of the recipe's data part that other images do not decide."""


@dataclass(frozen=True)
class EvaluationResult:
    """Scores, and what they rest on.

    Attributes:
        result: Every metric with its interval.
        labels: The model's classes, in the order of the confusion matrix.
        images: What was measured, and what was left out.
        robustness: The same with disturbed images, if that was asked for.
    """

    result: SplitResult
    labels: list[str]
    images: LabelledImages
    robustness: Robustness | None = None


def evaluate_run(
    run_path: str | Path,
    source: str | Path,
    *,
    by: Sequence[str] = (),
    split: str | None = None,
    robustness: bool = False,
    changes: Mapping[str, Any] | None = None,
    display: Display | None = None,
) -> EvaluationResult:
    """Measure a run's model on labelled images.

    Args:
        run_path: A run folder.
        source: As for `fit`.
        by: Columns that the scores are broken down by.
        split: As the run divided its images, if these are among them, else as the source says;
            all images by default.
        robustness: Measure disturbed images as well; ``robustness.json`` and the model card of
            the run then tell.
        changes: Fields of the recipe's data part, dotted name to value, where the source is to be
            read otherwise than the run's images were.
        display: Where progress is shown.

    Raises:
        VftError: If the run is not finished, or the images do not fit it.
    """
    display = display or Silent()
    predictor = Predictor(RunDirectory.open(run_path))
    if predictor.note:
        display.say(predictor.note)
    recipe = predictor.recipe
    config = _reading(predictor.run, recipe, source, by, changes or {})
    labelled = _chosen(predictor, source, config, split, display)
    display.say(f"Measuring {len(labelled.images)} images.")
    task = predictor.task
    images = task.dataset(
        labelled.images, task.plain(predictor.processor), decoder=predictor.decoder
    )
    result = score_split(
        predict_split(predictor.model, images, task, recipe),
        labelled.images,
        predictor.labels,
        task,
        recipe,
        calibration=predictor.calibration,
        slices=by,
    )
    robust = _robustness(predictor, source, labelled, display) if robustness else None
    return EvaluationResult(result, predictor.labels, labelled, robust)


def _robustness(
    predictor: Predictor, source: str | Path, images: LabelledImages, display: Display
) -> Robustness:
    measured = measure_robustness(
        predictor.model,
        predictor.processor,
        predictor.task,
        images.images,
        predictor.labels,
        recipe=predictor.recipe,
        metric=predictor.metric,
        calibration=predictor.calibration,
        source=describe_source(source),
        display=display,
    )
    if PartialState().is_main_process:
        write_json(predictor.run.robustness_file, measured.model_dump(mode="json"))
        write_card(predictor.run)
    return measured


def _chosen(
    predictor: Predictor,
    source: str | Path,
    config: DataConfig,
    split: str | None,
    display: Display,
) -> LabelledImages:
    """The images to measure; a warning if the model has learned from some of them."""
    known = read_splits(predictor.run)

    def read(split: str | None) -> LabelledImages:
        return _read(source, config, predictor, split, display)

    images = read(None)
    if split is not None:
        own = [row for row, digest in enumerate(images.hashes) if known.get(digest) == split]
        images = images.select(own) if own else read(split)
    learned = sum(known.get(digest) == "train" for digest in images.hashes)
    if learned:
        display.warn(
            f"The model was trained on {learned} of these {len(images.hashes)} images, which "
            "flatters the scores; --split test measures those that it has not seen."
        )
    return images


def _read(
    source: str | Path,
    config: DataConfig,
    predictor: Predictor,
    split: str | None,
    display: Display,
) -> LabelledImages:
    """With the groups that the training data had, where these images say theirs."""
    options: dict[str, Any] = {
        "labels": predictor.labels,
        "kind": predictor.task.kind,
        "split": split,
        "display": display,
    }
    try:
        return read_labelled(source, config, **options)
    except MissingColumnError as error:
        if error.column != config.group_column:
            raise
    config = config.model_copy(update={"group_column": None})
    return read_labelled(source, config, **options)


def _reading(
    run: RunDirectory,
    recipe: Recipe,
    source: str | Path,
    by: Sequence[str],
    asked: Mapping[str, Any],
) -> DataConfig:
    """How to read other images: a column that a person named is meant here too.

    One that was found in the training data may have another name here, or be none.

    Raises:
        RecipeError: If something is asked for that the model has settled.
    """
    for name in asked:
        if not name.startswith("data.") or name in _SETTLED:
            raise RecipeError(
                f"--set {name}: here only how the images and labels are found can be set; "
                "the rest is as the run has it."
            )
    chosen = {choice["name"] for choice in read_choices(run)}
    fields = type(recipe.data).model_fields
    free = chosen - _SETTLED  # values mean what they meant in training, whatever decided it
    undone = {name: field.default for name, field in fields.items() if f"data.{name}" in free}
    changes = {"path": str(source), "slice_columns": list(by)}
    data = recipe.data.model_copy(update=undone | changes)
    return recipe.model_copy(update={"data": data}).replaced(asked).data
