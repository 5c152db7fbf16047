"""One object per task: what differs between kinds of labels, in one place."""

from __future__ import annotations

from hf_vft.errors import RecipeError
from hf_vft.tasks.anomaly import AnomalyDetection
from hf_vft.tasks.base import Task
from hf_vft.tasks.classification import ImageClassification
from hf_vft.tasks.detection import ObjectDetection
from hf_vft.tasks.multilabel import MultiLabelClassification
from hf_vft.tasks.predictions import Calibration, DetectedObject, Prediction

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        ImageClassification,
        MultiLabelClassification,
        ObjectDetection,
        AnomalyDetection,
    )
}

__all__ = [
    "TASKS",
    "AnomalyDetection",
    "Calibration",
    "DetectedObject",
    "ImageClassification",
    "MultiLabelClassification",
    "ObjectDetection",
    "Prediction",
    "Task",
    "get_task",
    "kind_of",
    "task_for",
]


def get_task(name: str) -> Task:
    """Return the task with this name.

    Raises:
        RecipeError: If there is none.
    """
    if name not in TASKS:
        raise RecipeError(f"task {name!r}: there are {', '.join(TASKS)}.")
    return TASKS[name]()


def task_for(kind: str) -> Task:
    """The task that labels of this kind are for."""
    return next(task for task in TASKS.values() if task.kind == kind)()


def kind_of(name: str) -> str | None:
    """The kind of labels that a task requires; None for ``auto``, which takes any."""
    return None if name == "auto" else get_task(name).kind
