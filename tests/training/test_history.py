"""Curves: the best epoch, patience, and warnings that mean something."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hf_vft.training.history import (
    best_record,
    epoch_records,
    ran_out_of_patience,
    scores,
    warnings_about,
)


def curve(
    train: list[float], evals: list[float] | None = None, f1: list[float] | None = None
) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for number, loss in enumerate(train):
        record = {"stage": "all", "epoch": number + 1.0, "step": number, "train_loss": loss}
        if evals is not None:
            record["eval_loss"] = evals[number]
        if f1 is not None:
            record["eval_f1_macro"] = f1[number]
        records.append(record)
    return records


def said(records: list[dict[str, Any]], train: str = "all", metric: str = "f1_macro") -> str:
    return " ".join(warnings_about(records, train=train, metric=metric).values())


TWELVE = range(12)
DECAY = [0.2 + 1.5 * 0.7**epoch for epoch in TWELVE]
NOISE = [0.03 * math.sin(5.0 * epoch) for epoch in TWELVE]

WRONG = {
    "is not a number": curve([1.2, 0.8, math.nan]),
    "is not a number any": curve([1.2, 0.8, math.inf]),
    "training loss rose": curve([1.2, 1.0, 1.4, 1.9, 2.6]),
    "oscillates": curve([1.5, 0.7, 1.4, 0.6, 1.3, 0.7, 1.5]),
    "Overfitting since epoch 4": curve(
        DECAY, [0.9, 0.7, 0.6, 0.5, 0.55, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0]
    ),
}

HEALTHY = {
    "steady": curve(DECAY, [loss + 0.1 for loss in DECAY]),
    "noisy": curve([a + b for a, b in zip(DECAY, NOISE, strict=True)]),
    "plateau": curve([0.5, *[0.3] * 11], [0.6, *[0.4] * 11]),
    "a little worse at the end": curve(DECAY, [0.9 - 0.05 * i for i in range(9)] + [0.52] * 3),
    "one bad epoch": curve([1.0, 0.8, 1.1, 0.6, 0.5, 0.4, 0.35]),
    "short": curve([1.0, 1.1]),
    "single": curve([1.0]),
    "empty": [],
    "mixup keeps the loss high": curve([1.8 - 0.02 * i for i in TWELVE], DECAY),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_what_is_wrong_is_said(sentence: str) -> None:
    assert sentence in said(WRONG[sentence])


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("train", ["head", "all"])
def test_nothing_is_said_of_a_healthy_curve(name: str, train: str) -> None:
    assert said(HEALTHY[name], train) == ""


def test_a_head_that_was_still_improving() -> None:
    rising = curve([1.0, 0.8, 0.6], f1=[0.5, 0.6, 0.7])
    assert "still improving" in said(rising, "head")
    assert said(rising, "all") == ""
    assert said(rising, "head", metric="loss") == ""
    assert said(curve([1.0, 0.8, 0.6], f1=[0.5, 0.7, 0.705]), "head") == ""


def test_training_and_evaluation_of_an_epoch_are_one_record() -> None:
    log = [
        {"epoch": 1.0, "step": 5, "loss": 1.5, "learning_rate": 0.1, "grad_norm": 2.0},
        {"epoch": 1.0, "step": 5, "eval_loss": 1.2, "eval_f1": 0.5, "eval_runtime": 3.0},
        {"epoch": 2.0, "step": 10, "loss": 1.0},
        {"epoch": 2.0, "step": 10, "train_runtime": 9.0, "train_loss": 1.2},
        {"loss": 9.0},
    ]
    assert epoch_records(log, "head") == [
        {
            "stage": "head",
            "epoch": 1.0,
            "step": 5,
            "train_loss": 1.5,
            "learning_rate": 0.1,
            "eval_loss": 1.2,
            "eval_f1": 0.5,
        },
        {"stage": "head", "epoch": 2.0, "step": 10, "train_loss": 1.0},
    ]
    assert scores({"eval_f1": 1.0, "eval_samples_per_second": 2.0, "epoch": 1.0}) == {
        "eval_f1": 1.0
    }


def test_the_first_of_equals_is_the_best() -> None:
    records = curve([1, 1, 1, 1], [0.5, 0.4, 0.4, 0.6], [0.1, 0.3, 0.3, 0.2])
    assert best_record(records, "f1_macro") is records[1]
    assert best_record(records, "loss") is records[1]
    assert best_record([], "loss") is None
    assert best_record(curve([1.0]), "f1_macro") is None


@pytest.mark.parametrize(
    ("f1", "patience", "out"),
    [
        ([0.1, 0.3, 0.2], 2, False),
        ([0.1, 0.3, 0.2, 0.3], 2, True),
        ([0.1, 0.3, 0.2, 0.31], 2, False),
        ([0.1, 0.3, 0.2, 0.2], None, False),
        ([], 1, False),
    ],
)
def test_patience(f1: list[float], patience: int | None, out: bool) -> None:
    assert ran_out_of_patience(curve([1.0] * len(f1), f1=f1), "f1_macro", patience) is out
