"""Stages: what is trained, for how long, at which rate.

A stage is one optimizer and one ``train()``. It starts from the weights that the model has
and leaves in it the best ones that validation has seen. Everything it needs to go on after a
crash is in its folder.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from accelerate import PartialState
from pydantic import BaseModel
from safetensors.torch import load_model, save_model
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from transformers import PrinterCallback, TrainerCallback, TrainerState
from transformers.integrations.integration_utils import TensorBoardCallback
from transformers.trainer_utils import IntervalStrategy, SaveStrategy, SchedulerType, set_seed

from hf_vft.data.dataset import VisionDataset
from hf_vft.errors import RecipeError
from hf_vft.evaluation.metrics import lower_is_better
from hf_vft.recipe.schema import Recipe, StageConfig
from hf_vft.run import write_file, write_json, write_text
from hf_vft.tasks import Task
from hf_vft.training.allocator import only_new_garbage
from hf_vft.training.callbacks import Deadline, Patience, Progress, TrainingGuard
from hf_vft.training.checkpoints import discard_incomplete, last_complete
from hf_vft.training.feature_cache import CachedFeatures
from hf_vft.training.history import (
    Record,
    best_record,
    epoch_records,
    finite,
    ran_out_of_patience,
    scores,
)
from hf_vft.training.input_wait import TellInputWait
from hf_vft.training.processes import for_this_process, release, runs_on_cpu
from hf_vft.training.sharding import divide_by_block, gather_into, to_train, whole
from hf_vft.training.trainer import VisionTrainer
from hf_vft.training.training_arguments import VisionTrainingArguments
from hf_vft.utils.progress import Display, Silent

START, BEST, RESULT = "start.safetensors", "best.safetensors", "result.json"

SizedDataset = VisionDataset | CachedFeatures

SCHEDULERS = {"plateau": "reduce_lr_on_plateau"}
"""Names of the recipe that are not those of transformers."""


class StageResult(BaseModel):
    """The result of a stage.

    Attributes:
        name: Of the stage.
        train: What was trained.
        start: Validation scores before the first step.
        best: The epoch that was kept; None if the weights of the start were.
        history: A record an epoch.
        seconds: Spent, since the last resume.
        warnings: Sentences for people.
    """

    name: str
    train: str
    start: dict[str, float]
    best: Record | None
    history: list[Record]
    seconds: float
    warnings: list[str]


@dataclass
class StageContext:
    """State shared by the stages of a run.

    Attributes:
        task: What the labels mean.
        recipe: Resolved.
        folder: Each stage has a folder in it.
        logs: TensorBoard files.
        class_weights: One a class, or None.
        class_priors: Share of each class in training, where the loss asks for it.
        display: Shown to the user.
        callbacks: More callbacks for the Trainer. One that raises in ``on_save`` pauses the stage:
            its checkpoint is whole, and the next call of `run_stage` goes on from there.
        over: Whether time is up, the same answer in every process. A stage then ends at its next
            step, and the stages after it keep the weights that they find.
    """

    task: Task
    recipe: Recipe
    folder: Path
    logs: Path
    class_weights: list[float] | None = None
    class_priors: list[float] | None = None
    display: Display = field(default_factory=Silent)
    callbacks: list[TrainerCallback] = field(default_factory=list)
    over: Callable[[], bool] | None = None


def run_stage(
    context: StageContext,
    stage: StageConfig,
    model: nn.Module,
    train_data: SizedDataset,
    eval_data: SizedDataset,
) -> StageResult:
    """Train ``model`` in place, or take up where a killed run left off.

    Args:
        context: What the stages share.
        stage: This one.
        model: On entry as the last stage left it; on return the best weights. For a head stage
            on cached features, the head alone.
        train_data: Images or features, with labels; only images are mixed.
        eval_data: The validation split.
    """
    folder = context.folder / stage.name
    if (folder / RESULT).is_file():
        load_model(model, folder / BEST)
        return StageResult.model_validate_json((folder / RESULT).read_text())
    watch = TrainingGuard(context.display, stage.name, stage.train, context.recipe.training.metric)
    started = time.monotonic()
    metric = context.recipe.training.metric
    args = for_this_process(_arguments(context, stage, folder, images=len(train_data)))
    set_seed(context.recipe.seed)
    trained = to_train(model, context.recipe)
    trainer = VisionTrainer(
        trained,
        args,
        task=context.task,
        train_dataset=train_data,
        eval_dataset=eval_data,
        callbacks=[*_callbacks(context, stage), watch],
    )
    trainer.remove_callback(PrinterCallback)
    processes = PartialState().num_processes
    trainer.add_callback(TellInputWait(trainer.input_wait, context.display, processes))
    divide_by_block(trainer)
    start = _starting_point(trainer, model, folder)
    # Again, since a resumed stage knows its start and has drawn nothing to measure it.
    set_seed(context.recipe.seed)
    with only_new_garbage():
        _train(trainer, stage, metric, folder, over=context.over)
    release(trained)
    if trained is not model:
        gather_into(model, trainer)
    history = epoch_records(trainer.state.log_history, stage.name)
    best = best_record(history, metric)
    if best is None or (stage.keep_if_better and not _improved(start, best, metric)):
        load_model(model, folder / START)
        context.display.say(_undone(stage.name, start, best, metric))
        best = None
    result = StageResult(
        name=stage.name,
        train=stage.train,
        start=start,
        best=best,
        history=[finite(record) for record in history],
        seconds=time.monotonic() - started,
        warnings=watch.tell(history),
    )
    _finish(result, model, folder)
    return result


def first_steps(
    context: StageContext, stage: StageConfig, model: nn.Module, data: SizedDataset, most: int
) -> None:
    """Train ``model`` in place as the stage would begin, and keep nothing on disk.

    Args:
        context: What the stages share.
        stage: The one that is tried; warm-up as in the whole of it.
        model: A copy, in one process.
        data: Training images.
        most: Steps; no more than an epoch.
    """
    with TemporaryDirectory() as folder:
        args = for_this_process(_arguments(context, stage, Path(folder), images=len(data)))
        an_epoch = max(1, len(data) // int(context.recipe.training.batch_size))
        warming = float(stage.warmup) * stage.epochs * an_epoch
        args.max_steps = min(most, an_epoch)
        # A schedule falls too little in so few steps to matter.
        args.lr_scheduler_type = SchedulerType("constant_with_warmup")
        args.warmup_steps = math.ceil(warming)
        args.eval_strategy = IntervalStrategy("no")
        args.save_strategy = SaveStrategy("no")
        args.logging_strategy = IntervalStrategy("no")
        args.load_best_model_at_end = False
        set_seed(context.recipe.seed)
        trainer = VisionTrainer(model, args, task=context.task, train_dataset=data)
        trainer.remove_callback(PrinterCallback)
        with only_new_garbage():
            trainer.train()
        release(model)


def per_process(batch_size: int | str, processes: int, setting: str = "training.batch_size") -> int:
    """Divide a batch size by the number of processes.

    Args:
        batch_size: Of all processes together.
        processes: How many.
        setting: Which one of the recipe this is.

    Raises:
        RecipeError: If the batch does not divide: it would not be the batch that was asked for.
    """
    share, rest = divmod(int(batch_size), processes)
    if rest:
        less = max(share, 1) * processes
        raise RecipeError(
            f"A batch of {batch_size} does not divide over {processes} processes: set "
            f"{setting} to {less} or {less + processes}."
        )
    return share


def save_atomically(model: nn.Module, path: Path) -> None:
    """Write all weights and buffers to a safetensors file that is there whole or not at all."""
    write_file(path, lambda temporary: save_model(model, str(temporary)))


def _arguments(
    context: StageContext, stage: StageConfig, folder: Path, *, images: int
) -> VisionTrainingArguments:
    """The stage in the words of the Trainer."""
    recipe, world = context.recipe, PartialState().num_processes
    metric = recipe.training.metric
    return VisionTrainingArguments(
        output_dir=str(folder),
        seed=recipe.seed,
        num_train_epochs=stage.epochs,
        per_device_train_batch_size=per_process(recipe.training.batch_size, world),
        per_device_eval_batch_size=per_process(
            recipe.training.eval_batch_size, world, "training.eval_batch_size"
        ),
        # A last batch of other size would weigh its images differently, and with several
        # processes it would be filled up with repeats.
        dataloader_drop_last=images >= int(recipe.training.batch_size),
        learning_rate=float(stage.learning_rate),
        head_learning_rate=stage.head_learning_rate,
        layer_decay=float(stage.layer_decay),
        weight_decay=float(stage.weight_decay),
        lr_scheduler_type=SCHEDULERS.get(stage.scheduler, stage.scheduler),
        lr_scheduler_kwargs=_scheduler_options(stage, metric),
        warmup_steps=float(stage.warmup),
        optim={"adamw": "adamw_torch_fused", "sgd": "sgd"}[stage.optimizer],
        optim_args=f"momentum={stage.momentum}" if stage.optimizer == "sgd" else None,
        max_grad_norm=recipe.training.max_grad_norm,
        label_smoothing_factor=recipe.loss.label_smoothing,
        class_weights=context.class_weights,
        class_priors=context.class_priors,
        loss_name=recipe.loss.name,
        balanced_sampling=recipe.loss.sampling == "balanced",
        mixup_alpha=float(recipe.augment.mixup_alpha) if stage.augment else 0.0,
        cutmix_alpha=float(recipe.augment.cutmix_alpha) if stage.augment else 0.0,
        ema_decay=recipe.training.ema_decay,
        train_part=stage.train,
        freeze_batch_norm=recipe.model.batch_norm_momentum == 0.0,
        bf16=recipe.training.precision == "bf16",
        fp16=recipe.training.precision == "fp16",
        use_cpu=runs_on_cpu(),
        torch_compile=recipe.training.compile,
        dataloader_num_workers=int(recipe.training.num_workers),
        dataloader_persistent_workers=bool(recipe.training.num_workers),
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=metric,
        greater_is_better=not lower_is_better(metric),
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to=list(recipe.training.report_to),
        run_name=f"{context.logs.parent.name}/{stage.name}",
    )


def _scheduler_options(stage: StageConfig, metric: str) -> dict[str, Any]:
    if stage.scheduler != "plateau":
        return {}
    return {"mode": "min" if lower_is_better(metric) else "max", "factor": 0.3, "patience": 2}


def _callbacks(context: StageContext, stage: StageConfig) -> list[TrainerCallback]:
    callbacks = [Progress(context.display, stage.name), *context.callbacks]
    if context.over is not None:
        callbacks.append(Deadline(context.over))
    if stage.patience is not None:
        callbacks.append(Patience(context.recipe.training.metric, stage.patience))
    if PartialState().is_main_process:
        writer = SummaryWriter(str(context.logs / stage.name))
        callbacks.append(TensorBoardCallback(writer))  # type: ignore[no-untyped-call]
    return callbacks


def _starting_point(trainer: VisionTrainer, model: nn.Module, folder: Path) -> dict[str, float]:
    """Validation scores before the first step, and the weights that had them."""
    file = folder / "start.json"
    if file.is_file():
        known: dict[str, float] = json.loads(file.read_text())
        return known
    with whole(trainer):
        start = scores(trainer.evaluate())
    PartialState().wait_for_everyone()
    if PartialState().is_main_process:
        folder.mkdir(parents=True, exist_ok=True)
        save_atomically(model, folder / START)
        write_json(file, start)
    PartialState().wait_for_everyone()
    return start


def _train(
    trainer: VisionTrainer,
    stage: StageConfig,
    metric: str,
    folder: Path,
    *,
    over: Callable[[], bool] | None = None,
) -> None:
    """Train to the end, from the last whole checkpoint where there is one."""
    if PartialState().is_main_process:
        discard_incomplete(folder)
    PartialState().wait_for_everyone()
    checkpoint = last_complete(folder)
    late = over is not None and over()
    if checkpoint is None:
        if not late:
            trainer.train()
        return
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    records = epoch_records(state.log_history, stage.name)
    if late or ran_out_of_patience(records, metric, stage.patience):
        trainer.restore_best(state)
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint))


def _improved(start: dict[str, float], best: Record | None, metric: str) -> bool:
    if best is None:
        return False
    gain = best[f"eval_{metric}"] - start[f"eval_{metric}"]
    return bool(gain < 0 if lower_is_better(metric) else gain > 0)


def _undone(name: str, start: dict[str, float], best: Record | None, metric: str) -> str:
    if best is None:
        return f"Stage {name} was undone: no epoch of it was measured on validation."
    key = f"eval_{metric}"
    return (
        f"Stage {name} was undone: {metric} on validation was {start[key]:.3f} before it and "
        f"{best[key]:.3f} at best in it."
    )


def _finish(result: StageResult, model: nn.Module, folder: Path) -> None:
    """Keep the weights and the result, and drop the checkpoints."""
    PartialState().wait_for_everyone()
    if PartialState().is_main_process:
        save_atomically(model, folder / BEST)
        write_text(folder / RESULT, result.model_dump_json(indent=2))
        for leftover in folder.glob("checkpoint-*"):
            shutil.rmtree(leftover)
    PartialState().wait_for_everyone()
