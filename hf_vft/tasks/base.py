"""What differs between kinds of labels, behind one interface.

The trainer, the stages and the pipeline never ask which task they serve; they ask the task.
*Outputs* are what a model says of N images as arrays, before any answer is made of it: logits
``[N, C]``, or whatever else the task's other methods understand. *Values* are the labels as the
column ``label`` of a split holds them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn
from transformers import BaseImageProcessor, PreTrainedConfig

from hf_vft.data.dataset import VisionDataset
from hf_vft.data.transforms.images import eval_transform, train_transform
from hf_vft.errors import RecipeError
from hf_vft.evaluation.results import Estimate, SplitResult
from hf_vft.models.load import Checkpoint, LoadedModel, load_model
from hf_vft.models.logistic import LinearProbe
from hf_vft.recipe.schema import AugmentConfig, Choice, EvaluationConfig, Recipe
from hf_vft.tasks.predictions import Calibration, Prediction

if TYPE_CHECKING:
    import datasets

    # transformers takes it from its trainer, which brings peft
    from transformers import EvalPrediction

NO_ESTIMATE = (
    "evaluation.stress",
    False,
    "the monitor estimates accuracy without labels where an image has one label",
)
"""For tasks whose images have several."""


class Task(ABC):
    """A kind of label: its model class, batches, loss, scores and answers."""

    name: ClassVar[str]
    """Name in recipes."""

    kind: ClassVar[str]
    """What a label is: a key of ``hf_vft.data.label_types.KINDS``."""

    primary_metric: ClassVar[str]
    """The score that chooses weights unless the recipe names another."""

    epoch_metric_names: ClassVar[tuple[str, ...]]
    """What `epoch_metrics` measures; each of these, or ``loss``, can choose the weights."""

    losses: ClassVar[tuple[str, ...]]
    """What ``loss.name`` may be, the default first."""

    problem_type: ClassVar[str | None] = None
    """In the model's configuration; None where the task is no classification."""

    mixes_batches: ClassVar[bool] = False
    """Whether mixup and cutmix make sense for these labels."""

    defaults: ClassVar[tuple[tuple[str, Any, str], ...]] = ()
    """Fields of the recipe that these labels decide, with the value and the reason."""

    probes: ClassVar[bool] = True
    """Whether logistic regression on the features can answer."""

    memorises: ClassVar[bool] = False
    """Whether good images are remembered, and nothing is trained."""

    dataset: ClassVar[type[VisionDataset]] = VisionDataset
    """A split as torch sees it."""

    def settled(self, recipe: Recipe) -> tuple[Recipe, list[Choice]]:
        """The recipe as this task follows it, and what was changed.

        Raises:
            RecipeError: If it asks for what the task has not.
        """
        return recipe, []

    def usual(self, values: Sequence[Any]) -> list[int]:
        """Rows of held-out images that are like production: the monitor compares with them."""
        return list(range(len(values)))

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

    def load(self, checkpoint: Checkpoint, **options: Any) -> LoadedModel:
        """The model with a new head; the options are those of ``load_model``."""
        return load_model(checkpoint, self.auto_class, problem_type=self.problem_type, **options)

    def plain(self, processor: BaseImageProcessor) -> Any:
        """The transform of validation and serving: the processor alone."""
        return eval_transform(processor)

    def random(self, processor: BaseImageProcessor, augment: AugmentConfig) -> Any:
        """The transform of training: random changes, then the processor."""
        return train_transform(processor, augment)

    @abstractmethod
    def collate(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Stack the rows of a dataset into the inputs of the model and ``labels``."""

    def forward(
        self, model: nn.Module, inputs: Mapping[str, Any], labels: torch.Tensor, **options: Any
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Loss and outputs of a batch; the options are those of `loss`."""
        outputs = model(**inputs)
        return self.loss(outputs, labels, **options), self.answers(outputs, config_of(model))

    def answers(
        self, outputs: Mapping[str, Any], config: PreTrainedConfig
    ) -> dict[str, torch.Tensor]:
        """The part of a model's output that the answer is made of, with one row per image."""
        return {"logits": outputs["logits"]}

    @abstractmethod
    def loss(
        self,
        outputs: Mapping[str, Any],
        labels: torch.Tensor,
        *,
        name: str = "auto",
        label_smoothing: float = 0.0,
        class_weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The training loss, a scalar."""

    @abstractmethod
    def class_weights(self, counts: Sequence[int], images: int) -> list[float]:
        """Weights that make up for rare classes.

        Args:
            counts: Training images that show each class.
            images: Training images in all.
        """

    @abstractmethod
    def epoch_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Cheap scores after each epoch; gathered over all processes by the Trainer."""

    def fit_probe(
        self,
        features: np.ndarray,
        values: Sequence[Any],
        *,
        num_classes: int,
        folds: int,
        groups: Sequence[Any] | None,
        balanced: bool,
        seed: int,
    ) -> LinearProbe:
        """A linear probe, fitted to convergence on ``features [N, D]``."""
        raise RecipeError(f"{self.name} has no linear probe; set probe.enabled=false.")

    def held_out_probe(
        self,
        features: np.ndarray,
        values: Sequence[Any],
        *,
        num_classes: int,
        folds: int,
        groups: Sequence[Any] | None,
        balanced: bool,
        penalty: float | None = None,
        seed: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows ``[M]`` that linear probes were not fitted to, and their logits ``[M, C]``."""
        raise RecipeError(f"{self.name} has no linear probe; name one model in model.candidates.")

    def ranking_score(
        self,
        logits: np.ndarray,
        values: Sequence[Any],
        *,
        metric: str,
        n_bootstrap: int,
        seed: int,
        clusters: Sequence[Any] | None = None,
    ) -> Estimate:
        """The score that backbones are ranked by; the primary metric where ``metric`` is none."""
        raise RecipeError(f"{self.name} has no linear probe; name one model in model.candidates.")

    @abstractmethod
    def baselines(self, train: Sequence[Any], n: int, n_classes: int) -> dict[str, Any]:
        """Outputs for ``n`` images of what answers without looking, by name."""

    def outputs(self, predictions: Any) -> Any:
        """The outputs of `forward` that the Trainer has gathered, in double precision."""
        logits = predictions[0] if isinstance(predictions, tuple) else predictions
        return np.asarray(logits, dtype=np.float64)

    @abstractmethod
    def calibrate(
        self, outputs: Any, values: Sequence[Any], config: EvaluationConfig
    ) -> Calibration:
        """Fit temperature and thresholds on validation images."""

    @abstractmethod
    def evaluate(
        self,
        outputs: Any,
        values: Sequence[Any],
        names: Sequence[str],
        *,
        calibration: Calibration,
        n_bootstrap: int,
        seed: int,
        clusters: Sequence[Any] | None = None,
        slices: Mapping[str, Sequence[Any]] | None = None,
    ) -> SplitResult:
        """Every score with its interval, once training is over."""

    def more_scores(
        self, outputs: Any, images: datasets.Dataset, *, n_bootstrap: int, seed: int
    ) -> dict[str, Estimate]:
        """Scores that other columns of the images allow, beside those of `evaluate`."""
        return {}

    @abstractmethod
    def predictions(
        self,
        outputs: Any,
        names: Sequence[str],
        calibration: Calibration,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Prediction]:
        """The answers that people see.

        Args:
            outputs: Of N images.
            names: Class names; the position is the id.
            calibration: Of the run.
            sizes: Width and height of each image in pixels; only boxes need them.
        """

    @abstractmethod
    def as_dict(self, prediction: Prediction, names: Sequence[str], top: int) -> dict[str, Any]:
        """An answer for machines, as ``hf-vft predict --json`` writes it; ``top`` classes."""

    @abstractmethod
    def as_text(self, prediction: Prediction, names: Sequence[str], top: int) -> str:
        """An answer in a line; ``top`` classes."""

    @abstractmethod
    def columns(
        self, predictions: Sequence[Prediction], values: Sequence[Any], names: Sequence[str]
    ) -> dict[str, list[Any]]:
        """``label``, ``predicted`` and more, for the table of held-out predictions of a run."""


def config_of(model: nn.Module) -> Any:
    """The configuration of a model, also of one that is wrapped for several processes."""
    return getattr(model, "module", model).config
