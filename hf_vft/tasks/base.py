"""What differs between kinds of labels, behind one interface.

The trainer, the stages and the pipeline never ask which task they serve; they ask the task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import EvalPrediction

from hf_vft.errors import RecipeError
from hf_vft.evaluation.results import SplitResult


class Task(ABC):
    """A kind of label: its model class, batches, loss and metrics."""

    name: ClassVar[str]
    """Name in recipes; also the ``pipeline`` task of transformers."""

    primary_metric: ClassVar[str]
    """The score that chooses weights unless the recipe names another."""

    epoch_metric_names: ClassVar[tuple[str, ...]]
    """What `epoch_metrics` measures; each of these, or ``loss``, can choose the weights."""

    mixes_batches: ClassVar[bool] = False
    """Whether mixup and cutmix make sense for these labels."""

    def check_metric(self, name: str) -> None:
        """Refuse a ``training.metric`` that is not measured each epoch.

        Raises:
            RecipeError: Names those that are.
        """
        known = ("loss", *self.epoch_metric_names)
        if name not in known:
            raise RecipeError(f"training.metric: {name!r} is not one of {', '.join(known)}.")

    @property
    @abstractmethod
    def auto_class(self) -> Any:
        """The ``AutoModelFor…`` class of transformers."""

    @abstractmethod
    def collate(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Stack the rows of a dataset into the inputs of the model and ``labels``."""

    @abstractmethod
    def loss(
        self,
        outputs: Mapping[str, Any],
        labels: Any,
        *,
        label_smoothing: float = 0.0,
        class_weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """What training minimises, a scalar."""

    @abstractmethod
    def epoch_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Cheap scores after each epoch; gathered over all processes by the Trainer."""

    @abstractmethod
    def evaluate(
        self,
        logits: np.ndarray,
        labels: np.ndarray,
        names: list[str],
        *,
        temperature: float,
        n_bootstrap: int,
        seed: int,
        clusters: Sequence[Any] | None = None,
        slices: Mapping[str, Sequence[Any]] | None = None,
    ) -> SplitResult:
        """Every score with its interval, once training is over."""
