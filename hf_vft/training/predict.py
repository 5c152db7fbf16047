"""Logits of a whole split, in full precision, from all processes together."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch import nn
from torch.utils.data import Dataset

from hf_vft.tasks import Task
from hf_vft.training.args import VisionTrainingArguments
from hf_vft.training.processes import for_this_process, runs_on_cpu
from hf_vft.training.sharding import whole
from hf_vft.training.trainer import VisionTrainer


def predict_logits(
    model: nn.Module,
    data: Dataset[Any],
    task: Task,
    *,
    batch_size: int,
    num_workers: int = 0,
) -> tuple[Any, np.ndarray]:
    """Predict every image once, in order, also when the split does not divide evenly.

    Args:
        model: In the precision of its weights, as plain transformers would run it.
        data: Images or features, with labels.
        task: What the labels mean.
        batch_size: Of each process.
        num_workers: Loader processes.

    Returns:
        Logits ``[N, C]`` (a tuple of arrays for tasks whose models give more) and labels.
    """
    with TemporaryDirectory() as folder:
        args = VisionTrainingArguments(
            output_dir=str(Path(folder)),
            per_device_eval_batch_size=batch_size,
            dataloader_num_workers=num_workers,
            use_cpu=runs_on_cpu(),
            disable_tqdm=True,
            report_to=[],
        )
        trainer = VisionTrainer(model, for_this_process(args), task=task, compute_metrics=None)
        with whole(trainer):
            output = trainer.predict(data)
    return task.outputs(output.predictions), np.asarray(output.label_ids)
