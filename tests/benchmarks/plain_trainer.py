"""What hf-vft is compared with: ``transformers.Trainer`` with its defaults, once and under Optuna.

As the image-classification example of transformers: random resized crops and flips, a new head,
AdamW at 5e-5 for everything, linear decay, batches of 8, the best epoch's weights at the end. Both
score themselves on validation by macro F1, as hf-vft does, and leave time for the test split.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from PIL import Image
from sklearn.metrics import f1_score
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    EvalPrediction,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

from hf_vft.training.callbacks import Deadline

BATCH = 8
DEFAULT_RATE = 5e-5
FEWEST_EPOCHS = 3
"""The default of ``TrainingArguments``."""

TRIALS = 5
"""That an Optuna search plans for, where they have time for the default number of epochs."""

MEASURED = 3
"""Batches that tell how long an epoch will take."""


class Images(Dataset):  # type: ignore[type-arg]
    """Images with class ids."""

    def __init__(self, rows: Sequence[tuple[str, int]], transform: Callable[..., Any]) -> None:
        self.rows, self.transform = rows, transform

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        file, label = self.rows[index]
        with Image.open(file) as image:
            return {"pixel_values": self.transform(image.convert("RGB")), "labels": label}


@dataclass(frozen=True)
class Work:
    """What all arms are given.

    Attributes:
        table: A CSV with ``file_name``, ``label`` and ``split``.
        checkpoint: A folder.
        folder: To write in.
        seed: Of head, order and augmentation.
        budget: Seconds of ``time.monotonic()``, which begins at 0.
        side: Of the input, in pixels.
    """

    table: Path
    checkpoint: str
    folder: Path
    seed: int
    budget: float
    side: int

    @cached_property
    def names(self) -> list[str]:
        """Of the classes."""
        return sorted({row["label"] for row in self._rows})

    @cached_property
    def _rows(self) -> list[dict[str, str]]:
        with self.table.open() as file:
            return list(csv.DictReader(file))

    def images(self, split: str, *, augmented: bool = False) -> Images:
        """Of a split, as the example shows them to the model."""
        processor = AutoImageProcessor.from_pretrained(self.checkpoint)
        framing = (
            [transforms.RandomResizedCrop(self.side), transforms.RandomHorizontalFlip()]
            if augmented
            else [transforms.Resize(self.side), transforms.CenterCrop(self.side)]
        )
        normal = transforms.Normalize(processor.image_mean, processor.image_std)
        transform = transforms.Compose([*framing, transforms.ToTensor(), normal])
        rows = [
            (row["file_name"], self.names.index(row["label"]))
            for row in self._rows
            if row["split"] == split
        ]
        return Images(rows, transform)

    def model(self) -> Any:
        """With a new head."""
        return AutoModelForImageClassification.from_pretrained(
            self.checkpoint, num_labels=len(self.names), ignore_mismatched_sizes=True
        )


def macro_f1(prediction: EvalPrediction) -> dict[str, float]:
    """The score by which epochs and trials are compared."""
    said = np.asarray(prediction.predictions).argmax(1)
    return {"f1_macro": float(f1_score(prediction.label_ids, said, average="macro"))}


def fine_tuned(work: Work) -> tuple[float, dict[str, Any]]:
    """Everything at the default rate, for as many epochs as fit; test macro F1, and facts."""
    epoch, end = _pace(work)
    epochs = max(1, int((end - time.monotonic()) / epoch))
    trainer = _trained(work, DEFAULT_RATE, epochs, end)
    return _tested(work, trainer), {"epochs": epochs}


def best_rate(work: Work) -> tuple[float, dict[str, Any]]:
    """Optuna over the learning rate until the budget is spent; test macro F1, and facts."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    epoch, end = _pace(work)
    epochs = max(FEWEST_EPOCHS, int((end - time.monotonic()) / epoch / TRIALS))
    best: dict[str, Any] = {"score": -1.0}

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True)
        trainer = _trained(work, rate, epochs, end)
        score = trainer.state.best_metric or 0.0
        if score > best["score"]:
            best.update(score=score, rate=rate, trainer=trainer)
        if time.monotonic() >= end:
            trial.study.stop()
        return score

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=work.seed)
    )
    study.optimize(objective)
    facts = {"epochs": epochs, "trials": len(study.trials), "rate": best["rate"]}
    return _tested(work, best["trainer"]), facts


def _pace(work: Work) -> tuple[float, float]:
    """Seconds that an epoch takes with its evaluation, and when training has to end."""
    set_seed(work.seed)
    model, train = work.model(), work.images("train", augmented=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    moments = []
    for batch, _ in zip(
        DataLoader(train, batch_size=BATCH, shuffle=True), range(MEASURED + 1), strict=False
    ):
        model(**batch).loss.backward()
        optimizer.step()
        moments.append(time.monotonic())  # the first step is a warm-up
    step = (moments[-1] - moments[0]) / (len(moments) - 1)
    began = time.monotonic()
    with torch.inference_mode():
        model.eval()(**next(iter(DataLoader(work.images("validation"), batch_size=BATCH))))
    forward = (time.monotonic() - began) / BATCH
    validation, test = (len(work.images(split)) for split in ("validation", "test"))
    epoch = step * len(train) / BATCH + forward * validation
    # The epoch that is cut short is evaluated as well.
    return epoch, work.budget - forward * (validation + test) - 2 * step


def _trained(work: Work, rate: float, epochs: int, end: float) -> Trainer:
    set_seed(work.seed)
    args = TrainingArguments(
        str(work.folder),
        num_train_epochs=epochs,
        learning_rate=rate,
        per_device_train_batch_size=BATCH,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        save_only_model=True,
        load_best_model_at_end=True,
        metric_for_best_model="f1_macro",
        greater_is_better=True,
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        remove_unused_columns=False,
        seed=work.seed,
    )
    trainer = Trainer(
        work.model(),
        args,
        train_dataset=work.images("train", augmented=True),
        eval_dataset=work.images("validation"),
        compute_metrics=macro_f1,
        callbacks=[Deadline(lambda: time.monotonic() >= end)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer


def _tested(work: Work, trainer: Trainer) -> float:
    found = trainer.predict(work.images("test"))
    return float((found.metrics or {})["test_f1_macro"])
