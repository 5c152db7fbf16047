"""One object per task: what differs between kinds of labels, in one place."""

from __future__ import annotations

from hf_vft.errors import RecipeError
from hf_vft.tasks.base import Task
from hf_vft.tasks.classification import ImageClassification

TASKS: dict[str, type[Task]] = {ImageClassification.name: ImageClassification}

__all__ = ["TASKS", "ImageClassification", "Task", "get_task"]


def get_task(name: str) -> Task:
    """The task of this name.

    Raises:
        RecipeError: If there is none.
    """
    if name not in TASKS:
        raise RecipeError(f"task {name!r}: there are {', '.join(TASKS)}.")
    return TASKS[name]()
