"""What a model says of a whole split, and what that is worth: the one way to score images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
from accelerate import PartialState
from torch import nn
from torch.utils.data import Dataset

from hf_vft.data.groups import groups_of
from hf_vft.evaluation.results import SplitResult
from hf_vft.recipe.schema import Recipe
from hf_vft.tasks import Calibration, Task
from hf_vft.training.processes import for_this_process, runs_on_cpu
from hf_vft.training.sharding import whole
from hf_vft.training.stages import per_process
from hf_vft.training.trainer import VisionTrainer
from hf_vft.training.training_arguments import VisionTrainingArguments


def predict_split(model: nn.Module, data: Dataset[Any], task: Task, recipe: Recipe) -> Any:
    """Predict every image once, in order, also when the split does not divide evenly.

    All processes work on it, and all return the same.

    Args:
        model: In the precision of its weights, as plain transformers would run it.
        data: Images or features, with labels.
        task: What the labels mean.
        recipe: Says the batch size, of all processes together, and the loader processes.

    Returns:
        Logits ``[N, C]``, or what else the task calls its outputs.

    Raises:
        RecipeError: If the batch does not divide over the processes.
    """
    batch_size = per_process(
        recipe.training.eval_batch_size, PartialState().num_processes, "training.eval_batch_size"
    )
    with TemporaryDirectory() as folder:
        args = VisionTrainingArguments(
            output_dir=str(Path(folder)),
            per_device_eval_batch_size=batch_size,
            dataloader_num_workers=int(recipe.training.num_workers),
            use_cpu=runs_on_cpu(),
            disable_tqdm=True,
            report_to=[],
        )
        trainer = VisionTrainer(model, for_this_process(args), task=task, compute_metrics=None)
        with whole(trainer):
            output = trainer.predict(data)
    return task.outputs(output.predictions)


def score_split(
    outputs: Any,
    images: datasets.Dataset,
    names: Sequence[str],
    task: Task,
    recipe: Recipe,
    *,
    calibration: Calibration,
    n_bootstrap: int | None = None,
    slices: Sequence[str] = (),
) -> SplitResult:
    """Every score of a split; images of one group are drawn together.

    Args:
        outputs: From `predict_split`, of the images in order.
        images: With ``label``, perhaps ``group``, and the columns of ``slices``.
        names: Of the classes.
        task: What the labels mean.
        recipe: Says how many resamples, and their seed.
        calibration: Applied as it is.
        n_bootstrap: Resamples, where they are not those of the recipe; 0 gives no intervals.
        slices: Columns that the scores are broken down by.
    """
    resamples = recipe.evaluation.bootstrap if n_bootstrap is None else n_bootstrap
    result = task.evaluate(
        outputs,
        images["label"],
        names,
        calibration=calibration,
        n_bootstrap=resamples,
        seed=recipe.seed,
        clusters=groups_of(images),
        slices={name: images[name] for name in slices},
    )
    more = task.more_scores(outputs, images, n_bootstrap=resamples, seed=recipe.seed)
    return result.model_copy(update={"metrics": result.metrics | more}) if more else result
