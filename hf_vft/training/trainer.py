"""A Trainer for vision models."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset, Sampler
from transformers import EvalPrediction, PreTrainedModel, Trainer, TrainerState

from hf_vft.data.dataset import BalancedSampler, labels_of
from hf_vft.data.transforms.mixing import BatchMixer
from hf_vft.errors import ModelError
from hf_vft.models.freezing import eval_batch_norm, eval_frozen_modules, set_trainable
from hf_vft.models.param_groups import parameter_groups
from hf_vft.tasks import ImageClassification, Task
from hf_vft.training.callbacks import EpochHooks
from hf_vft.training.checkpoints import drop_old, mark_complete
from hf_vft.training.ema import WeightAverage
from hf_vft.training.input_wait import InputWait
from hf_vft.training.processes import release
from hf_vft.training.training_arguments import VisionTrainingArguments

if TYPE_CHECKING:
    from optuna import Trial


class VisionTrainer(Trainer):
    """``transformers.Trainer`` with what fine-tuning vision models needs.

    Frozen parts stay frozen and each depth has its rate; mixup and cutmix, class weights,
    balanced sampling and averaged weights are arguments. A drop-in for a script of one's own:
    datasets give ``pixel_values`` ``[C, H, W]`` and ``labels``. Everything that a plain Trainer
    does (Accelerate, resuming, callbacks, ``hyperparameter_search``) it does as well.

    Args:
        model: What to train.
        args: Includes what is trained, and at which rates.
        task: What the labels mean; by default one class an image.
        **kwargs: As for ``transformers.Trainer``; the collator and the metrics come from the
            task unless given.
    """

    args: VisionTrainingArguments
    model: Any

    def __init__(
        self,
        model: Any = None,
        args: VisionTrainingArguments | None = None,
        *,
        task: Task | None = None,
        **kwargs: Any,
    ) -> None:
        args = args or VisionTrainingArguments(output_dir="trainer_output")
        self.task = task or ImageClassification()
        kwargs.setdefault("data_collator", self.task.collate)
        kwargs.setdefault("compute_metrics", self._epoch_metrics)
        with warnings.catch_warnings():
            # For several labels an image the Trainer has none; the loss below does.
            warnings.filterwarnings("ignore", "Label smoothing", UserWarning)
            super().__init__(model, args, **kwargs)
        # The loss below is a mean over the batch; the Trainer divides it when accumulating.
        self.model_accepts_loss_kwargs = False
        self.loss_is_scaled_for_ga = self.compute_loss_func is not None
        self.ema: WeightAverage | None = None
        self.input_wait = InputWait(self.args.device)
        self.add_callback(EpochHooks(self))

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Freeze what is not trained, then give each depth its rate."""
        target = self.model if model is None else model
        if self.args.train_part is not None:
            set_trainable(target, self.args.train_part)
        if not self.args.ema_decay:
            self.ema = None
        elif self.ema is None or self.ema.model is not target:
            self.ema = WeightAverage(target, self.args.ema_decay)
        if self.optimizer is None:
            optimizer_class, options = (
                self.optimizer_cls_and_kwargs
                or self.get_optimizer_cls_and_kwargs(self.args, target)
            )
            groups = parameter_groups(
                target,
                learning_rate=options.get("lr", self.args.learning_rate),
                head_learning_rate=self.args.head_learning_rate,
                layer_decay=self.args.layer_decay,
                weight_decay=self.args.weight_decay,
                rates=self.args.parameter_rates,
            )
            self.optimizer = optimizer_class(groups, **options)
        return self.optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The task's loss; smoothing, weights and mixing only while training.

        The loss of an evaluation is plain, so that it can be compared between recipes. With a
        ``compute_loss_func`` it is that function's, as in the Trainer, smoothing and weights
        included.
        """
        labels = inputs["labels"]
        model_inputs = {key: value for key, value in inputs.items() if key != "labels"}
        options: dict[str, Any] = {"name": self.args.loss_name}
        if model.training:
            # Trainer.training_step has just put everything into train mode.
            eval_frozen_modules(self.model)
            if self.args.freeze_batch_norm:
                eval_batch_norm(self.model)
            model_inputs, labels = self._mix(model_inputs, labels)
            options["label_smoothing"] = self.args.label_smoothing_factor
            if self.args.class_weights is not None:
                options["class_weights"] = torch.tensor(
                    self.args.class_weights, device=labels.device
                )
            if self.args.class_priors is not None:
                options["priors"] = torch.tensor(self.args.class_priors, device=labels.device)
        if self.compute_loss_func is not None:
            return super().compute_loss(
                model, {**model_inputs, "labels": labels}, return_outputs, num_items_in_batch
            )
        loss, outputs = self.task.forward(model, model_inputs, labels, **options)
        return (loss, outputs) if return_outputs else loss

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train as the Trainer does; with ``ema_decay`` the model ends with averaged weights."""
        if self.model is not None:  # as a hyperparameter search leaves it, before model_init
            release(self.model)
        output = super().train(*args, **kwargs)
        self._use_average()
        return output

    def restore_best(self, state: TrainerState) -> None:
        """Give the model the best weights of a training that is over, from its checkpoints."""
        self.state = state
        self._load_best_model()
        if self.args.ema_decay:
            self.ema = WeightAverage(self.model, self.args.ema_decay)
            self._use_average()

    def _use_average(self) -> None:
        best = self.state.best_model_checkpoint
        if self.ema is None:
            return
        if self.args.load_best_model_at_end and best is not None:
            self.ema.load(Path(best))
        self.ema.copy_to_model()

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate as the Trainer does, during training with averaged weights if there are any."""
        averaged = self.ema is not None and self.is_in_train
        with self.ema.applied() if averaged and self.ema is not None else nullcontext():
            return super().evaluate(*args, **kwargs)

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as the Trainer does, with a loss that counts every image exactly once.

        Several processes fill up their last batch with repeats, which the Trainer leaves out of
        the metrics but not out of the loss.
        """
        output = super().evaluation_loop(*args, **kwargs)
        key = f"{kwargs.get('metric_key_prefix', 'eval')}_loss"
        metrics, logits = output.metrics or {}, output.predictions
        ours = self.compute_loss_func is None and self.args.world_size > 1
        if ours and key in metrics and isinstance(logits, np.ndarray):
            labels = torch.as_tensor(output.label_ids)
            answers = {"logits": torch.as_tensor(logits)}
            metrics[key] = float(self.task.loss(answers, labels, name=self.args.loss_name))
        return output

    def _epoch_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """The task's; not a number where a training has diverged, which is for callbacks to see."""
        try:
            return self.task.epoch_metrics(prediction)
        except ModelError:
            if not self.is_in_train:
                raise
            metric = self.args.metric_for_best_model or self.task.primary_metric
            return {metric.removeprefix("eval_"): math.nan}

    def _mix(
        self, inputs: dict[str, Any], labels: torch.Tensor
    ) -> tuple[dict[str, Any], torch.Tensor]:
        if "pixel_values" not in inputs or not self._mixer:
            return inputs, labels
        pixel_values, targets = self._mixer(inputs["pixel_values"], labels)
        return {**inputs, "pixel_values": pixel_values}, targets

    @property
    def _mixer(self) -> BatchMixer | None:
        alphas = {"mixup_alpha": self.args.mixup_alpha, "cutmix_alpha": self.args.cutmix_alpha}
        if not any(alphas.values()):
            return None
        if not self.task.mixes_batches:
            raise ModelError(f"mixup and cutmix are not defined for {self.task.name}.")
        return BatchMixer(self.model.config.num_labels, **alphas)

    def _get_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        """Build the loader; ``dataloader_drop_last`` never costs an evaluation images."""
        drop_last = self.args.dataloader_drop_last
        self.args.dataloader_drop_last = drop_last and kwargs.get("is_training", False)
        try:
            return super()._get_dataloader(*args, **kwargs)
        finally:
            self.args.dataloader_drop_last = drop_last

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int | None]:
        """Fetch the batches of a step as the Trainer does, and measure how long that takes."""
        with self.input_wait.fetching():
            batches: tuple[list[Any], torch.Tensor | int | None] = super().get_batch_samples(
                epoch_iterator, num_batches, device
            )
        return batches

    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> Sampler[Any] | None:
        dataset = train_dataset if train_dataset is not None else self.train_dataset
        if not self.args.balanced_sampling:
            sampler: Sampler[Any] | None = super()._get_train_sampler(dataset)
            return sampler
        return BalancedSampler(labels_of(dataset), seed=self.args.seed)

    def _get_learning_rate(self) -> float:
        """The recipe's learning rate now: that of the top block, or of a head that is alone."""
        groups = self.optimizer.param_groups if self.optimizer is not None else []
        above = [group for group in groups if not group.get("name", "").startswith("head")]
        return float(max((group["lr"] for group in above or groups), default=0.0))

    def _save(self, *args: Any, **kwargs: Any) -> None:
        """Save as the Trainer does, but under the names that it reads back.

        ``save_pretrained`` writes many models (ViT, DINOv2, Swin, DETR) under the names of their
        first release. The Trainer looks for those of the model, passes over the others, and a
        checkpoint would give back a part of the weights alone.
        """
        model = self.model
        if isinstance(model, PreTrainedModel):
            own = partial(model.save_pretrained, save_original_format=False)
            vars(model)["save_pretrained"] = own
        try:
            super()._save(*args, **kwargs)
        finally:
            vars(model).pop("save_pretrained", None)

    def _save_checkpoint(self, model: nn.Module, trial: Trial | dict[str, Any] | None) -> None:
        # The Trainer would remove old checkpoints before the new one is known to be whole.
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self.args.save_total_limit = limit
        run = Path(self._get_output_dir(trial))
        folder = run / f"checkpoint-{self.state.global_step}"
        # Every process has written its part before the checkpoint is called complete.
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            if self.ema is not None:
                self.ema.save(folder)
            mark_complete(folder)
            drop_old(run, limit, self.state.best_model_checkpoint)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None and self.ema is not None:
            self.ema.load(Path(checkpoint))
