"""A VisionTrainer over a few made images, and what it did to the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from hf_vft import VisionTrainer, VisionTrainingArguments
from hf_vft.data.dataset import VisionDataset
from hf_vft.data.transforms.images import eval_transform
from tests.made_images import image_rows, processor


def dataset(count: int = 9) -> VisionDataset:
    return VisionDataset(image_rows(count), eval_transform(processor()))


def make(model: nn.Module, folder: Path, *, data: Any = None, **changes: Any) -> VisionTrainer:
    options: dict[str, Any] = {
        "max_steps": 3,
        "per_device_train_batch_size": 4,
        "learning_rate": 0.01,
        "use_cpu": True,
        "report_to": [],
        "disable_tqdm": True,
        "save_strategy": "no",
        "lr_scheduler_type": "constant",
    } | changes
    args = VisionTrainingArguments(output_dir=str(folder), **options)
    return VisionTrainer(model, args, train_dataset=data or dataset(), eval_dataset=dataset(5))


def snapshot(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def changed(model: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in model.state_dict().items() if not value.equal(before[name])}
