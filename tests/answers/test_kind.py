"""A new kind of answer is one class and one entry of the registry; all else asks them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from hf_vft.answers import (
    ANSWER_KINDS,
    AnswerKind,
    CardWords,
    OneLabel,
    PageWords,
    Scoring,
    SeveralLabels,
    answer_kind,
)
from hf_vft.answers.kind import GivenAnswer
from hf_vft.errors import DataError, RunError
from hf_vft.evaluation.intervals import Floats
from hf_vft.evaluation.results import EvalReport
from hf_vft.hub.card_sentences import purpose, usage
from hf_vft.monitoring.answer_checks import checks_of
from hf_vft.monitoring.drift import Window
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.policy import load_policy
from hf_vft.monitoring.profile import make_reference
from hf_vft.records import ProductionLog
from hf_vft.tasks import TASKS, Prediction
from hf_vft.workflows.monitor import look
from hf_vft.workflows.steps.labelling_tools import label_studio_config

LABELS = ["none", "few", "many"]
START = datetime(2026, 4, 1, tzinfo=UTC)


class Grade(AnswerKind):
    """A toy: classes in an order, and an answer next to the truth is half right."""

    task: ClassVar[str] = "image-grading"
    tracked: ClassVar[tuple[str, ...]] = ("confidence",)
    page: ClassVar[PageWords] = PageWords("Which?", ("grade",), "Map for", "All.", "Why", "A map")
    card: ClassVar[CardWords] = CardWords("Grades as", "AutoModelForImageClassification")

    def columns(
        self,
        answers: Sequence[GivenAnswer],
        logits: np.ndarray | None,
        classes: Sequence[str],
        sizes: Sequence[tuple[int, int]],
    ) -> list[dict[str, Any]]:
        """The grade."""
        return [
            {
                "predicted": self.joined(answer.labels),
                "confidence": answer.confidence,
                "probabilities": answer.scores,
            }
            for answer in answers
        ]

    def scoring(self, frames: Sequence[pd.DataFrame]) -> Scoring:
        """By how far off it is."""

        def totals(frame: pd.DataFrame, classes: Sequence[str]) -> Floats:
            place = {name: number for number, name in enumerate(classes)}
            answered, true = (
                frame[name].map(place).to_numpy(dtype=float) for name in ("predicted", "label")
            )
            right = 1.0 - np.abs(answered - true) / 2
            return np.stack([right, np.ones(len(right)), np.ones(len(right))], axis=1)

        return Scoring("grades", totals)


@pytest.fixture
def grade(monkeypatch: pytest.MonkeyPatch) -> AnswerKind:
    kind = Grade()
    monkeypatch.setitem(ANSWER_KINDS, kind.task, kind)
    return kind


def rows_of(kind: AnswerKind, n: int, one_off: float, seed: int) -> tuple[list[Any], list[str]]:
    """Rows of a log, ``one_off`` of them next to the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(3, size=n)
    answers = np.where(rng.random(n) < one_off, np.abs(truth - 1), truth)
    given = [Prediction((LABELS[k],), np.eye(3)[k] * 0.9 + 0.05) for k in answers]
    identity = {"model_hash": "m1", "preprocessing_hash": "p1", "task": kind.task}
    rows = [
        {
            "request_id": f"r{i}",
            "ts_utc": START + timedelta(minutes=i),
            **identity,
            "file": f"{i}.jpg",
            "width": 10,
            "height": 10,
            "bytes": 100,
            "format": "PNG",
            **dict.fromkeys(
                ("contrast", "sharpness", "saturation", "image_entropy", "aspect"), 0.5
            ),
            "brightness": rng.random(),
            "phash": f"{i:016x}",
            **answer,
        }
        for i, answer in enumerate(kind.columns(given, None, LABELS, [(10, 10)] * n))
    ]
    return rows, [LABELS[k] for k in truth]


def test_a_fourth_kind_is_logged_and_monitored(grade: AnswerKind, tmp_path: Path) -> None:
    held_out, truth = rows_of(grade, 200, 0.1, 0)
    reference = make_reference(
        held_out,
        pd.DataFrame({"label": truth}),
        labels=LABELS,
        temperature=1.0,
        group_column=None,
        slice_columns=[],
        thresholds=dict.fromkeys(LABELS, 0.5),
    )
    production, later = rows_of(grade, 200, 0.7, 1)
    log = ProductionLog(tmp_path)
    with log.writer() as writer:
        writer.append(production)
    frame = log.read().assign(label=later)
    assert frame["task"].unique().tolist() == [grade.task]

    findings, _ = look(reference, Window(Sample(frame)), load_policy("default"), 0)

    found = {finding.key: finding for finding in findings}
    assert {"prediction.labels", "prediction.confidence"} <= found.keys()
    assert "prediction.count" not in found  # the kind does not track it
    assert found["labels.f1_image"].reference == pytest.approx(0.95, abs=0.03)
    assert found["labels.f1_image"].current == pytest.approx(0.65, abs=0.06)
    assert "grades" in found["labels.f1_image"].note
    assert found["performance.estimated_accuracy"].level == "insufficient"
    checks = checks_of(reference)
    assert checks.image_scores(frame) is not None
    assert checks.with_margin(frame)["margin"].between(0, 1).all()


def test_a_fourth_kind_has_its_words_on_card_and_page(grade: AnswerKind) -> None:
    report = EvalReport(
        task=grade.task, labels=LABELS, primary="f1", temperature=1.0, splits={}, baselines={}
    )
    assert purpose(report).startswith("Grades as *none*")
    assert "AutoModelForImageClassification" in usage(report, "me/grades")
    assert grade.page.columns == ("grade",)
    assert 'choice="multiple"' in label_studio_config(LABELS, grade.task)


def test_feedback_is_what_the_kind_takes() -> None:
    one, several = OneLabel(), SeveralLabels()
    assert one.joined(one.told(["a|b"], ["a|b", "c"])) == "a|b"
    with pytest.raises(DataError, match="one label is needed"):
        one.told(["a", "b"], ["a", "b"])
    assert several.told(["a|b", "c"], ["a", "b", "c"]) == ["a", "b", "c"]
    assert several.told(["a|b"], ["a|b", "c"]) == ["a|b"]
    assert several.joined([]) == ""


def test_every_task_has_a_kind_of_answer_and_an_unknown_one_is_named() -> None:
    assert set(ANSWER_KINDS) == set(TASKS)
    with pytest.raises(RunError, match="'image-grading': this hf-vft knows"):
        answer_kind("image-grading")


def test_above_the_tasks_nothing_asks_which_task_it_serves() -> None:
    """A name of a task, or a class of one, is written where it is defined, and nowhere above."""
    package = Path(__file__).parents[2] / "hf_vft"
    classes = {"ImageClassification", "MultiLabelClassification", "ObjectDetection"}
    found = []
    for folder in ("monitoring", "serving", "hub", "inference", "workflows"):
        for path in (package / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                compared = isinstance(node, ast.Compare) and any(
                    isinstance(side, ast.Constant) and side.value in TASKS
                    for side in (node.left, *node.comparators)
                )
                if compared or (isinstance(node, ast.Name) and node.id in classes):
                    found.append(f"{path.relative_to(package)}:{node.lineno}")
    assert not found
